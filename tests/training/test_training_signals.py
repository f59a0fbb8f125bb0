"""Signals: once is a request, twice is an order; a run that was stopped goes on as if it had not been."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from training_toys import Toy, ToyModel, same_tensors, validation_loss

from attnfocus.events import CheckpointSaved, Evaluated, Progress, TrainingEnded
from attnfocus.training import TrainerOptions, adam
from attnfocus.training.signals import SignalGuard

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
ROOT = Path(__file__).resolve().parents[2]
OPTIONS = TrainerOptions(max_epochs=2, log_every_steps=1)


def toy(folder):
    return Toy(folder, OPTIONS, make_model=lambda: ToyModel(dropout=0.2), make_optimizer=adam)


def send(number, step):
    def hear(event):
        if isinstance(event, Progress) and event.step == step:
            os.kill(os.getpid(), number)

    return hear


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143), (signal.SIGUSR2, 143)],
)
def test_a_signal_finishes_the_step_saves_and_the_resumed_run_is_the_same(tmp_path, number, code):
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    whole = toy(tmp_path / "whole")
    whole.run()
    stopped = toy(tmp_path / "cut")
    stopped.recorder.on_each = send(number, 5)
    result = stopped.run()
    assert (result.step, result.interrupted_by, result.exit_code) == (5, number, code)
    assert result.reason == f"interrupted by {number.name}"
    assert [event.step for event in stopped.recorder.of(CheckpointSaved)] == [5]
    assert stopped.recorder.of(TrainingEnded)
    assert handlers == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    resumed = toy(tmp_path / "cut")
    assert resumed.run(resume=True).exit_code == 0
    assert same_tensors(resumed.model, whole.model)
    assert stopped.recorder.logged() + resumed.recorder.logged() == whole.recorder.logged()


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    run = toy(tmp_path)

    def hear(event):
        if isinstance(event, Progress) and event.step == 5:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    run.recorder.on_each = hear
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert not run.recorder.of(CheckpointSaved)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
def test_a_signal_during_an_evaluation_drops_it_and_resuming_makes_up_for_it(tmp_path):
    whole = toy(tmp_path / "whole")
    whole.run()

    def interrupted(model):
        model.eval()
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the evaluation went on")

    stopped = toy(tmp_path / "cut")
    stopped.evaluate = interrupted
    result = stopped.run()
    assert (result.step, result.exit_code, result.best) == (12, 143, None)
    resumed = toy(tmp_path / "cut")
    resumed.evaluate = validation_loss
    resumed.run(resume=True)
    assert resumed.recorder.evaluations() == whole.recorder.evaluations()
    assert same_tensors(resumed.model, whole.model)
    assert [event.step for event in resumed.recorder.of(Evaluated)] == [12, 24]


def test_ignored_signals_stay_ignored_and_other_threads_are_left_alone():
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with SignalGuard() as guard:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert guard.received is None
    finally:
        signal.signal(signal.SIGUSR1, before)
    results = []

    def elsewhere():
        with SignalGuard() as guard:
            results.append(guard.received)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert results == [None]


LONG_OPERATION = """
import sys, time, torch
from attnfocus.training.signals import SignalGuard

torch.set_num_threads(1)
matrix = torch.randn(2500, 2500)
with SignalGuard() as guard:
    print("ready", flush=True)
    if sys.argv[1] == "saving":
        with guard.saving():
            time.sleep(2)
            print("saved", flush=True)
    torch.linalg.svd(matrix.repeat(2, 2))  # one operation of a minute
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ((signal.SIGINT, signal.SIGINT), 130),
        ((signal.SIGTERM, signal.SIGTERM), 143),
        ((signal.SIGTERM, signal.SIGINT), 130),
        ((signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM), 143),
    ],
)
def test_60_a_second_signal_ends_the_process_inside_one_operation(sent, code):
    child = subprocess.Popen(
        [sys.executable, "-c", LONG_OPERATION, "working"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert child.stdout.readline() == "ready\n"
        for number in sent:
            time.sleep(0.8)
            assert child.poll() is None
            child.send_signal(number)
        began = time.monotonic()
        assert child.wait(timeout=20) == code
        assert time.monotonic() - began < 10
    finally:
        child.kill()
        child.stdout.close()


IN_A_COMMAND = """
import torch
from attnfocus.second_signal import second_signal

torch.set_num_threads(1)
matrix = torch.randn(2500, 2500)
with second_signal():
    print("ready", flush=True)
    torch.linalg.svd(matrix.repeat(2, 2))
"""


@pytest.mark.slow
def test_60_a_second_interrupt_ends_every_command_inside_one_operation():
    """`second_signal` is around all verbs: of others than `train` the first SIGTERM is enough, as ever."""
    child = subprocess.Popen([sys.executable, "-c", IN_A_COMMAND], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert child.stdout.readline() == "ready\n"
        for _ in range(2):
            time.sleep(0.8)
            assert child.poll() is None
            child.send_signal(signal.SIGINT)
        assert child.wait(timeout=20) == 130
    finally:
        child.kill()
        child.stdout.close()


@pytest.mark.slow
def test_60_a_save_that_is_under_way_ends_first():
    child = subprocess.Popen(
        [sys.executable, "-c", LONG_OPERATION, "saving"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    time.sleep(0.8)
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=30)
    assert (out, child.returncode) == ("saved\n", 143)
