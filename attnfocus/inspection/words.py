"""What is shown of an example by words, where its tokens are pieces of words."""

from __future__ import annotations

from dataclasses import replace

from attnfocus.data.gold import TokenLinks
from attnfocus.data.tokens.tokenizer import SPACE_MARK
from attnfocus.explanation.words import by_word, word_numbers, words_of
from attnfocus.tasks import FocusMap, Inspected


def with_words(answer: Inspected, input_tokens: tuple[str, ...]) -> Inspected:
    """The example with the pieces of its words joined, in its maps and in what is known of it.

    Args:
        input_tokens: of the input alone.
    """
    of_input = word_numbers(input_tokens).tolist()
    written = [each for each in answer.maps if each.place is not None and each.place.queries == "output"]
    whole = [] if answer.is_one_answer else [each for each in answer.maps if each.place is None]
    text = next(iter([each for each in written if each.kind == "cross"] + written + whole), None)
    of_output = [] if text is None else word_numbers(text.query_tokens).tolist()
    rationale = answer.rationale
    if rationale is not None:
        marked = {of_input[number] for number, is_marked in enumerate(rationale) if is_marked}
        rationale = tuple(number in marked for number in range(of_input[-1] + 1))
    links, asked = None if text is None else answer.links, answer.asked
    if links is not None and text is not None:
        columns = word_numbers(text.key_tokens).tolist()
        links = TokenLinks(*(frozenset((of_output[t], columns[s]) for t, s in pairs) for pairs in links))
    if asked is not None and of_output:
        asked = tuple(dict.fromkeys(of_output[row] for row in asked))
    maps = tuple(_joined(each, answer) for each in answer.maps)
    return replace(answer, maps=maps, rationale=rationale, links=links, asked=asked)


def _joined(each: FocusMap, answer: Inspected) -> FocusMap:
    place = each.place
    is_text = not answer.is_one_answer if place is None else place.queries != "learned"
    queries = (
        each.query_tokens if is_text else tuple(SPACE_MARK + token for token in each.query_tokens)
    )  # none is a piece
    minus = each.minus
    if minus is not None:
        minus = replace(minus, weights=by_word(minus.weights, queries, each.key_tokens))
    return replace(
        each,
        weights=by_word(each.weights, queries, each.key_tokens),
        query_tokens=words_of(queries),
        key_tokens=words_of(each.key_tokens),
        minus=minus,
    )
