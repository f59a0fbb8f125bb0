"""ListOps: nested operations on digits, to be worked out. Made on the spot, nothing is downloaded."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated, ClassVar

from attnfocus.data.rows import SPLITS, RawData, Row
from attnfocus.data.sources.embedded import EmbeddedSource
from attnfocus.errors import DataError
from attnfocus.limits import NumRows, Range
from attnfocus.stages import stage

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
END = "]"
OPERATION_SHARE = 0.25  # of the arguments that are operations again
TRIES = 10_000  # for a row, and as many again for each row before it

NumSymbols = Annotated[int, Range(ge=4, le=2**17, why="all rows are made in memory")]


class ListOps(EmbeddedSource):
    """Classification: which digit comes out? `[MAX 2 [SM 9 3 4 ] 1 ]` is 6.

    Nangia and Bowman 2018 (arXiv:1804.06028), as the Long Range Arena makes it (Tay et al. 2020, arXiv:2011.04006,
    sec. 2.2.1): minimum, maximum, median (of an even number of arguments the mean of the middle two, rounded down) and
    sum modulo 10, each with 2 to max_args arguments, of which a quarter are operations again, down to max_depth - 1 of
    them inside each other; of such trees those whose length fits are kept. The Arena's own set has
    `min_length=501 max_length=1999 max_depth=10 max_args=10 num_train=96000 num_valid=2000 num_test=2000`.

    A guess is right in 0.1, the most frequent digit in 0.12, and in 0.2 with the Arena's lengths: minima are small, and
    maxima large. Valid and test are the same for every seed, so that runs with different seeds are
    measured on the same rows.

    Args:
        min_length, max_length: symbols of a row: digits, operators with their brackets, closing brackets.
        test_min_length, test_max_length: the same for test; None: as the others.
        max_depth: levels of a tree, the digits among them.
        max_args: arguments of an operation.
    """

    preset: ClassVar[str] = "listops"
    task: ClassVar[str] = "classification"

    def __init__(
        self,
        *,
        min_length: NumSymbols = 10,
        max_length: NumSymbols = 50,
        test_min_length: NumSymbols | None = None,
        test_max_length: NumSymbols | None = None,
        max_depth: Annotated[int, Range(ge=2, le=1000)] = 10,
        max_args: Annotated[int, Range(ge=2, le=1000)] = 5,
        num_train: NumRows = 20000,
        num_valid: NumRows = 1000,
        num_test: NumRows = 2000,
    ) -> None:
        self.max_depth, self.max_args = max_depth, max_args
        self._num_rows = dict(zip(SPLITS, (num_train, num_valid, num_test), strict=True))
        self._lengths = dict.fromkeys(SPLITS, (min_length, max_length))
        self._lengths["test"] = (
            min_length if test_min_length is None else test_min_length,
            max_length if test_max_length is None else test_max_length,
        )
        for prefix, split in (("", "train"), ("test_", "test")):
            least, most = self._lengths[split]
            if least > most:
                raise ValueError(f"{prefix}min_length={least} is above {prefix}max_length={most}")
            if not self._reaches(least):
                raise ValueError(
                    f"{prefix}min_length={least}: max_depth={max_depth} and max_args={max_args} make no row as long; "
                    "take larger ones"
                )

    def _reaches(self, length: int) -> bool:
        """Whether there are rows of this length, or longer ones."""
        size = 1
        for _ in range(self.max_depth - 1):
            size = 2 + self.max_args * size
            if size >= length:
                return True
        return False

    def read(self, data_dir: Path, seed: int) -> RawData:
        """Make the rows. Nothing is read from `data_dir`.

        Raises:
            DataError: rows of these lengths are too rare.
        """
        rows = {split: self._rows(split, seed if split == "train" else 0) for split in SPLITS}
        least, most = self._lengths["train"]
        return RawData(rows, [f"{least} to {most} symbols; a guess is right in 0.1; made from the seed"])

    def _rows(self, split: str, seed: int) -> list[Row]:
        draws = random.Random(f"listops {split} {seed}")
        least, most = self._lengths[split]
        rows: list[Row] = []
        num_tries = 0
        with stage(f"making {split}", self._num_rows[split]) as making:
            while len(rows) < self._num_rows[split]:
                num_tries += 1
                if num_tries > TRIES * (len(rows) + 1):
                    raise self._too_rare(split, num_tries, len(rows))
                symbols = _symbols(draws, self.max_depth, self.max_args, most)
                if len(symbols) >= least:
                    rows.append(Row(f"{split}-{len(rows)}", " ".join(symbols), str(value_of(symbols))))
                    making.advance(1)
        return rows

    def _too_rare(self, split: str, num_tries: int, num_rows: int) -> DataError:
        least, most = self._lengths[split]
        prefix = "test_" if split == "test" else ""
        return DataError(
            f"dataset.{prefix}min_length={least}: of {num_tries:,} trees with max_depth={self.max_depth} and "
            f"max_args={self.max_args}, {num_rows} have {least} to {most} symbols. Take other lengths, or another "
            "dataset.max_depth or dataset.max_args."
        )


def _symbols(draws: random.Random, max_depth: int, max_args: int, max_length: int) -> list[str]:
    """A tree whose root is an operation; none where it has more than `max_length` symbols."""
    share, whole = draws.random, draws.randrange
    symbols = [OPERATORS[whole(4)]]
    missing = [whole(2, max_args + 1)]  # arguments that each open operation still lacks
    num_missing = missing[0]
    while missing:
        if len(symbols) + num_missing + len(missing) > max_length:  # each argument has a symbol or more
            return []
        if not missing[-1]:
            missing.pop()
            symbols.append(END)
            continue
        missing[-1] -= 1
        num_missing -= 1
        if len(missing) + 1 < max_depth and share() < OPERATION_SHARE:
            symbols.append(OPERATORS[whole(4)])
            missing.append(whole(2, max_args + 1))
            num_missing += missing[-1]
        else:
            symbols.append(str(int(share() * 10)))
    return symbols


def value_of(symbols: list[str]) -> int:
    """What comes out, 0 to 9."""
    opened: list[tuple[str, list[int]]] = [("", [])]
    for symbol in symbols:
        if symbol in OPERATORS:
            opened.append((symbol, []))
        elif symbol == END:
            operator, arguments = opened.pop()
            opened[-1][1].append(_result(operator, arguments))
        else:
            opened[-1][1].append(int(symbol))
    return opened[0][1][0]


def _result(operator: str, arguments: list[int]) -> int:
    if operator == "[MIN":
        return min(arguments)
    if operator == "[MAX":
        return max(arguments)
    if operator == "[SM":
        return sum(arguments) % 10
    ordered, middle = sorted(arguments), len(arguments) // 2
    return ordered[middle] if len(arguments) % 2 else (ordered[middle - 1] + ordered[middle]) // 2
