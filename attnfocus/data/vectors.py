"""Pretrained word vectors from files as GloVe, fastText, word2vec and BPEmb publish them.

Files are read word by word, and only what the vocabulary holds is kept.

Shapes: N tokens that have a vector, D numbers of a vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.reading.vector_files import OddEntries, name_of, read_words, vector_size
from attnfocus.data.tokens.spaced_words import MARKS
from attnfocus.data.tokens.tokenizer import SPACE_MARK, Tokenizer
from attnfocus.data.tokens.vocabulary import SUBWORD_KINDS
from attnfocus.errors import DataError
from attnfocus.special import SPECIAL_TOKENS

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".model", ".kv")
MAX_TOKENS_LISTED = 5


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Vectors of some tokens of a vocabulary.

    Args:
        ids: the tokens that have one, (N,) int64, ascending.
        values: (N, D) float32.
        num_tokens: all tokens that could have one: the vocabulary without special tokens and marks of spaces.
        num_odd: entries of the file that are no vectors, and were left out.
        first_odd: the first of them, and what is wrong with it.
    """

    ids: NDArray[np.int64]
    values: NDArray[np.float32]
    num_tokens: int
    num_odd: int = 0
    first_odd: str = ""

    @property
    def coverage(self) -> str:
        odd = "1 odd entry" if self.num_odd == 1 else f"{self.num_odd:,} odd entries"
        left_out = f"; {odd} left out, the first {self.first_odd}" if self.num_odd else ""
        return f"{len(self.ids):,} of {self.num_tokens:,} tokens have a vector{left_out}"


def find_vectors(given: str, key: str) -> Path:
    """The absolute path of the file that a configuration key names.

    Raises:
        DataError: there is no such file, or it is a pickle, which torchtext keeps beside the texts.
    """
    path = Path(given).expanduser().absolute()
    if not path.is_file():
        problem = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise DataError(
            f"{key}={given}: {path} {problem}. Give a file of vectors (.txt, .vec, plain or in .gz or .zip; word2vec's "
            ".bin)."
        )
    if path.suffix in PICKLES:
        raise DataError(
            f"{key}={given}: is a pickle, which is never read. Give the text file beside it, which has the same name "
            f"without {path.suffix}, or save the vectors as text."
        )
    return path


def read_vectors(path: Path, tokenizer: Tokenizer) -> WordVectors:
    """The vectors of a tokenizer's vocabulary; of a word that comes twice the first.

    A token without a vector of its own takes that of its lower-case form. A token of bpe or unigram that begins a
    word stands in the file as a word, or with `▁` in front; pieces inside of words have vectors in files of that kind
    alone. Words match in whatever Unicode form they are.

    Raises:
        DataError: the file cannot be read or is mostly no vectors, or no token has a vector.
    """
    numbered = enumerate(tokenizer.vocabulary[len(SPECIAL_TOKENS) :], len(SPECIAL_TOKENS))
    tokens = {number: token for number, token in numbered if not (tokenizer.kind == "word" and token in MARKS)}
    is_subword = tokenizer.kind in SUBWORD_KINDS
    wanted = {
        name for token in tokens.values() for marked in (False, True) for name in _names(token, is_subword, marked)
    }
    odd = OddEntries()
    found: dict[str, NDArray[np.float32]] = {}
    for word, vector in read_words(path, vector_size(path), wanted, odd):
        found.setdefault(word, vector)
    marked = any(word.startswith(SPACE_MARK) for word in found)
    rows = {}
    for number, token in tokens.items():
        vector_of = next((found[name] for name in _names(token, is_subword, marked) if name in found), None)
        if vector_of is not None:
            rows[number] = vector_of
    if not rows:
        listed = ", ".join(repr(token) for token in list(tokens.values())[:MAX_TOKENS_LISTED])
        odd_lines = f" ({odd.total:,} odd entries, the first {odd.first})" if odd.total else ""
        raise DataError(
            f"{path}: none of the vocabulary's {len(tokens):,} tokens ({listed}, ...) has a vector there{odd_lines}. "
            "Give vectors of the language, and a tokenizer that makes words (dataset.tokenizer.kind=word)."
        )
    ids, values = np.array(list(rows), dtype=np.int64), np.stack(list(rows.values()))
    return WordVectors(ids, values, len(tokens), odd.total, odd.first)


def _names(token: str, is_subword: bool, marked: bool) -> tuple[str, ...]:
    """What a token may be called in a file, best first; `marked`: the file shows the space before a word as `▁`."""
    if is_subword:
        begins_word = token.startswith(" ")
        if not marked and not begins_word:
            return ()
        token = token.replace(" ", SPACE_MARK) if marked else token[1:]
    return (name_of(token), name_of(token.lower()))
