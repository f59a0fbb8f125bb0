"""Which texts are the same once they are tokenized."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnfocus.data.tokens.equality import token_keys
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerKind, TokenizerOptions


def are_same(left: str, right: str, kind: TokenizerKind, lowercase: bool = False) -> bool:
    key = token_keys([left, right], TokenizerOptions(kind=kind, lowercase=lowercase))
    return key(left) == key(right)


@pytest.mark.parametrize(
    ("left", "right", "kinds"),
    [
        ("Yes, we can", "Yes , we  can", ["word"]),
        ("a  b", "a b", ["word", "whitespace"]),
        ("a b", "ab", []),
        ("我 很好", "我很好", ["word"]),
        ("can't", "can ' t", []),
        ("same", "same", ["word", "whitespace", "character", "bpe", "unigram"]),
    ],
)
def test_texts_are_the_same_if_their_tokens_are(left: str, right: str, kinds: list[str]) -> None:
    every: list[TokenizerKind] = ["word", "whitespace", "character", "bpe", "unigram"]
    assert [kind for kind in every if are_same(left, right, kind)] == kinds


def test_capitals_make_no_difference_where_they_are_lowered() -> None:
    for kind in ("word", "whitespace", "character", "bpe"):
        assert are_same("YES", "yes", kind, lowercase=True)
        assert not are_same("YES", "yes", kind)


def test_half_a_surrogate_pair_is_no_error() -> None:
    assert are_same("a\ud800 b", "a\ud800  b", "word")


texts = st.lists(st.text("aB b,。我 \t\u00a0", max_size=6), min_size=1, max_size=12)


@given(texts, st.sampled_from(["word", "whitespace", "character"]), st.booleans())
def test_keys_are_equal_exactly_where_tokens_are(given_texts: list[str], kind: TokenizerKind, lowercase: bool) -> None:
    """A vocabulary of all that occurs tells the tokens apart."""
    options = TokenizerOptions(kind=kind, lowercase=lowercase)
    tokenizer = Tokenizer.train([*given_texts, "x"], options, keeps_spaces=False)
    key = token_keys(given_texts, options)
    for left in given_texts:
        for right in given_texts:
            assert (key(left) == key(right)) == (tokenizer.encode(left) == tokenizer.encode(right)), (left, right)
