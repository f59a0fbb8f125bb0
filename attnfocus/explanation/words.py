"""Pieces of words as whole words: which tokens belong together, and what a word gets of what its pieces have.

Shapes: H heads, Q queries, K keys, W words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.tokens.tokenizer import SPACE_MARK
from attnfocus.errors import ConfigError
from attnfocus.special import SPECIAL_TOKENS
from attnfocus.tasks.base import Task

PIECE_KINDS = ("bpe", "unigram", "character")  # tokenizers whose tokens are parts of what stands between blanks
_ALONE = (*SPECIAL_TOKENS, "<cls>")
_WITHOUT_BLANKS = ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))  # kana, ideographs


def has_pieces(task: Task) -> bool:
    """Whether tokens of the input are pieces of words."""
    tokenizer = task.codec.tokenizers().get("source")
    return tokenizer is not None and tokenizer.kind in PIECE_KINDS


def require_pieces(task: Task) -> None:
    """Refuses words where tokens are none of their pieces.

    Raises:
        ConfigError: why.
    """
    if not has_pieces(task):
        tokenizer = task.codec.tokenizers().get("source")
        what = "inputs here are no text" if tokenizer is None else f"tokens of kind {tokenizer.kind} are none"
        raise ConfigError(f"level: word joins pieces of words ({', '.join(PIECE_KINDS)}), and {what}. Use level=token.")


def word_numbers(tokens: Sequence[str]) -> NDArray[np.int64]:
    """The number of the word of each token, counted from 0: (K,).

    A word is what stands between blanks, with its punctuation. A special token stands alone, and so does one of Chinese
    or Japanese, which have no blanks.
    """
    starts = [
        number == 0
        or token.startswith(SPACE_MARK)
        or token in _ALONE
        or tokens[number - 1] in _ALONE
        or _has_no_blanks(token)
        for number, token in enumerate(tokens)
    ]
    return np.cumsum(starts, dtype=np.int64) - 1 if starts else np.zeros(0, dtype=np.int64)


def _has_no_blanks(token: str) -> bool:
    """Whether a token begins with a character of a script that is written without blanks."""
    return any(first <= ord(token[0]) <= last for first, last in _WITHOUT_BLANKS) if token else False


def words_of(tokens: Sequence[str]) -> tuple[str, ...]:
    """The W words that tokens make, without the marks of blanks."""
    found: list[str] = []
    for token, number in zip(tokens, word_numbers(tokens).tolist(), strict=True):
        if number == len(found):
            found.append("")
        found[number] += token
    return tuple(word.removeprefix(SPACE_MARK) or word for word in found)


def by_word(scores: NDArray[np.float32], queries: Sequence[str], keys: Sequence[str]) -> NDArray[np.float32]:
    """Scores (..., Q, K) of tokens as those of words: sums over the pieces of a key, means over those of a query, so
    that rows still sum to what they did   (Clark et al. 2019, sec. 4.1, arXiv:1906.04341)."""
    of_queries, of_keys = (_memberships(tokens) for tokens in (queries, keys))
    means = of_queries / np.maximum(of_queries.sum(axis=1, keepdims=True), 1)
    found: NDArray[np.float32] = (means @ scores.astype(np.float64) @ of_keys.T).astype(np.float32)
    return found


def _memberships(tokens: Sequence[str]) -> NDArray[np.float64]:
    """1 where a token is a piece of a word: (W, K)."""
    numbers = word_numbers(tokens)
    found = np.zeros((int(numbers[-1]) + 1 if len(numbers) else 0, len(numbers)))
    found[numbers, np.arange(len(numbers))] = 1
    return found
