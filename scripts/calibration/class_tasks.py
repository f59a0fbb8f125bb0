"""Planted tasks with one class for each row. See `planted`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from calibration.planted import FILLERS, MARKERS, PlantedRow, PlantedTask, one_of, variants, without


class ClassTask(PlantedTask):
    """Words of some kinds among fillers, and a marker that decides nothing.

    Attributes:
        kinds: what the words that matter are: kind -> the group whose kinds may take its place.
        shortest, longest: positions of a row.
    """

    kinds: ClassVar[Mapping[str, tuple[str, ...]]]
    shortest: ClassVar[int] = 8
    longest: ClassVar[int] = 12

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*FILLERS, *MARKERS, *(word for kind in self.kinds for word in variants(kind)))

    def others(self, word: str) -> Sequence[str]:
        for same in (FILLERS, MARKERS):
            if word in same:
                return without(same, word)
        group = self.kinds[word[:-1]]
        return without([each for kind in group for each in variants(kind)], word)

    def draw(self, random: np.random.Generator) -> list[str]:
        length = int(random.integers(self.shortest, self.longest + 1))
        words = [one_of(random, FILLERS) for _ in range(length)]
        chosen = self.kinds_of_row(random)
        places = random.permutation(length)[: len(chosen) + 1].tolist()
        words[places[-1]] = one_of(random, MARKERS)
        for place, kind in zip(places, chosen, strict=False):
            words[place] = one_of(random, variants(kind))
        return words

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        """The kinds of the words that matter in a row."""
        raise NotImplementedError

    def places(self, words: Sequence[str]) -> list[int]:
        """Where words stand that matter."""
        return [place for place, word in enumerate(words) if word[:-1] in self.kinds]

    def answered(self, words: Sequence[str], answer: str, evidence: Sequence[int]) -> PlantedRow:
        return PlantedRow(tuple(words), (answer,), (tuple(evidence),))


THREE: Mapping[str, tuple[str, ...]] = dict.fromkeys("abc", ("a", "b", "c"))
TWO: Mapping[str, tuple[str, ...]] = dict.fromkeys("ab", ("a", "b"))
PAIRS: Mapping[str, tuple[str, ...]] = {"p+": ("p+", "p-"), "p-": ("p+", "p-"), "q+": ("q+", "q-"), "q-": ("q+", "q-")}


class OneWord(ClassTask):
    """One word decides; all others are fillers."""

    name = "one_word"
    answers = ("a", "b", "c")
    kinds = THREE

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        return [one_of(random, self.answers)]

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        (place,) = self.places(words)
        return self.answered(words, words[place][:-1], [place])


class Needle(OneWord):
    """One word of a long row decides."""

    name = "needle"
    shortest, longest = 24, 32


class Presence(ClassTask):
    """Whether a word of a kind is there. Of rows without it no position is evidence."""

    name = "presence"
    answers = ("no", "yes")
    kinds: ClassVar[Mapping[str, tuple[str, ...]]] = {"a": ("a",)}

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        return ["a"] * int(random.integers(2))

    def others(self, word: str) -> Sequence[str]:
        return (*variants("a"), *FILLERS) if word in variants("a") else super().others(word)

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        places = self.places(words)
        return self.answered(words, "yes" if places else "no", places)


class Majority(ClassTask):
    """Of five words of two kinds the more frequent kind decides: evidence is spread."""

    name = "majority"
    answers = ("a", "b")
    kinds = TWO

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        return [one_of(random, self.answers) for _ in range(5)]

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        places = self.places(words)
        count = sum(words[place][0] == "a" for place in places)
        return self.answered(words, "a" if 2 * count > len(places) else "b", places)


class ByPosition(ClassTask):
    """All words are of the three kinds; the one at position 5 decides."""

    name = "position"
    answers = ("a", "b", "c")
    kinds = THREE
    shortest = longest = 10
    PLACE: ClassVar[int] = 5

    def draw(self, random: np.random.Generator) -> list[str]:
        words = [one_of(random, variants(one_of(random, self.answers))) for _ in range(self.longest)]
        words[one_of_places(random, self.longest, self.PLACE)] = one_of(random, MARKERS)
        return words

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        return self.answered(words, words[self.PLACE][:-1], [self.PLACE])


class Marked(ClassTask):
    """Of four words of three kinds the one behind `!` decides."""

    name = "marked"
    answers = ("a", "b", "c")
    kinds = THREE

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*super().vocabulary, "!")

    def draw(self, random: np.random.Generator) -> list[str]:
        words = super().draw(random)
        place = int(random.integers(len(words) + 1))
        words[place:place] = ["!", one_of(random, variants(one_of(random, self.answers)))]
        return words

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        return [one_of(random, self.answers) for _ in range(3)]

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        place = list(words).index("!")
        row = self.answered(words, words[place + 1][:-1], [place + 1])
        return PlantedRow(row.words, row.outputs, row.evidence, (place,))


class And(ClassTask):
    """Yes if both of two words are the positive ones of their kinds."""

    name = "and"
    answers = ("no", "yes")
    kinds = PAIRS

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        if random.random() < 0.4:  # the two answers are about as frequent
            return ["p+", "q+"]
        return ["p" + one_of(random, "+-"), "q" + one_of(random, "+-")]

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        places = self.places(words)
        return self.answered(words, "yes" if self.is_yes([words[place][1] for place in places]) else "no", places)

    def is_yes(self, signs: Sequence[str]) -> bool:
        return all(sign == "+" for sign in signs)


class Xor(And):
    """Yes if exactly one of two words is the positive one of its kind."""

    name = "xor"
    shortest, longest = 5, 7  # longer ones take tiny models many steps

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        return ["p" + one_of(random, "+-"), "q" + one_of(random, "+-")]

    def is_yes(self, signs: Sequence[str]) -> bool:
        return signs[0] != signs[1]


class Order(ClassTask):
    """Of a word of the one kind and a word of the other the first decides."""

    name = "order"
    shortest, longest = 5, 8
    answers = ("a", "b")
    kinds = TWO

    def kinds_of_row(self, random: np.random.Generator) -> list[str]:
        return ["a", "b"]

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        places = self.places(words)
        found = [words[place][0] for place in places]
        return self.answered(words, found[0], places) if found[0] != found[1] else None


class Lookup(ClassTask):
    """Three keys, each with its value behind it, and a question for one of them at the end."""

    name = "lookup"
    answers = ("a", "b", "c")
    kinds = THREE
    KEYS: ClassVar[tuple[str, ...]] = ("k0", "k1", "k2")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*super().vocabulary, *self.KEYS, *(f"?{key}" for key in self.KEYS))

    def draw(self, random: np.random.Generator) -> list[str]:
        words = [one_of(random, MARKERS)]
        for number in random.permutation(len(self.KEYS)).tolist():
            words += [self.KEYS[number], one_of(random, variants(one_of(random, self.answers)))]
        return [*words, "?" + one_of(random, self.KEYS)]

    def read(self, words: Sequence[str]) -> PlantedRow | None:
        places = [place for place, word in enumerate(words) if word.lstrip("?") in self.KEYS]
        asked = list(words).index(words[-1][1:]) + 1
        return PlantedRow(tuple(words), (words[asked][:-1],), ((asked,),), tuple(places))


def one_of_places(random: np.random.Generator, length: int, taken: int) -> int:
    """A position other than the one that is taken."""
    place = int(random.integers(length - 1))
    return place + (place >= taken)
