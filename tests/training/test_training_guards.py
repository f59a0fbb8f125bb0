"""What goes wrong in a step, and what the options make of it."""

import logging
import math

import pytest
import torch
from training_toys import (
    Recorder,
    Scaled,
    Toy,
    ToyBatch,
    ToyEvaluation,
    ToyModel,
    ToyTask,
    cut,
    examples,
    same_state,
    same_tensors,
)

from attnfocus.errors import RunError
from attnfocus.events import RolledBack
from attnfocus.training import TrainerOptions, adam
from attnfocus.training.guards import MIN_RISE, spike_score
from attnfocus.training.memory import is_out_of_memory

OPTIONS = TrainerOptions(max_steps=20, log_every_steps=3, save_every_steps=4, evaluate_every_steps=6)


def poisoned(bad, value=math.nan):
    """Epochs whose batches at the places `bad` have a value that spoils the loss."""

    def epochs(epoch):
        batches = cut(examples(48, seed=2 + epoch), 4)
        for index in (index for at, index in bad if at == epoch):
            batch = batches[index]
            batches[index] = ToyBatch(batch.ids, batch.features * 0 + value, batch.labels)
        return batches

    return epochs


def without(bad):
    """The same epochs without these batches."""
    return lambda epoch: [b for i, b in enumerate(cut(examples(48, seed=2 + epoch), 4)) if (epoch, i) not in bad]


class RollingRecorder(Recorder):
    """Forgets, at a rollback, what was told after the checkpoint, as the files do."""

    def on_rollback(self, event):
        self.events = [each for each in self.events if getattr(each, "step", 0) <= event.step]
        self._hear(event)


def toy(folder, batches, is_scaled=False, **changes):
    options = TrainerOptions(**{**vars(OPTIONS), **changes})
    fit_options = {"precision": Scaled(2.0**10)} if is_scaled else {}  # as with fp16
    return Toy(
        folder, options, make_optimizer=adam, batches=batches, recorder=RollingRecorder(), fit_options=fit_options
    )


def assert_same_weights(ours, theirs):
    """Not the toy's buffer, which counts forward passes, that of the skipped batch too."""
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize("how", ["skip", "rollback"])
def test_57_a_recovered_run_is_the_run_without_the_bad_batch(tmp_path, how, is_scaled, caplog):
    bad = [(0, 6)]
    clean = toy(tmp_path / "clean", without(bad), is_scaled, max_steps=10)
    clean.run()
    with caplog.at_level(logging.WARNING):
        run = toy(tmp_path / "run", poisoned(bad), is_scaled, on_non_finite=how, max_steps=10)
        run.run()
    assert_same_weights(run.model, clean.model)
    assert same_state(run.optimizer, clean.optimizer)
    # Up to the bad batch (in the toy, epochs then differ in length, and so do the counts of epochs).
    assert [event[0] for event in run.recorder.logged()] == [event[0] for event in clean.recorder.logged()]
    assert [event[2] for event in run.recorder.logged()] == [event[2] for event in clean.recorder.logged()]
    assert ("Back to step 6" if how == "rollback" else "Left out (1 of 3)") in caplog.text
    assert [event.step for event in run.recorder.of(RolledBack)] == ([6] if how == "rollback" else [])


@pytest.mark.parametrize("how", ["skip", "rollback"])
def test_a_recovered_run_that_is_cut_and_resumed_equals_the_uncut_one(tmp_path, how):
    bad = [(0, 5), (1, 1)]
    whole = toy(tmp_path / "whole", poisoned(bad), on_non_finite=how)
    whole.run()
    toy(tmp_path / "cut", poisoned(bad), on_non_finite=how, max_steps=9).run()
    resumed = toy(tmp_path / "cut", poisoned(bad), on_non_finite=how)
    resumed.run(resume=True)
    assert same_tensors(resumed.model, whole.model)
    assert same_state(resumed.optimizer, whole.optimizer)
    assert resumed.recorder.logged() == [event for event in whole.recorder.logged() if event[0] > 9]


@pytest.mark.parametrize("how", ["skip", "rollback"])
def test_recoveries_end_with_the_error_that_stopping_would_give(tmp_path, how):
    bad = [(0, index) for index in range(5, 10)]
    run = toy(tmp_path, poisoned(bad), on_non_finite=how, max_recoveries=2)
    expected = r"(?s)not finite.*2 recoveries were made before.*example-28.*lr: .*step-0000000"
    with pytest.raises(RunError, match=expected):
        run.run()


def test_a_rollback_before_the_first_due_save_goes_back_to_the_start(tmp_path):
    bad = [(0, 1)]
    clean = toy(tmp_path / "clean", without(bad), max_steps=6)
    clean.run()
    run = toy(tmp_path / "run", poisoned(bad), on_non_finite="rollback", max_steps=6)
    run.run()
    assert [event.step for event in run.recorder.of(RolledBack)] == [0]
    assert same_tensors(run.model, clean.model)


def test_spike_score_is_the_robust_z_score():
    losses = [1.0, 1.1, 0.9, 1.2, 0.8] * 10
    assert spike_score(1.0, losses) == pytest.approx(0.0)
    assert spike_score(2.0, losses) == pytest.approx(1.0 / (1.4826 * 0.1))
    assert spike_score(50.0, losses[:20]) == 0.0  # too little is known
    assert spike_score(1.02, [1.0] * 50) < 3  # losses that never differ do not make anything a spike


def test_a_rise_too_small_to_matter_is_no_spike_however_unusual_it_is():
    learnt = [0.001 + 0.0001 * (step % 7) for step in range(100)]
    assert spike_score(0.036, learnt) == 0.0  # one wrong character in a batch of dates
    assert spike_score(0.0009 + MIN_RISE, learnt) == 0.0
    assert spike_score(0.0015 + MIN_RISE, learnt) > 100  # a tenth of the certainty of every target is lost
    learning = [2.0 - 0.01 * step + 0.05 * (-1) ** step for step in range(100)]
    assert spike_score(2.5, learning) < 20
    assert spike_score(20.0, learning) > 20


class PenalizedTask(ToyTask):
    """A loss as ever, and two penalties of which one is no number."""

    def step(self, model, batch, optimizer_step=1):
        output = super().step(model, batch, optimizer_step)
        penalties = {"entropy": 0 * output.loss_sum, "guided": math.nan * output.loss_sum}
        return type(output)(output.loss_sum, output.num_targets, penalties)


def test_a_penalty_that_is_no_number_is_named(tmp_path):
    run = Toy(tmp_path, OPTIONS, task=PenalizedTask())
    with pytest.raises(
        RunError, match=r"step 1: loss [0-9.]+, penalty guided nan, gradient norm nan: not finite\. The"
    ):
        run.run()


class SpikyTask(ToyTask):
    """The loss of features beyond any that the toy draws is a thousand times larger."""

    def step(self, model, batch, optimizer_step=1):
        output = super().step(model, batch, optimizer_step)
        factor = 1000.0 if batch.features.abs().max() > 50 else 1.0
        return type(output)(output.loss_sum * factor, output.num_targets)


@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize("how", ["ignore", "warn", "rollback"])
def test_57_a_spike_is_ignored_warned_of_or_left_out(tmp_path, how, is_scaled, caplog):
    bad = [(3, 2)]  # step 39
    changes = {"max_steps": 42, "on_spike": how, "clip_norm": None}
    run = toy(tmp_path / "run", poisoned(bad, 60.0), is_scaled, **changes)
    run.task = SpikyTask()
    with caplog.at_level(logging.WARNING):
        run.run()
    assert ("is a spike" in caplog.text) is (how != "ignore")
    if how == "rollback":
        clean = toy(tmp_path / "clean", without(bad), is_scaled, **changes)
        clean.task = SpikyTask()
        clean.run()
        assert same_tensors(run.model, clean.model)
        assert [event.step for event in run.recorder.of(RolledBack)] == [36]


class NarrowTask(ToyTask):
    """Has memory for two examples at a time."""

    error = RuntimeError("[enforce fail at alloc_cpu.cpp:123] DefaultCPUAllocator: can't allocate memory: you tried")

    def step(self, model, batch, optimizer_step=1):
        if len(batch.ids) > 2:
            raise self.error
        return super().step(model, batch, optimizer_step)


@pytest.mark.parametrize(
    "error",
    [
        NarrowTask.error,
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_no_memory_ends_in_one_message_with_the_override_that_helps(tmp_path, error):
    run = toy(tmp_path, lambda epoch: cut(examples(48), 4), batch_size=4)
    run.task = NarrowTask()
    run.task.error = error
    expected = r"(?s)step 1: out of memory on cpu.*: 4 \(example-0.*trainer.batch_size=2 trainer.accumulate_steps=2"
    with pytest.raises(RunError, match=expected):
        run.run()
    assert is_out_of_memory(error)


def test_other_errors_of_a_step_are_not_taken_for_a_lack_of_memory(tmp_path):
    run = toy(tmp_path, lambda epoch: cut(examples(48), 4))
    run.task = NarrowTask()
    run.task.error = RuntimeError("shapes do not match")
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run.run()


def test_batches_split_for_memory_train_the_same(tmp_path, caplog):
    data = [ToyBatch(b.ids, b.features.double(), b.labels) for b in cut(examples(48), 4)]
    whole = toy(tmp_path / "whole", lambda epoch: data, max_steps=8)
    split = toy(tmp_path / "split", lambda epoch: data, max_steps=8, split_on_oom=True)
    for run in (whole, split):
        run.make_model = lambda: ToyModel().double()
        run.evaluate = lambda model: ToyEvaluation({"loss": 1.0, "score": 1.0})
    split.task = NarrowTask()
    with caplog.at_level(logging.WARNING):
        split.run()
    whole.run()
    assert caplog.text.count("in 2 parts") == 1
    for ours, theirs in zip(split.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8)  # the toy's loss is a float32
