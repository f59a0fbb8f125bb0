"""Sequences of symbols for a language model, with known evidence. Made on the spot, nothing is downloaded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import SPLITS, Links, RawData, Row
from attnfocus.data.sources.embedded import EmbeddedSource
from attnfocus.data.sources.random_numbers import Integers, RandomNumbers
from attnfocus.limits import NumRows, Range
from attnfocus.stages import stage

BLOCK = 512  # rows that are made at once

Length = Annotated[int, Range(gt=0, le=2**17, why="all rows are made in memory")]
VocabSize = Annotated[int, Range(ge=2, le=2**17, why="each symbol has a name, and models a vector for it")]
Count = Annotated[int, Range(gt=0, le=2**10, why="each is compared with all others of its row")]


@dataclass(frozen=True)
class Sequences:
    """N sequences as numbers of symbols, and what of them is to be predicted; -1 fills up what is shorter.

    Args:
        symbols: (N, L).
        answers: (N, A), their positions in ascending order.
        evidence: (N, A, E), the positions that each answer follows from.
        num_sure: so many of the E are beyond doubt, the first ones; None: all.
    """

    symbols: Integers
    answers: Integers
    evidence: Integers
    num_sure: int | None = None


class SequenceSource(EmbeddedSource, ABC):
    """Rows of a language model that are drawn at random.

    A row's `answers` are the symbols to be predicted, its `alignment` links the first character of each answer in the
    target with those of the symbols that the answer follows from. Valid and test are the same for every seed, so that
    runs with different seeds are measured on the same rows.

    Args:
        length: of the rows of train and valid; each set says what it counts.
        test_length: the same of the rows of test; None: as the others.
    """

    task: ClassVar[str] = "language_modeling"

    def __init__(
        self,
        *,
        length: Length = 32,
        test_length: Length | None = None,
        num_train: NumRows = 20000,
        num_valid: NumRows = 1000,
        num_test: NumRows = 1000,
    ) -> None:
        self.length = length
        self.test_length = length if test_length is None else test_length
        self._num_rows = dict(zip(SPLITS, (num_train, num_valid, num_test), strict=True))

    def read(self, data_dir: Path, seed: int) -> RawData:
        """Make the rows. Nothing is read from `data_dir`."""
        splits = {split: list(self._rows(split, seed if split == "train" else 0)) for split in SPLITS}
        return RawData(splits, [f"{self.note}; made from the seed"])

    def _rows(self, split: str, seed: int) -> Iterator[Row]:
        numbers = RandomNumbers(type(self).__name__, split, seed)
        names, count = self.names(), self._num_rows[split]
        with stage(f"making {split}", count) as making:
            for start in range(0, count, BLOCK):
                end = min(start + BLOCK, count)
                sequences = self.draw(numbers, end - start, self.test_length if split == "test" else self.length)
                yield from rows_of(sequences, names, [f"{split}-{number}" for number in range(start, end)])
                making.advance(end - start)

    def check_lengths(self, least: int, why: str) -> None:
        """Refuses a length below `least`.

        Raises:
            ValueError: it is too short for the other options.
        """
        for key, length in (("length", self.length), ("test_length", self.test_length)):
            if length < least:
                raise ValueError(f"{key}={length}: {why}; take {least} or more")

    @property
    @abstractmethod
    def note(self) -> str:
        """What is asked, and how often a guess is right."""

    @abstractmethod
    def names(self) -> list[str]:
        """Of the symbols, in the order of their numbers: no blanks, no two the same."""

    @abstractmethod
    def draw(self, numbers: RandomNumbers, num_rows: int, length: int) -> Sequences:
        """Some rows. All that is random in them comes from `numbers`."""


def rows_of(sequences: Sequences, names: Sequence[str], ids: Sequence[str]) -> Iterator[Row]:
    """Sequences as texts of symbols between single blanks, with the places of answers and evidence in characters."""
    sizes = np.array([*map(len, names), -1], dtype=np.int64)  # the last one of what fills up: it takes no place
    of_symbols = sizes[sequences.symbols]
    starts = _starts(of_symbols)
    answers = sequences.answers
    is_answer = answers >= 0
    of_answers = np.where(is_answer, np.take_along_axis(of_symbols, answers, axis=1), -1)
    first = np.take_along_axis(starts, answers, axis=1)
    symbols, counts = sequences.symbols.tolist(), (sequences.symbols >= 0).sum(axis=1).tolist()
    spans = np.stack([first, first + of_answers], axis=-1).tolist()
    num_answers = is_answer.sum(axis=1).tolist()
    possible = _links(sequences.evidence, starts, _starts(of_answers))
    sure = possible
    if sequences.num_sure is not None:
        sure = _links(sequences.evidence[..., : sequences.num_sure], starts, _starts(of_answers))
    for row, id in enumerate(ids):
        text = " ".join([names[symbol] for symbol in symbols[row][: counts[row]]])
        of_row = tuple(map(tuple, spans[row][: num_answers[row]]))
        target = " ".join([text[start:end] for start, end in of_row])
        links = _pairs(possible[row])
        yield Row(id, text, target, links, None if sure is possible else _pairs(sure[row]), answers=of_row)


def _starts(sizes: Integers) -> Integers:
    """(N, L): where texts of these sizes start that stand one after the other with a blank between two."""
    return np.cumsum(sizes + 1, axis=1) - sizes - 1


def _links(evidence: Integers, starts: Integers, targets: Integers) -> list[list[list[int]]]:
    """(N, 2, A * E): characters of the target, and of the input or -1."""
    positions = evidence.reshape(len(evidence), -1)
    sources = np.where(positions >= 0, np.take_along_axis(starts, positions, axis=1), -1)
    return np.stack([np.repeat(targets, evidence.shape[2], axis=1), sources], axis=1).tolist()


def _pairs(links: list[list[int]]) -> Links:
    return tuple(sorted((target, source) for target, source in zip(*links, strict=True) if source >= 0))


def filled(shape: tuple[int, int], symbol: int) -> Integers:
    return np.full(shape, symbol, dtype=np.int64)


def is_below(lengths: Integers, size: int) -> NDArray[np.bool_]:
    """(N, size): whether a position is below the row's length."""
    return np.arange(size) < lengths[:, np.newaxis]
