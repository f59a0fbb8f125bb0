"""Batches made in worker processes are the same batches, and what happens to a worker is told."""

import functools
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from training_toys import Toy, ToyModel, cut, examples, same_state, same_tensors

from attnfocus.data.batches import BatchPlan
from attnfocus.data.codecs.packed import PackedExamples
from attnfocus.data.epochs import Epochs
from attnfocus.data.examples import Examples
from attnfocus.data.rows import Row
from attnfocus.data.tokens.id_lists import IdLists
from attnfocus.errors import RunError
from attnfocus.training import TrainerOptions, adam
from attnfocus.training.batch_stream import Stream

OPTIONS = TrainerOptions(max_steps=20, accumulate_steps=2, log_every_steps=3, save_every_steps=5)


class Epoch(list):
    """A list of batches that can name its examples."""

    def ids_of(self, index):
        return self[index].ids


def epochs(epoch, size=4):
    return Epoch(cut(examples(52, seed=2 + epoch), size))


class Troubled:
    """Epochs in which the batch of one place does something bad in the process that makes it."""

    def __init__(self, trouble, place=(0, 3)):
        self.trouble, self.place = trouble, place

    def __call__(self, epoch):
        return TroubledEpoch(epochs(epoch), self.trouble, self.place[1] if epoch == self.place[0] else None)


class TroubledEpoch(Epoch):
    def __init__(self, items, trouble, index):
        super().__init__(items)
        self.trouble, self.index, self.home = trouble, index, os.getpid()

    def __getitem__(self, index):
        if index == self.index:
            self.trouble()
        return super().__getitem__(index)

    def ids_of(self, index):
        return super().__getitem__(index).ids


def fail():
    raise ZeroDivisionError("no such row")


def hang():
    time.sleep(60)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def toy(folder, **changes):
    options = TrainerOptions(**{**vars(OPTIONS), **changes})
    make_model = functools.partial(ToyModel, dropout=0.3)
    return Toy(folder, options, make_model=make_model, make_optimizer=adam, batches=epochs)


def names(stream, count):
    return [stream.take().ids for _ in range(count)]


@pytest.mark.parametrize("start", [(0, 0), (1, 5)])
def test_workers_make_the_same_batches_in_the_same_order(start):
    expected = names(Stream(epochs, start, 0, 60), 30)
    for num_workers in (1, 2):
        stream = Stream(epochs, start, num_workers, 60)
        assert names(stream, 30) == expected
        stream.close()


def test_the_number_of_workers_changes_nothing_also_over_a_resume(tmp_path):
    whole = toy(tmp_path / "whole")
    whole.run()
    toy(tmp_path / "cut", num_workers=2, max_steps=10).run()
    resumed = toy(tmp_path / "cut", num_workers=1)
    resumed.run(resume=True)
    assert same_tensors(resumed.model, whole.model)
    assert same_state(resumed.optimizer, whole.optimizer)
    assert resumed.recorder.logged() == [event for event in whole.recorder.logged() if event[0] > 10]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_batch_that_cannot_be_made_names_its_examples(tmp_path, num_workers):
    run = toy(tmp_path, num_workers=num_workers)
    run.batches = Troubled(fail)
    with pytest.raises(RunError, match=r"epoch 1, batch 4 \(example-12, .*: ZeroDivisionError: no such row") as caught:
        run.run()
    assert ("loader worker 1" in str(caught.value)) is (num_workers > 0)


# The death is told at any moment, also between the opening of a checkpoint's file and what closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_killed_worker_ends_the_run_with_its_name_and_a_way_out(tmp_path):
    run = toy(tmp_path, num_workers=2)
    run.batches = Troubled(die, place=(1, 2))
    with pytest.raises(RunError, match=r"(?s)a loader worker (\(pid \d+\)|died while).*num_workers=0"):
        run.run()
    assert run.store.newest().step > 0


@pytest.mark.slow
def test_a_hanging_worker_is_not_waited_for_for_ever(tmp_path):
    run = toy(tmp_path, num_workers=2, worker_timeout_seconds=1.0)
    run.batches = Troubled(hang)
    began = time.perf_counter()
    with pytest.raises(RunError, match=r"batch 4 \(example-12.*loader worker 1 did not answer"):
        run.run()
    assert time.perf_counter() - began < 30


@pytest.mark.parametrize("at_once", [False, True])
def test_workers_are_deaf_to_the_signals_that_the_run_answers(at_once):
    stream = Stream(epochs, (0, 0), 2, 60)
    try:
        if not at_once:
            stream.take()
        workers = multiprocessing.active_children()
        assert len(workers) == 2
        for worker in workers:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
                os.kill(worker.pid, number)
        assert len(names(stream, 20)) == 20
    finally:
        stream.close()


def private_bytes(pid):
    """What a process shares with no other (proc_pid_smaps(5): kB)."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(1024 * int(line.split()[1]) for line in file if line.startswith("Private_"))


@pytest.mark.skipif(not os.access("/proc/self/smaps_rollup", os.R_OK), reason="needs /proc of Linux")
def test_workers_read_the_pages_of_the_data_that_are_there():
    count, length = 1024, 2**15
    ids = IdLists(np.zeros(count * length, np.int32), np.arange(1, count + 1, dtype=np.int64) * length)
    packed = PackedExamples([Row("r", "a", "b")] * count, ids, np.zeros(count, np.int64), np.ones(count, np.int32))
    examples = Examples.of_packed(packed, None)
    plan = BatchPlan(examples.lengths, 8, "sentences", seed=0)
    of_all = Epochs(examples, plan)
    assert ids.flat.nbytes == 2**27
    stream = Stream(of_all, (0, 0), 1, 60)
    try:
        worker = stream._loaded._workers[0].pid
        for _ in range(len(of_all(0))):
            stream.take()
        assert private_bytes(worker) < ids.flat.nbytes / 2
    finally:
        stream.close()
