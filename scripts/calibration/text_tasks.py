"""Planted tasks whose answer is written word by word. See `planted`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from calibration.planted import PlantedRow, PlantedTask, one_of, without


class Copy(PlantedTask):
    """The words of the input once more: each output follows from the word at its own place."""

    name = "copy"
    writes = True
    answers = tuple(f"w{number}" for number in range(12))
    shortest: ClassVar[int] = 4
    longest: ClassVar[int] = 6

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self.answers

    def draw(self, random: np.random.Generator) -> list[str]:
        length = int(random.integers(self.shortest, self.longest + 1))
        return [one_of(random, self.answers) for _ in range(length)]

    def others(self, word: str) -> Sequence[str]:
        return without(self.answers, word)

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        order = self.order(len(words))
        return PlantedRow(tuple(words), tuple(words[place] for place in order), tuple((place,) for place in order))

    def order(self, length: int) -> list[int]:
        """Of each output the position that it is copied from."""
        return list(range(length))


class Reverse(Copy):
    """The words of the input from the last to the first."""

    name = "reverse"

    def order(self, length: int) -> list[int]:
        return list(range(length))[::-1]


PARTS = {kind: tuple(f"{kind}{number}" for number in range(count)) for kind, count in (("d", 12), ("m", 8), ("y", 10))}


class Dates(PlantedTask):
    """Day, month and year in one of two orders among fillers: year, month and day are written."""

    name = "dates"
    writes = True
    FILLERS: ClassVar[tuple[str, ...]] = ("on", "the", "of", "in")
    answers = tuple(word.upper() for words in PARTS.values() for word in words)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*self.FILLERS, *(word for words in PARTS.values() for word in words))

    def draw(self, random: np.random.Generator) -> list[str]:
        words: list[str] = []
        for kind in one_of(random, ("dmy", "mdy", "ymd")):
            words += [one_of(random, self.FILLERS)] * int(random.integers(2))
            words.append(one_of(random, PARTS[kind]))
        return words

    def others(self, word: str) -> Sequence[str]:
        return without(self.FILLERS if word in self.FILLERS else PARTS[word[0]], word)

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        of_kind = {word[0]: place for place, word in enumerate(words) if word not in self.FILLERS}
        places = [of_kind[kind] for kind in "ymd"]
        return PlantedRow(tuple(words), tuple(words[place].upper() for place in places), tuple((p,) for p in places))
