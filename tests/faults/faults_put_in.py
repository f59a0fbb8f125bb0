"""Faults of the world around a run, put into its process before the command starts.

A test names one of these functions; FAULT_AT in the environment says when (numbers counted from 1) or how much.
"""

import errno
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

Change = Callable[..., Any]


def _at() -> tuple[int, ...]:
    return tuple(int(number) for number in os.environ["FAULT_AT"].split(","))


def _around(owner: Any, name: str, change: Callable[[Change], Change]) -> None:
    """Replaces a method or function by what `change` makes of it."""
    setattr(owner, name, change(getattr(owner, name)))


# The disk


def disk_full() -> None:
    """During the saves of these numbers no file can grow over 20,000 bytes: the write itself fails."""
    from attnfocus.training.checkpoints.store import CheckpointStore

    numbers, count = _at(), 0

    def change(save: Change) -> Change:
        def limited(*args: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count not in numbers:
                return save(*args, **options)
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
            try:
                return save(*args, **options)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)

        return limited

    _around(CheckpointStore, "save", change)


def file_size_limit() -> None:
    """From the start on no file can grow over so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (_at()[0], resource.RLIM_INFINITY))


def disk_full_from_the_last_save_on() -> None:
    """From the save of this number on no file can grow over 20,000 bytes, and summary.json not at all."""
    from attnfocus import files
    from attnfocus.training.checkpoints.store import CheckpointStore

    (number,), count = _at(), 0

    def full(path: Any, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def change(save: Change) -> Change:
        def limited(*args: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
                files.replace_file = full
            return save(*args, **options)

        return limited

    _around(CheckpointStore, "save", change)


def disk_full_for_loggers() -> None:
    """train.log, metrics.jsonl and the event file lie on a device that is always full."""
    import io

    from attnfocus.tracking import event_file, log, metrics_file

    def full(path: Any, *, is_new: bool = False) -> io.FileIO:
        open(path, "a").close()
        return io.FileIO("/dev/full", "a")

    for module in (event_file, log, metrics_file):
        module.open_to_append = full  # type: ignore[attr-defined]


# The process


def killed_inside_a_save() -> None:
    """SIGKILL just before the checkpoint of this number gets its name."""
    from pathlib import Path

    (number,), count = _at(), 0

    def change(rename: Change) -> Change:
        def killing(path: Path, target: Path) -> Any:
            nonlocal count
            count += path.name.startswith(".tmp-step-") and not target.name.startswith(".tmp")
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return rename(path, target)

        return killing

    _around(Path, "rename", change)


def signal_at_a_step() -> None:
    """The signal FAULT_SIGNAL arrives in the midst of a step."""
    _in_training_step(lambda output: os.kill(os.getpid(), getattr(signal, os.environ["FAULT_SIGNAL"])))


def hanging_step() -> None:
    """A step says so, then takes a minute."""

    def hang(output: Any) -> None:
        print("hanging", file=sys.stderr, flush=True)
        time.sleep(60)

    _in_training_step(hang)


def bug_in_a_step() -> None:
    def fail(output: Any) -> None:
        raise ZeroDivisionError("put in by the test")

    _in_training_step(fail)


def leaves_in_a_step() -> None:
    """The process ends as if all were well."""
    _in_training_step(lambda output: os._exit(0))


def ranks_forked() -> None:
    """The processes that the command starts of itself are forked, not loaded; FAULT_AT many in all."""
    from faults_ranks import Rank
    from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler

    (count,) = _at()
    waiting: list[Rank] = []
    for _ in range(count):
        waiting.append(Rank(waiting))
    subprocess_handler.Popen = lambda args, env, **streams: waiting.pop(0).begin(args, env)


# The numbers


def _in_training_step(act: Callable[[Any], Any]) -> None:
    """`act` on what the steps of these numbers return; what it returns takes its place."""
    from attnfocus.tasks import TASKS

    numbers, count = _at(), 0

    def change(step: Change) -> Change:
        def acting(self: Any, model: Any, batch: Any, *rest: Any) -> Any:
            nonlocal count
            output = step(self, model, batch, *rest)
            count += 1
            return (act(output) or output) if count in numbers else output

        return acting

    for task in TASKS.values():
        _around(task, "step", change)


def loss_not_finite() -> None:
    _in_training_step(lambda output: type(output)(output.loss_sum * float("nan"), output.num_targets))


def loss_spike() -> None:
    _in_training_step(lambda output: type(output)(output.loss_sum * 1000, output.num_targets))


def no_memory() -> None:
    """A batch of more examples than this asks the real allocator for more than there is."""
    import torch

    from attnfocus.tasks.classification import ClassificationTask

    (most,) = _at()

    def change(step: Change) -> Change:
        def asking(self: Any, model: Any, batch: Any, *rest: Any) -> Any:
            output = step(self, model, batch, *rest)
            if len(batch.ids) > most:
                torch.empty(2**50, dtype=torch.uint8)
            return output

        return asking

    _around(ClassificationTask, "step", change)


# The workers


def _in_worker(act: Callable[[], Any]) -> None:
    """`act` in a loader worker, when it makes the batch of this number of an epoch."""
    from torch.utils.data import get_worker_info

    from attnfocus.data.epochs import Batches

    (number,) = _at()

    def change(make: Change) -> Change:
        def acting(self: Any, index: Any) -> Any:
            if index == number - 1 and get_worker_info() is not None:
                act()
            return make(self, index)

        return acting

    _around(Batches, "__getitem__", change)


def worker_killed() -> None:
    _in_worker(lambda: os.kill(os.getpid(), signal.SIGKILL))


def worker_hangs() -> None:
    _in_worker(lambda: time.sleep(600))


def worker_raises() -> None:
    def fail() -> None:
        raise ZeroDivisionError("no such row")

    _in_worker(fail)


# The data


def other_data() -> None:
    """The rows of this process have other fingerprints."""
    from dataclasses import replace

    from attnfocus.runs import evaluation

    _around(evaluation, "prepare", lambda read: lambda *given, **more: replace(read(*given, **more), fingerprints={}))


# The clock and the network


def same_second() -> None:
    """The wall clock, as far as folders are named by it, stands still."""
    from attnfocus.runs import claim

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Stopped":
            return cls(2026, 1, 2, 3, 4, 5)

    claim.datetime = Stopped  # type: ignore[misc]


def clock_set_back() -> None:
    """The wall clock is set back by a day each time that it has been asked ten times."""
    real, count = time.time, 0

    def earlier() -> float:
        nonlocal count
        count += 1
        return real() - 86_400 * (count // 10)

    time.time = earlier


def publisher_elsewhere() -> None:
    """Published files are at FAULT_URL, and are asked for once."""
    from attnfocus.data.reading import download

    url = os.environ["FAULT_URL"]

    def change(fetch: Change) -> Change:
        def fetching(dataset: str, folder: Any, file: Any, **options: Any) -> Any:
            sha256 = os.environ.get("FAULT_SHA256", file.sha256)
            return fetch(dataset, folder, download.PublishedFile(file.name, url, sha256), num_retries=0)

        return fetching

    _around(download, "fetch", change)


def other_order_of_data() -> None:
    """Epochs come in another order than the seed says."""
    from attnfocus.data.epochs import Epochs

    _around(Epochs, "__call__", lambda make: lambda self, epoch: make(self, epoch + 1))
