"""Pretrained word vectors from text files as GloVe, fastText, word2vec and BPEmb publish them.

A line is a word and its D numbers, separated by single spaces; a first line of two numbers (how many, D) may stand
before them. Files are read line by line, and only what the vocabulary holds is kept.

Shapes: N tokens that have a vector, D numbers of a vector.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.reading.lines import SURROGATE, text_lines
from attnfocus.data.tokens.spaced_words import MARKS
from attnfocus.data.tokens.tokenizer import SPACE_MARK, Tokenizer
from attnfocus.data.tokens.vocabulary import SUBWORD_KINDS
from attnfocus.errors import DataError
from attnfocus.special import SPECIAL_TOKENS

_NUMERIC = "0123456789.+-eE "
_NUMBER = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_NO_TEXT = {
    ".bin": "a binary model. Give the text file of the same vectors (.vec).",
    ".pt": "a pickle of torchtext. Give the text file beside it, which has the same name without .pt.",
}
MAX_NUMBER = 1e6  # of a vector; published ones stay below 100
MAX_TOKENS_LISTED = 5


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Vectors of some tokens of a vocabulary.

    Args:
        ids: the tokens that have one, (N,) int64, ascending.
        values: (N, D) float32.
        num_tokens: all tokens that could have one: the vocabulary without special tokens and marks of spaces.
    """

    ids: NDArray[np.int64]
    values: NDArray[np.float32]
    num_tokens: int

    @property
    def coverage(self) -> str:
        return f"{len(self.ids):,} of {self.num_tokens:,} tokens have a vector"


def find_vectors(given: str, key: str) -> Path:
    """The absolute path of the file that a configuration key names.

    Raises:
        DataError: there is no such file, or it is not a text: fastText's binary format, or what lies beside the texts
            in the folder where torchtext keeps vectors.
    """
    path = Path(given).expanduser().absolute()
    if not path.is_file():
        problem = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise DataError(f"{key}={given}: {path} {problem}. Give a text file of vectors (.txt, .vec, plain or .gz).")
    if path.suffix in _NO_TEXT:
        raise DataError(f"{key}={given}: is {_NO_TEXT[path.suffix]}")
    return path


def vector_size(path: Path) -> int:
    """D, by the first line.

    Raises:
        DataError: the file cannot be read, or does not begin with a vector.
    """
    with text_lines(path, "utf-8") as lines:
        first = next(lines, "").rstrip(" \r\n")
        size = int(first.split(" ")[1]) if _is_header(first) else first.count(" ")
    if size < 1:
        raise DataError(f"{path}:1: must be a word and its numbers, separated by spaces, got {_shown(first)}.")
    return size


def read_vectors(path: Path, tokenizer: Tokenizer) -> WordVectors:
    """The vectors of a tokenizer's vocabulary; of a word that comes twice the first.

    A token without a vector of its own takes that of its lower-case form. A token of bpe or unigram that begins a
    word stands in the file as a word, or with `▁` in front; pieces inside of words have vectors in files of that kind
    alone.

    Raises:
        DataError: a line is malformed, or no token has a vector.
    """
    numbered = enumerate(tokenizer.vocabulary[len(SPECIAL_TOKENS) :], len(SPECIAL_TOKENS))
    tokens = {number: token for number, token in numbered if not (tokenizer.kind == "word" and token in MARKS)}
    is_subword = tokenizer.kind in SUBWORD_KINDS
    wanted = {
        name for token in tokens.values() for marked in (False, True) for name in _names(token, is_subword, marked)
    }
    size = vector_size(path)
    found: dict[str, NDArray[np.float32]] = {}
    for word, vector in _vectors(path, size, wanted):
        found.setdefault(word, vector)
    marked = any(word.startswith(SPACE_MARK) for word in found)
    rows = {}
    for number, token in tokens.items():
        vector_of = next((found[name] for name in _names(token, is_subword, marked) if name in found), None)
        if vector_of is not None:
            rows[number] = vector_of
    if not rows:
        listed = ", ".join(repr(token) for token in list(tokens.values())[:MAX_TOKENS_LISTED])
        raise DataError(
            f"{path}: none of the vocabulary's {len(tokens):,} tokens ({listed}, ...) has a vector there. "
            "Give vectors of the language, and a tokenizer that makes words (dataset.tokenizer.kind=word)."
        )
    return WordVectors(np.array(list(rows), dtype=np.int64), np.stack(list(rows.values())), len(tokens))


def _names(token: str, is_subword: bool, marked: bool) -> tuple[str, ...]:
    """What a token may be called in a file, best first; `marked`: the file shows the space before a word as `▁`."""
    if is_subword:
        begins_word = token.startswith(" ")
        if not marked and not begins_word:
            return ()
        token = token.replace(" ", SPACE_MARK) if marked else token[1:]
    return (token, token.lower())


def _vectors(path: Path, size: int, wanted: set[str]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The words of a file that are wanted, and their vectors (D,). Every line is looked at, none is kept."""
    with text_lines(path, "utf-8") as lines:
        for number, line in enumerate(lines, 1):
            text = line.rstrip(" \r\n")
            if number == 1 and _is_header(text):
                continue
            word, numbers = _split(text, size)
            if numbers.strip(_NUMERIC) or numbers.count(" ") != size - 1 or not word:
                raise _malformed(path, number, text, size)
            if word in wanted:
                try:
                    vector = np.array(numbers.split(" "), dtype=np.float64)
                except ValueError:
                    raise _malformed(path, number, text, size) from None
                if np.abs(vector).max() > MAX_NUMBER:
                    raise DataError(
                        f"{path}:{number}: holds a number above {MAX_NUMBER:g}. Correct or remove this line."
                    )
                yield word, vector.astype(np.float32)
            elif SURROGATE.search(word):
                raise DataError(f"{path}:{number}: not UTF-8. Convert it: iconv -c -f utf-8 -t utf-8 OLD > NEW.")


def _split(text: str, size: int) -> tuple[str, str]:
    """Word and numbers. A few words of published files hold spaces (`. . .`): the last `size` fields are numbers."""
    word, _, numbers = text.partition(" ")
    extra = numbers.count(" ") + 1 - size
    if extra > 0:
        parts = numbers.split(" ", extra)
        if parts[extra - 1] and not _NUMBER.fullmatch(parts[extra - 1]):
            return " ".join((word, *parts[:extra])), parts[extra]
    return word, numbers


def _is_header(text: str) -> bool:
    fields = text.split(" ")
    return len(fields) == 2 and all(field.isascii() and field.isdecimal() for field in fields)


def _malformed(path: Path, number: int, text: str, size: int) -> DataError:
    return DataError(
        f"{path}:{number}: must be a word and {size} numbers, separated by single spaces, got {_shown(text)}. "
        "Correct or remove this line."
    )


def _shown(text: str) -> str:
    """The beginning of a line, and how many fields it has."""
    start = text if len(text) <= 40 else text[:40] + "..."
    return f"{start!r} ({len(text.split(' '))} fields)"
