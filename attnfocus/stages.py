"""Stages of long work (reading, learning a vocabulary, evaluating), for whoever shows that a command is alive.

    with stage("reading corpus.tsv", total=size) as reading:
        reading.advance(len(line))

Who shows them is set by `watching`, for this thread; where nobody does, a stage costs next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast

_Item = TypeVar("_Item")


class Watcher(Protocol):
    """Hears of each stage: when it begins, whenever some of it is done, when it ends, be it by an error."""

    def stage_began(self, stage: Stage) -> None: ...
    def stage_moved(self, stage: Stage) -> None: ...
    def stage_ended(self, stage: Stage) -> None: ...


@dataclass(eq=False)
class Stage:
    """One piece of work that may take long.

    Attributes:
        name: what is done, in a word or two.
        total: what is to be done, of any unit; None where that is not known.
        done: how much of it is.
        began: `time.monotonic` at its beginning.
    """

    name: str
    total: float | None = None
    done: float = 0.0
    began: float = field(default_factory=time.monotonic)
    watcher: Watcher | None = None

    @property
    def fraction(self) -> float | None:
        """0 to 1; None where the total is not known."""
        return None if not self.total else min(1.0, self.done / self.total)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def seconds_left(self) -> float | None:
        """If it goes on as it went; None while nobody can say."""
        fraction = self.fraction
        return None if not fraction else self.seconds * (1 - fraction) / fraction

    def advance(self, amount: float = 1.0) -> None:
        self.done += amount
        if self.watcher is not None:
            self.watcher.stage_moved(self)


_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """While entered, the stages of this thread are shown by `watcher`."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


@contextmanager
def stage(name: str, total: float | None = None) -> Iterator[Stage]:
    """Around work that may take long; `advance` says how much of `total` has been done."""
    current = Stage(name, total, watcher=_watcher.get())
    if current.watcher is not None:
        current.watcher.stage_began(current)
    try:
        yield current
    finally:
        if current.watcher is not None:
            current.watcher.stage_ended(current)


def counted(items: Iterable[_Item], name: str, total: int) -> Iterator[_Item]:
    """The items, one after the other, as a stage that moves with each."""
    with stage(name, total) as current:
        for item in items:
            yield item
            current.advance()


def unwatched(items: Iterable[_Item]) -> Iterator[_Item]:
    """The items; stages that are begun while they are made are seen by nobody, as they are a part of another."""
    context, each, end = copy_context(), iter(items), object()
    context.run(_watcher.set, None)
    while (item := context.run(next, each, end)) is not end:
        yield cast(_Item, item)
