"""Planted tasks that were added when rules and thresholds stood: nothing was set on them. See `planted`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from calibration.class_tasks import THREE, ClassTask
from calibration.planted import FILLERS, PlantedRow, one_of, variants, without
from calibration.text_tasks import Copy


class First(ClassTask):
    """Of three words of three kinds the first decides."""

    name = "first"
    answers = ("a", "b", "c")
    kinds = THREE

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        return [one_of(random, self.answers) for _ in range(3)]

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        place = self.places(words)[0]
        return self.answered(words, words[place][:-1], [place])


class Largest(ClassTask):
    """Of three words of five ranks the highest rank decides; it stands there once."""

    name = "largest"
    answers = ("a", "b", "c", "d", "e")
    kinds: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys("abcde", tuple("abcde"))
    num_tries = 200  # few draws keep the others below a low rank

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        best = int(random.integers(1, len(self.answers)))
        return [self.answers[best], *(one_of(random, self.answers[:best]) for _ in range(2))]

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        places = self.places(words)
        best = max(words[place][0] for place in places)
        found = [place for place in places if words[place][0] == best]
        return self.answered(words, best, found) if len(found) == 1 else None


class Negation(ClassTask):
    """One word of two kinds, and before it `not` or `so`: `not` turns the answer."""

    name = "negation"
    answers = ("a", "b")
    kinds: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys("ab", ("a", "b")),
        **dict.fromkeys(("not", "so"), ("not", "so")),
    }
    shortest, longest = 5, 8

    def draw(self, random: np.random.Generator) -> list[str]:
        words = super().draw(random)
        place = self.places(words)[0]
        words[place:place] = [one_of(random, variants(one_of(random, ("not", "so"))))]
        return words

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        return [one_of(random, self.answers)]

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        turn, place = self.places(words)
        kind, is_turned = words[place][:-1], words[turn][:-1] == "not"
        return self.answered(words, "b" if (kind == "a") == is_turned else "a", [turn, place])


class Select(Copy):
    """Three words that are to be copied in their order, among fillers."""

    name = "select"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*self.answers, *FILLERS)

    def draw(self, random: np.random.Generator) -> list[str]:
        words = [one_of(random, FILLERS) for _ in range(int(random.integers(6, 10)))]
        for place in sorted(random.permutation(len(words))[:3].tolist()):
            words[place] = one_of(random, self.answers)
        return words

    def others(self, word: str) -> Sequence[str]:
        return without(FILLERS if word in FILLERS else self.answers, word)

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        places = [place for place, word in enumerate(words) if word in self.answers]
        return PlantedRow(tuple(words), tuple(words[place] for place in places), tuple((place,) for place in places))
