"""What all soaks have in common: runs of one kind that are killed, one after the other, and compared at their end."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from soak_reference import Reference


class Runs(ABC):
    """Runs of one kind, each killed until it comes to its end.

    Attributes:
        kills: what each was, for the reader.
        problems: runs that were lost, or ended otherwise; with the first it is over.
    """

    def __init__(self, reference: Reference, seed: int) -> None:
        self.reference = reference
        self.random = random.Random(f"{seed} {reference.kind}")
        self.kills: list[str] = []
        self.problems: list[str] = []
        self.num_runs = 0

    @property
    @abstractmethod
    def has_more(self) -> bool:
        """Whether there are kills to come."""

    @abstractmethod
    def one_run(self, run: Path) -> None:
        """Kills the run in that folder some times, and looks at its end."""

    def go(self) -> Self:
        while (self.has_more or not self.num_runs) and not self.problems:
            self.num_runs += 1
            run = self.reference.folder / f"run-{self.num_runs}"
            try:
                self.one_run(run)
            except TimeoutError as error:
                self.problems.append(f"{run}: {error}")
        return self

    def next_command(self, run: Path) -> list[str]:
        """What goes on with the run: by its folder alone in half of the cases where that is enough."""
        short = self.reference.short_command(run)
        return short if short and self.random.random() < 0.5 else self.reference.command(run)

    def end(self, run: Path, code: int) -> None:
        """Notes how a run has ended that was not killed any more."""
        if code:
            log = run.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
            lines = " / ".join(log.strip().splitlines()[-4:])
            self.problems.append(f"{run}: lost after {', '.join(self.kills[-2:])}: exit code {code}: {lines}")
        else:
            self.problems += [f"{run}: {line}" for line in self.reference.differences(run)]
