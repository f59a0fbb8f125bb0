"""The loop: accumulation, clipping, guards, evaluation, limits, events."""

import copy
import logging
import math

import pytest
import torch
from torch import nn
from training_toys import (
    CPU,
    Recorder,
    Scaled,
    Toy,
    ToyBatch,
    ToyEvaluation,
    ToyModel,
    ToyTask,
    cut,
    examples,
    same_tensors,
)

from attnfocus.attention import ScaledDotScore
from attnfocus.errors import ConfigError, DataError, RunError
from attnfocus.events import CheckpointSaved, Evaluated, Progress, StopRequest, TrainingEnded, TrainingStarted
from attnfocus.tasks.base import StepOutput
from attnfocus.training import Precision, TrainerOptions, adamw, monitored, resolve_device
from attnfocus.training.device import cpu_lstms_take
from attnfocus.training.optimizers import adam


def scores(*values):
    """An evaluation that returns these scores one after the other."""
    remaining = iter(values)
    return lambda model: ToyEvaluation({"score": next(remaining), "loss": 1.0})


def test_accumulating_two_batches_of_four_equals_one_of_eight(tmp_path):
    data = examples(48)
    whole = Toy(tmp_path / "a", TrainerOptions(max_epochs=3), batches=lambda epoch: cut(data, 8))
    halves = Toy(tmp_path / "b", TrainerOptions(max_epochs=3, accumulate_steps=2), batches=lambda epoch: cut(data, 4))
    model = ToyModel().double()
    data = ToyBatch(data.ids, data.features.double(), data.labels)
    for toy in (whole, halves):
        toy.make_model = lambda: copy.deepcopy(model)
        toy.task = type("DoubleTask", (ToyTask,), {"step": double_step})()
        toy.evaluate = scores(1, 1, 1)
        assert toy.run().step == 18
    assert ToyTask().num_targets(cut(data, 4)[0]) != ToyTask().num_targets(
        cut(data, 4)[1]
    )  # a mean of means would differ
    for ours, theirs in zip(whole.model.parameters(), halves.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


def double_step(self, model, batch, optimizer_step):
    output = nn.functional.cross_entropy(model(batch.features), batch.labels, ignore_index=-1, reduction="sum")
    return StepOutput(output, self.num_targets(batch))


def test_a_step_is_plain_gradient_descent_on_the_mean_over_all_targets(tmp_path):
    batches = cut(examples(11), 4)  # the last has fewer examples
    toy = Toy(tmp_path, TrainerOptions(max_epochs=1, accumulate_steps=3, clip_norm=None), batches=lambda epoch: batches)
    reference = []
    toy.make_model = lambda: reference.append(model := ToyModel()) or copy.deepcopy(model)
    toy.run()
    model = reference[0].double()
    features = torch.cat([batch.features for batch in batches]).double()
    labels = torch.cat([batch.labels for batch in batches])
    nn.functional.cross_entropy(model(features), labels, ignore_index=-1).backward()
    for parameter, trained in zip(model.parameters(), toy.model.parameters(), strict=True):
        torch.testing.assert_close((parameter - 0.1 * parameter.grad).float(), trained, rtol=1e-5, atol=1e-6)


def test_steps_at_the_end_of_an_epoch_take_what_is_left_and_never_cross_it(tmp_path):
    toy = Toy(tmp_path, TrainerOptions(max_epochs=2, accumulate_steps=5))  # 12 batches: 5 + 5 + 2
    assert toy.run().step == 6
    assert toy.recorder.of(TrainingStarted)[0].steps_per_epoch == 3
    assert [event.step for event in toy.recorder.of(Evaluated)] == [3, 6]
    assert [event.epoch for event in toy.recorder.of(Evaluated)] == [1, 2]


def test_items_are_made_only_when_their_step_comes(tmp_path):
    made = []

    class Lazy(list):
        def __getitem__(self, index):
            made.append(index)
            return super().__getitem__(index)

    Toy(tmp_path, TrainerOptions(max_steps=3), batches=lambda epoch: Lazy(cut(examples(48), 4))).run()
    assert made == [0, 1, 2]


def test_gradients_are_clipped_to_the_norm_and_reported_before_clipping(tmp_path):
    runs = {}
    for clip_norm in (None, 0.01, 1e6):
        options = TrainerOptions(max_steps=1, clip_norm=clip_norm, log_every_steps=1)
        runs[clip_norm] = toy = Toy(tmp_path / str(clip_norm), options)
        start = []
        toy.make_model = lambda start=start: start.append(model := ToyModel()) or copy.deepcopy(model)
        toy.run()
        moved = torch.cat(
            [(a - b).flatten() for a, b in zip(start[0].parameters(), toy.model.parameters(), strict=True)]
        )
        norm = toy.recorder.of(Progress)[0].grad_norm
        expected = 0.1 * (norm if clip_norm is None else min(clip_norm, norm))
        assert moved.norm().item() == pytest.approx(expected, rel=1e-3)
    assert same_tensors(runs[None].model, runs[1e6].model)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_before_the_update(tmp_path, bad):
    batches = cut(examples(48), 4)
    batches[7].features[0, 0] = bad
    options = TrainerOptions(max_epochs=1, save_every_steps=5, log_every_steps=1)
    toy = Toy(tmp_path, options, batches=lambda epoch: batches)
    before = []
    toy.recorder.on_each = lambda event: (
        before.append(copy.deepcopy(toy.model)) if isinstance(event, Progress) else None
    )
    with pytest.raises(RunError) as caught:
        toy.run()
    message = str(caught.value)
    assert all(part in message for part in ("step 8", "example-28", "lr: 0.1", "step-00000005"))
    assert len(message.splitlines()) <= 5
    assert all(torch.equal(a, b) for a, b in zip(before[-1].parameters(), toy.model.parameters(), strict=True))


def test_a_gradient_that_is_not_finite_stops_the_run_though_the_loss_is(tmp_path):
    class Root(ToyModel):
        def forward(self, features):
            return super().forward(features) + (self.out.bias - self.out.bias.detach()).sqrt()  # 0, with slope inf

    with pytest.raises(RunError, match=r"gradient norm (inf|nan)"):
        Toy(tmp_path, TrainerOptions(max_steps=2), make_model=Root).run()


class SteepTask(ToyTask):
    factor = 300

    def step(self, model, batch, optimizer_step=1):
        output = super().step(model, batch)
        return StepOutput(self.factor * output.loss_sum, output.num_targets)


def test_57_fp16_leaves_out_overflowing_updates_lowers_the_scale_and_gives_up_at_last(tmp_path):
    options = TrainerOptions(max_steps=14, log_every_steps=1)
    steep = SteepTask()  # overflows float32 until the scale is 2^120 or so
    toy = Toy(tmp_path, options, make_optimizer=adam, task=steep, fit_options={"precision": Scaled(2.0**127)})
    toy.run()
    steps = toy.recorder.of(Progress)
    assert [event.step for event in steps] == list(range(1, 15))  # what is left out is no step
    assert all(math.isfinite(event.grad_norm) for event in steps)
    num_left_out = 127 - round(math.log2(toy.fit_options["precision"].scaler.get_scale()))
    left_out = [*range(7), 9]  # places in the first epoch
    assert num_left_out == len(left_out)

    def others(epoch):
        return [batch for place, batch in enumerate(toy.batches(epoch)) if epoch or place not in left_out]

    clean = Toy(tmp_path / "clean", options, make_optimizer=adam, task=steep, batches=others)
    clean.run()
    assert [event.loss for event in clean.recorder.of(Progress)] == pytest.approx([event.loss for event in steps])
    assert all(torch.isfinite(parameter).all() for parameter in toy.model.parameters())
    steep.factor = 1e9  # overflows until 2^85
    options = TrainerOptions(max_steps=40)
    with pytest.raises(RunError, match=r"step 1: .*not finite"):
        Toy(tmp_path / "b", options, make_optimizer=adam, task=steep, fit_options={"precision": Scaled(2.0**127)}).run()


def test_the_best_is_kept_by_direction_and_never_by_nan_or_a_tie(tmp_path):
    options = TrainerOptions(max_epochs=5, monitor="score", keep_checkpoints=1)
    toy = Toy(tmp_path, options, evaluate=scores(math.nan, 1.0, 3.0, 3.0, 2.0))
    result = toy.run()
    assert [event.is_best for event in toy.recorder.of(Evaluated)] == [False, True, True, False, False]
    assert (result.best.metric, result.best.value, result.best.step) == ("score", 3.0, 36)
    assert toy.store.load("best").step == 36
    assert toy.store.load("last").step == 60
    assert sorted(path.name for path in toy.store.folder.glob("step-*")) == ["step-00000036", "step-00000060"]


def test_a_loss_is_best_when_lowest(tmp_path):
    values = iter([3.0, 1.0, 2.0])
    toy = Toy(tmp_path, TrainerOptions(max_epochs=3), evaluate=lambda model: ToyEvaluation({"loss": next(values)}))
    assert toy.run().best.value == 1.0


def test_patience_counts_evaluations_without_a_better_one(tmp_path):
    options = TrainerOptions(max_epochs=50, monitor="score", patience=2)
    toy = Toy(tmp_path, options, evaluate=scores(1, 2, 1, 3, math.nan, 3, 99))
    result = toy.run()
    assert result.epoch == 6
    assert result.reason == "no better score for 2 evaluations"
    assert toy.recorder.of(TrainingEnded)[0].reason == result.reason


def test_patience_ends_nothing_before_min_steps(tmp_path):
    steps_an_epoch = Toy(tmp_path / "one", TrainerOptions(max_epochs=1)).run().step
    options = TrainerOptions(max_epochs=50, monitor="score", patience=2, min_steps=5 * steps_an_epoch)
    result = Toy(tmp_path / "run", options, evaluate=scores(3, 2, 1, 1, 1, 1, 1)).run()
    assert result.epoch == 5
    assert result.reason == "no better score for 4 evaluations"


def test_evaluates_every_n_steps_and_always_at_the_end(tmp_path):
    toy = Toy(tmp_path, TrainerOptions(max_steps=10, evaluate_every_steps=4))
    toy.run()
    assert [event.step for event in toy.recorder.of(Evaluated)] == [4, 8, 10]
    assert [event.step for event in toy.recorder.of(CheckpointSaved)] == [4, 8, 10]


def test_the_first_limit_ends_the_run(tmp_path):
    assert Toy(tmp_path / "a", TrainerOptions(max_steps=5, max_epochs=9)).run().reason == "max_steps reached"
    assert Toy(tmp_path / "b", TrainerOptions(max_steps=500, max_epochs=1)).run().reason == "max_epochs reached"
    timed = Toy(tmp_path / "c", TrainerOptions(max_epochs=None, max_minutes=0.3 / 60))
    result = timed.run()
    assert result.reason == "max_minutes reached"
    assert 0.3 <= result.seconds < 5
    assert timed.recorder.of(Evaluated)[-1].step == result.step


def test_a_run_without_a_limit_or_with_an_unknown_monitor_is_refused():
    with pytest.raises(ConfigError, match="max_epochs"):
        TrainerOptions(max_epochs=None)
    with pytest.raises(ConfigError, match=r"trainer\.monitor.*loss, score"):
        monitored(TrainerOptions(monitor="bleu"), ToyTask())


def test_an_epoch_without_batches_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="no training batch"):
        Toy(tmp_path, TrainerOptions(), batches=lambda epoch: []).run()


def test_logged_progress_comes_every_n_steps_with_the_mean_over_all_targets(tmp_path):
    every, each = (Toy(tmp_path / str(n), TrainerOptions(max_steps=12, log_every_steps=n)) for n in (4, 1))
    every.run()
    each.run()
    singles = each.recorder.of(Progress)
    targets = [ToyTask().num_targets(batch) for batch in each.batches(0)]
    logged = [event for event in every.recorder.of(Progress) if event.is_logged]
    assert [event.step for event in logged] == [4, 8, 12]
    for event in logged:
        steps = range(event.step - 4, event.step)
        total = sum(singles[index].loss * targets[index] for index in steps)
        assert event.loss == pytest.approx(total / sum(targets[index] for index in steps))
    assert logged[-1].fraction_done == 1.0
    assert logged[-1].eta_seconds == 0.0
    assert logged[0].fraction_done == pytest.approx(1 / 3)


def test_progress_for_the_screen_comes_twice_a_second_and_leaves_logged_means_alone(tmp_path):
    plain = Toy(tmp_path / "a", TrainerOptions(max_steps=12, log_every_steps=6))
    plain.run()
    lively = Toy(tmp_path / "b", TrainerOptions(max_steps=12, log_every_steps=6), fit_options={"screen_seconds": 0.0})
    lively.run()
    assert len(lively.recorder.of(Progress)) == 12
    assert lively.recorder.logged() == plain.recorder.logged()


def test_throughput_leaves_evaluation_out_and_seconds_does_not(tmp_path):
    import time

    def slow(model):
        time.sleep(0.3)
        return ToyEvaluation({"loss": 1.0})

    toy = Toy(tmp_path, TrainerOptions(max_epochs=1), evaluate=slow)
    result = toy.run()
    assert result.seconds >= 0.3
    assert result.words_per_second > 12 * 40 / 0.3


def test_a_model_that_cannot_be_compiled_is_told_in_a_line(tmp_path, monkeypatch):
    def refuse(graph, inputs):
        raise ValueError("no\nsuch\ncompiler")

    monkeypatch.setattr(torch, "compile", lambda model, compile=torch.compile: compile(model, backend=refuse))
    with pytest.raises(RunError, match=r"^trainer.compile=true: torch.compile failed .*Use trainer.compile=false.$"):
        Toy(tmp_path, TrainerOptions(max_steps=3, compile=True)).run()


def test_a_compiled_model_trains_and_its_checkpoint_is_that_of_the_module(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model, compile=torch.compile: compile(model, backend="eager"))
    toy = Toy(tmp_path, TrainerOptions(max_steps=3, compile=True))
    toy.run()
    plain = Toy(tmp_path / "plain", TrainerOptions(max_steps=3))
    plain.run()
    assert same_tensors(toy.model, plain.model)
    model = ToyModel()
    toy.store.load("last").load_model(model)
    assert same_tensors(model, plain.model)


@pytest.mark.parametrize(("half_scores", "dtype"), [("float32", torch.float32), ("rounded", torch.bfloat16)])
def test_bf16_makes_attention_scores_as_the_run_says(tmp_path, half_scores, dtype):
    score, seen = ScaledDotScore(query_dim=4, key_dim=4, num_heads=1), set()

    class LookingTask(ToyTask):
        def step(self, model, batch, optimizer_step=1):
            seen.add(score(torch.ones(1, 2, 4), torch.ones(1, 3, 4)).dtype)
            return super().step(model, batch, optimizer_step)

    Toy(tmp_path, TrainerOptions(max_steps=2, precision="bf16", half_scores=half_scores), task=LookingTask()).run()
    assert seen == {dtype}


def test_bf16_trains_and_keeps_float32_weights(tmp_path):
    toy = Toy(tmp_path, TrainerOptions(max_epochs=3, precision="bf16"), make_optimizer=adamw)
    toy.run()
    losses = [event.metrics["loss"] for event in toy.recorder.of(Evaluated)]
    assert losses[-1] < losses[0]
    assert all(parameter.dtype == torch.float32 for parameter in toy.model.parameters())


def test_a_disk_that_takes_nothing_costs_one_warning_and_the_run_goes_on(tmp_path, caplog):
    """A file lies where the checkpoints are to be: as a full disk, an OSError when they are written."""
    toys = [Toy(tmp_path / name, TrainerOptions(max_epochs=3)) for name in ("a", "b")]
    for toy in toys:
        toy.folder.mkdir()
        (toy.folder / "checkpoints").touch()
    toys[0].recorder.on_each = lambda event: (
        (toys[0].folder / "checkpoints").unlink() if isinstance(event, Evaluated) and event.step == 36 else None
    )
    with caplog.at_level(logging.WARNING):
        assert toys[0].run().step == 36
    assert [event.step for event in toys[0].recorder.of(CheckpointSaved)] == [36]
    assert len([record for record in caplog.records if "could not be saved" in record.getMessage()]) == 1
    with pytest.raises(RunError, match=r"step 36 could not be saved.*File exists"):
        toys[1].run()


def test_devices_that_are_not_here_are_refused_with_the_way_out(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == CPU
    for name in ("cuda", "mps", "cuda:1"):
        with pytest.raises(ConfigError, match=f"device: {name}: this PyTorch .*device=cpu"):
            resolve_device(name)
    for name in ("gpu", "cpu:1", "cuda:x"):
        with pytest.raises(ConfigError, match="must be one of"):
            resolve_device(name)
    with pytest.raises(ConfigError, match="fp16 needs device=cuda"):
        Precision("fp16", CPU)


@pytest.mark.parametrize("takes", [True, False])
def test_lstms_in_a_precision_that_this_cpu_has_not_are_refused_with_the_way_out(monkeypatch, takes):
    monkeypatch.setattr("attnfocus.training.device.cpu_lstms_take", lambda dtype: takes)
    within = nn.Sequential(nn.Embedding(4, 4), nn.LSTM(4, 4))
    if takes:
        Precision("bf16", CPU).require(within)
    else:
        with pytest.raises(ConfigError, match=r"trainer.precision: got bf16, .* Here it must be float32") as caught:
            Precision("bf16", CPU).require(within)
        assert caught.value.problems[0].instead == ("trainer.precision=float32",)
    Precision("float32", CPU).require(within)
    Precision("bf16", CPU).require(nn.GRU(4, 4))


def test_whether_this_cpu_takes_lstms_is_what_training_one_shows():
    before = torch.get_rng_state()
    takes = cpu_lstms_take.__wrapped__(torch.bfloat16)
    assert torch.equal(torch.get_rng_state(), before)
    lstm, is_trained = nn.LSTM(8, 8), True
    try:
        with torch.autocast("cpu", torch.bfloat16):
            lstm(torch.ones(3, 2, 8))[0].float().sum().backward()
    except RuntimeError:
        is_trained = False
    assert takes == is_trained


def test_fit_refuses_such_a_model_before_its_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr("attnfocus.training.device.cpu_lstms_take", lambda dtype: False)
    model = ToyModel()
    model.never_called = nn.LSTM(4, 4)
    toy = Toy(tmp_path, TrainerOptions(max_steps=2, precision="bf16"), make_model=lambda: model)
    with pytest.raises(ConfigError, match="computes no LSTM"):
        toy.run()
    assert toy.recorder.events == []


class Stopper(Recorder):
    """Asks to stop after the evaluation of step 6."""

    def stop_request(self):
        steps = [event.step for event in self.of(Evaluated)]
        return StopRequest("pruned", "bad at step 6") if 6 in steps else None


def test_a_listener_ends_the_run_in_order_and_it_can_go_on(tmp_path):
    options = TrainerOptions(max_epochs=None, max_steps=9, evaluate_every_steps=3)
    toy, whole = Toy(tmp_path / "stopped", options, recorder=Stopper()), Toy(tmp_path / "whole", options)
    result = toy.run()
    assert (result.step, result.reason, result.status, result.exit_code) == (6, "bad at step 6", "pruned", 0)
    assert [event.reason for event in toy.recorder.of(TrainingEnded)] == ["bad at step 6"]
    assert whole.run().status == "completed"
    toy.recorder = Recorder()  # nobody asks any more
    assert toy.run(resume=True).step == 9
    assert same_tensors(toy.model, whole.model)


def test_a_request_at_the_last_step_leaves_the_run_completed(tmp_path):
    options = TrainerOptions(max_epochs=None, max_steps=6, evaluate_every_steps=3)
    assert Toy(tmp_path, options, recorder=Stopper()).run().status == "completed"
