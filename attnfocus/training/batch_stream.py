"""Micro-batches one after the other, made here or ahead of time in worker processes."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from attnfocus.errors import RunError, UserError
from attnfocus.training.guards import first_of
from attnfocus.training.protocols import TrainBatch

Epochs = Callable[[int], Sequence[TrainBatch]]  # the micro-batches of an epoch (from 0)
Place = tuple[int, int]  # epoch, and position of a micro-batch in it

_DEATH = re.compile(r"DataLoader worker \(pid\(?s?\)?:? ?(?P<pids>[\d, ]+)\)\)? (?P<what>.+?)(?:\.|$)")
_SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")  # for the run as a whole, which tells its workers itself


@runtime_checkable
class NamesItems(Protocol):
    """An epoch that can name the examples of a micro-batch without making it."""

    def ids_of(self, index: int) -> Sequence[str]: ...


@dataclass(frozen=True)
class _Failure:
    """What a worker sends in place of a batch that it could not make."""

    message: str
    worker: int


class Stream:
    """The micro-batches from a place on, epoch after epoch without end.

    Which batch stands where is decided by `epochs` alone, so that the number of workers changes nothing but speed.

    Args:
        epochs: the micro-batches of an epoch, a pure function that is asked for each batch; sent to the workers.
        start: the first place.
        num_workers: processes that make batches; 0 makes them here, when they are asked for.
        timeout_seconds: longest wait for a worker.
    """

    def __init__(self, epochs: Epochs, start: Place, num_workers: int, timeout_seconds: float) -> None:
        self._items = _Items(epochs)
        self._next = start
        self._num_workers = num_workers
        self._num_taken = 0
        self._loaded: Any = None  # a loader's iterator; torch has no public handle on its workers
        if num_workers > 0:
            loader = DataLoader(
                self._items,
                batch_size=None,
                sampler=_Places(epochs, start),
                collate_fn=_unchanged,
                num_workers=num_workers,
                timeout=timeout_seconds,
                worker_init_fn=_start_worker,
                generator=torch.Generator(),  # its base seed must not be drawn from the run's
            )
            with _deaf():
                self._loaded = iter(loader)

    def take(self) -> TrainBatch:
        """The next micro-batch.

        Raises:
            RunError: it could not be made: names its examples, and the worker.
        """
        place = self._next
        try:
            item = self._items[place] if self._loaded is None else next(self._loaded)
        except (RuntimeError, OSError, EOFError) as error:  # the last two from a worker that died while it sent
            raise self.death(error) or error from None
        if isinstance(item, _Failure):
            where = f" in loader worker {item.worker}" if self._num_workers else ""
            raise RunError(f"{self._named(place)}: could not be made{where}: {item.message}")
        epoch, index = place
        self._next = (epoch, index + 1) if index + 1 < self._items.length(epoch) else (epoch + 1, 0)
        self._num_taken += 1
        batch: TrainBatch = item
        return batch

    def death(self, error: Exception) -> RunError | None:
        """What to tell the user when `error` says that a worker is dead or hangs; it may come at any moment."""
        text = str(error)
        if "DataLoader timed out" in text:
            what = f"loader worker {self._num_taken % self._num_workers} did not answer ({text.removesuffix('.')})"
        elif match := _DEATH.search(text):
            what = f"a loader worker (pid {match['pids']}) {match['what']}"
        elif self._num_workers and isinstance(error, ConnectionError | EOFError | FileNotFoundError):
            what = f"a loader worker died while it sent the batch ({type(error).__name__})"
        else:
            return None
        return RunError(
            f"{self._named(self._next)}: {what}.\n"
            "The last checkpoint is whole. Look at the memory (workers hold a copy of what they touch); "
            "trainer.num_workers=0 makes batches without workers."
        )

    def close(self) -> None:
        """Ends the workers at once, also one that hangs: they are deaf to SIGTERM, which Python would send and wait."""
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        torch._C._remove_worker_pids(id(loaded))  # so that torch does not report their deaths as failures
        loaded._worker_pids_set = False
        for worker in loaded._workers:
            worker.kill()
        loaded._shutdown_workers()

    def _named(self, place: Place) -> str:
        epoch, index = place
        return f"epoch {epoch + 1}, batch {index + 1}{self._items.names(place)}"


class _Items(Dataset[Any]):
    """By place, in whatever process asks."""

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs

    def __getitem__(self, place: Place) -> TrainBatch | _Failure:
        epoch, index = place
        try:
            return self._epochs(epoch)[index]
        except UserError:
            raise
        except Exception as error:
            info = get_worker_info()
            return _Failure(f"{type(error).__name__}: {error}", 0 if info is None else info.id)

    def length(self, epoch: int) -> int:
        return len(self._epochs(epoch))

    def names(self, place: Place) -> str:
        """The first examples of the batch in brackets, if the epoch can tell."""
        items = self._epochs(place[0])
        return f" ({first_of(items.ids_of(place[1]))})" if isinstance(items, NamesItems) else ""


class _Places:
    """All places from the first on: what a loader takes for a sampler."""

    def __init__(self, epochs: Epochs, start: Place) -> None:
        self._epochs = epochs
        self._start = start

    def __iter__(self) -> Iterator[Place]:
        epoch, first = self._start
        while True:
            for index in range(first, len(self._epochs(epoch))):
                yield epoch, index
            epoch, first = epoch + 1, 0


def _unchanged(item: Any) -> Any:
    return item


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes that start inside hear none of the run's signals from their birth on; here they wait until it ends."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows, which has no such signals either
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in _SIGNALS])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(worker: int) -> None:
    """One thread, and deaf to the signals that the run itself answers by saving."""
    torch.set_num_threads(1)
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
