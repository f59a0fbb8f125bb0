"""What people know of an example, in the positions of its maps: links of an alignment, and a rationale."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from attnfocus.data.codecs.base import Codec, Encoded
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.codecs.written import WrittenCodec
from attnfocus.data.gold import TokenLinks
from attnfocus.tasks import FocusMap, Inspected


def with_known(codec: Codec, example: Encoded, answer: Inspected) -> Inspected:
    """The answer with what is known of its row.

    The links of a text that a language model reads are about the text itself. Those of a translated row belong to its
    target: of a target token that the output has, too, they are the output's; others are left out, as it is not known
    where a word that nobody expected should look.
    """
    rationale, links = codec.rationale(example.row), codec.links(example.row)
    if rationale is not None and any(rationale):
        answer = replace(answer, rationale=tuple(rationale[: len(example.inputs)]))
    if links is not None and isinstance(codec, SequenceCodec):
        return replace(answer, links=links)
    outputs = next((each.query_tokens for each in answer.maps if each.kind == "cross"), None)
    if links is None or outputs is None or not isinstance(codec, WrittenCodec):
        return answer
    targets = codec.target_tokens(codec.target_tokenizer.encode(example.row.target))
    return replace(answer, links=moved(links, targets, outputs, len(example.inputs)))


def moved(links: TokenLinks, targets: Sequence[str], outputs: Sequence[str], num_inputs: int) -> TokenLinks:
    """The links of a target's tokens at the places where the output has the same tokens in the same order."""
    matches = SequenceMatcher(None, targets, outputs, autojunk=False).get_matching_blocks()
    places = {match.a + n: match.b + n for match in matches for n in range(match.size)}

    def of_output(pairs: frozenset[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        return frozenset((places[t], s) for t, s in pairs if t in places and s < num_inputs)

    return TokenLinks(of_output(links.possible), of_output(links.sure))


def linked_map(example: Inspected, each: FocusMap) -> bool:
    """Whether the links are about this map: its rows write the output, its columns are the input.

    A language model has no other attentions than those of a text to itself, whose rows are the text's positions.
    """
    if example.links is None or each.is_patch:
        return False
    if all(each.place is None or each.kind == "self" for each in example.maps):
        return each.place is not None
    return each.kind == "cross" or (each.place is None and not example.is_one_answer)


def rationale_keys(example: Inspected, each: FocusMap) -> list[int] | None:
    """The columns of the map that people marked; None where it has no rationale, or other columns than the input."""
    if example.rationale is None or not each.is_of_input:
        return None
    prepended = len(each.key_tokens) - len(example.rationale)
    return None if prepended < 0 else [key + prepended for key, marked in enumerate(example.rationale) if marked]
