"""What is known of a row in characters, in tokens: alignments and rationales."""

from dataclasses import replace

import pytest

from attnfocus.data.clean import CleanOptions, clean_texts
from attnfocus.data.gold import token_links, token_rationale, tokens_at
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions

# d a s - h a u s   /   h o u s e - t h a t, with "das" to "that" and "haus" to "house", the initials being sure
ROW = Row(
    "r",
    "das haus",
    "house that",
    alignment=tuple(
        sorted({(t, s) for t in range(5) for s in range(4, 8)} | {(t, s) for t in range(6, 10) for s in (0, 1, 2)})
    ),
    sure=((0, 4),),
)
TEXTS = ["das haus", "house that", "A fine film , really"]


def tokenizer(kind, **options):
    return Tokenizer.train(TEXTS, TokenizerOptions(kind=kind, **options))


@pytest.mark.parametrize("kind", ["word", "whitespace"])
def test_words_are_linked_if_any_of_their_characters_are(kind):
    words = tokenizer(kind)
    links = token_links(ROW, words, words)
    assert links.possible == {(0, 1), (1, 0)}
    assert links.sure == {(0, 1)}


def test_characters_are_their_own_tokens():
    characters = tokenizer("character")
    links = token_links(ROW, characters, characters)
    assert links.possible == set(ROW.alignment)
    assert links.sure == set(ROW.sure)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_parts_of_words_link_inside_their_words_alone(kind):
    parts = tokenizer(kind, vocab_size=30)
    links = token_links(ROW, parts, parts)
    spans_in, spans_out = parts.character_spans(ROW.input), parts.character_spans(ROW.target)
    assert len(spans_in) > 2  # the words are cut
    for target, source in links.possible:
        of_house = spans_out[target][0] < 5
        assert of_house == (spans_in[source][1] > 4)
    written = {number for number, span in enumerate(spans_out) if ROW.target[slice(*span)].strip()}
    assert {target for target, _ in links.possible} == written


def test_links_without_sure_ones_are_all_sure():
    words = tokenizer("word")
    links = token_links(replace(ROW, sure=None), words, words)
    assert links.sure == links.possible
    assert token_links(replace(ROW, sure=()), words, words).sure == set()


def test_what_is_not_known_or_cannot_be_placed_is_none():
    words = tokenizer("word")
    assert token_links(Row("r", "das haus", "house that"), words, words) is None
    assert token_rationale(Row("r", "das haus", "yes"), words) is None
    lower = tokenizer("word", lowercase=True)
    assert tokens_at("Das", lower) == [[0], [0], [0]]


@pytest.mark.parametrize("kind", ["word", "whitespace", "character", "bpe", "unigram"])
def test_a_letter_that_lower_casing_makes_two_of_moves_no_token(kind):
    lower = Tokenizer.train(["i̇zmir ve kadıköy"], TokenizerOptions(kind=kind, lowercase=True))
    spans = lower.character_spans("İzmir, İZMİR Kadıköy")
    texts = [text for span in spans if (text := "İzmir, İZMİR Kadıköy"[slice(*span)].strip())]
    if kind == "word":
        assert texts == ["İzmir", ",", "İZMİR", "Kadıköy"]
    if kind == "whitespace":
        assert texts == ["İzmir,", "İZMİR", "Kadıköy"]
    places = tokens_at("İzmir, İZMİR Kadıköy", lower)
    assert places is not None
    tokens = lower.tokens(lower.encode("İzmir, İZMİR Kadıköy"))
    assert all("k" in tokens[number] or tokens[number] in ("<unk>", " ") for number in places[13])


def test_rationales_mark_the_tokens_that_they_touch():
    row = Row("r", "A fine film , really", "yes", rationale=((2, 11), (14, 16)))
    assert token_rationale(row, tokenizer("word")) == (False, True, True, False, True)
    assert token_rationale(row, tokenizer("character")) == tuple(2 <= i < 11 or 14 <= i < 16 for i in range(20))
    assert token_rationale(replace(row, rationale=((14, 99),)), tokenizer("word")) == (False,) * 4 + (True,)


def test_cleaning_that_moves_characters_forgets_what_was_known_of_them():
    row = Row("r", " fine", "yes", rationale=((1, 5),))
    assert clean_texts(row, CleanOptions(), target_is_text=False).rationale == ()
    assert clean_texts(row, CleanOptions(strip=False), target_is_text=False).rationale == ((1, 5),)
    assert clean_texts(replace(row, input="FINE"), CleanOptions(lowercase=True), target_is_text=False).rationale == (
        (1, 5),
    )
    moved = clean_texts(replace(ROW, input=" das haus"), CleanOptions(), target_is_text=True)
    assert (moved.alignment, moved.sure) == ((), None)
