"""Tasks of words whose deciding positions are known by construction, and changes of their rows.

A row is drawn by code from a random generator; what it says, and which positions decide that, follows from its words by
a rule. So a change of some words can be made that changes the answer, or one that keeps it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

FILLERS = tuple(f"n{number}" for number in range(16))
MARKERS = ("#0", "#1")  # one of them is in every row with a class and decides nothing: decoys look at it
VARIANTS = 3  # words that say the same


@dataclass(frozen=True)
class PlantedRow:
    """A row of a task.

    Attributes:
        words: the input, a word for each position.
        outputs: the class alone, or the words to be written.
        evidence: of each output the positions that decide it; none: no position does.
        frame: positions that say where the evidence is. They are never changed.
    """

    words: tuple[str, ...]
    outputs: tuple[str, ...]
    evidence: tuple[tuple[int, ...], ...]
    frame: tuple[int, ...] = ()


class PlantedTask(ABC):
    """A family of rows.

    Attributes:
        name: of the family.
        writes: whether the answer is written word by word.
        answers: the classes, or the words that can be written.
        num_tries: draws of a change of words, of which one that does what is asked is taken.
    """

    name: ClassVar[str]
    writes: ClassVar[bool] = False
    answers: ClassVar[tuple[str, ...]]
    num_tries: ClassVar[int] = 24

    @abstractmethod
    def draw(self, random: np.random.Generator) -> list[str]:
        """The words of a row."""

    @abstractmethod
    def read(self, words: Sequence[str]) -> PlantedRow | None:
        """The row that these words are; None: they are no row of this task."""

    @abstractmethod
    def others(self, word: str) -> Sequence[str]:
        """The words that may stand in the place of this one."""

    @property
    @abstractmethod
    def vocabulary(self) -> tuple[str, ...]:
        """All words of inputs."""

    def row(self, random: np.random.Generator) -> PlantedRow:
        """A row drawn at random."""
        found = self.read(self.draw(random))
        assert found is not None
        return found


def changed(
    task: PlantedTask,
    row: PlantedRow,
    positions: Sequence[int],
    output: int,
    random: np.random.Generator,
    *,
    answer_changes: bool,
) -> tuple[str, ...]:
    """The row with other words at some positions, all others kept.

    Where the evidence lies among the positions, a change is looked for that changes the answer, or that keeps it;
    where none is found, any change that leaves a row of the task is taken, and the row itself where there is none.

    Args:
        output: which of the row's outputs is meant.
        answer_changes: whether the answer by the task's rule is to change.
    """
    free = [position for position in positions if position not in row.frame]
    wanted = answer_changes and not set(free).isdisjoint(row.evidence[output])
    fallback = row.words
    for _ in range(task.num_tries):
        words = list(row.words)
        for position in free:
            words[position] = one_of(random, task.others(words[position]))
        other = task.read(words)
        if other is None or len(other.outputs) != len(row.outputs):
            continue
        if (other.outputs[output] != row.outputs[output]) == wanted:
            return tuple(words)
        fallback = tuple(words)
    return fallback


def one_of(random: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(random.integers(len(words)))]


def variants(kind: str) -> tuple[str, ...]:
    """The words of one kind, such as `a0`, `a1`, `a2`."""
    return tuple(f"{kind}{number}" for number in range(VARIANTS))


def without(words: Sequence[str], word: str) -> tuple[str, ...]:
    """The others of some words; the word itself where there is no other."""
    return tuple(each for each in words if each != word) or (word,)
