"""A resumed run equals an uninterrupted one, bit for bit: weights, optimizer, schedule and logged numbers."""

import dataclasses
import functools
import logging

import pytest
import torch
from training_toys import Toy, ToyEvaluation, ToyModel, cut, examples, same_state, same_tensors

from attnfocus.errors import CheckpointError
from attnfocus.events import TrainingStarted
from attnfocus.training import (
    ConstantSchedule,
    CosineSchedule,
    InverseSqrtSchedule,
    PlateauSchedule,
    TrainerOptions,
    adagrad,
    adam,
    adamw,
    rmsprop,
    sgd,
)
from attnfocus.training.state import Window

OPTIONS = TrainerOptions(
    max_steps=20, accumulate_steps=2, log_every_steps=3, evaluate_every_steps=4, save_every_steps=5
)
RECIPES = {
    "adam_cosine": (adam, functools.partial(CosineSchedule, warmup_steps=3)),
    "adamw_inverse_sqrt": (adamw, functools.partial(InverseSqrtSchedule, warmup_steps=5)),
    "sgd_momentum_plateau": (functools.partial(sgd, momentum=0.9), functools.partial(PlateauSchedule, patience=1)),
    "adagrad_constant": (adagrad, ConstantSchedule),
    "rmsprop_constant": (functools.partial(rmsprop, momentum=0.5, centered=True), ConstantSchedule),
}


def toy(folder, recipe="adam_cosine", options=OPTIONS):
    optimizer, schedule = RECIPES[recipe]
    return Toy(
        folder,
        options,
        make_model=lambda: ToyModel(dropout=0.3),
        make_optimizer=optimizer,
        make_schedule=schedule,
        total_steps=20,
        fit_options={"screen_seconds": 0.0},
        batches=lambda epoch: cut(examples(52, seed=2 + epoch), 4),  # 13 batches: a short last step in each epoch
    )


class KilledError(Exception):
    pass


def kill_at(step, kind="Progress"):
    def hear(event):
        if type(event).__name__ == kind and event.step == step:
            raise KilledError

    return hear


def killed(run, step, kind="Progress"):
    run.recorder.on_each = kill_at(step, kind)
    with pytest.raises(KilledError):
        run.run()
    return run


def assert_equal_runs(resumed, whole, from_step):
    assert same_tensors(resumed.model, whole.model)
    assert same_state(resumed.optimizer, whole.optimizer)
    assert resumed.schedule.state_dict() == whole.schedule.state_dict()
    assert resumed.recorder.logged() == [event for event in whole.recorder.logged() if event[0] > from_step]
    assert resumed.recorder.evaluations() == [event for event in whole.recorder.evaluations() if event[0] > from_step]


@pytest.mark.parametrize("recipe", RECIPES)
def test_resumed_run_equals_uninterrupted_run(tmp_path, recipe):
    whole = toy(tmp_path / "whole", recipe)
    whole.fit_options = {}  # how often the screen hears of a run changes nothing in it
    whole_result = whole.run()
    killed(toy(tmp_path / "cut", recipe), 12)
    resumed = toy(tmp_path / "cut", recipe)
    result = resumed.run(resume=True)
    assert resumed.recorder.of(TrainingStarted)[0].resumed_from == 10  # inside an epoch and between two log lines
    assert_equal_runs(resumed, whole, from_step=10)
    assert (result.step, result.epoch, result.best) == (whole_result.step, whole_result.epoch, whole_result.best)
    assert resumed.store.load("best").step == whole.store.load("best").step


@pytest.mark.parametrize("lost", ["optimizer", "position", "seed", "window"])
def test_the_comparison_notices_what_a_checkpoint_would_lose(tmp_path, lost):
    """Negative control: with any one part of the state lost, the resumed run is another."""
    whole = toy(tmp_path / "whole")
    whole.run()
    cut_short = killed(toy(tmp_path / "cut"), 12)
    checkpoint, model = cut_short.store.load("last"), cut_short.make_model()
    optimizer, state = cut_short.make_optimizer(list(model.parameters())), checkpoint.state()
    checkpoint.load_trained(model)
    if lost != "optimizer":
        checkpoint.load_optimizer(optimizer, model)
        state["run"][lost] = {"position": 2, "seed": 4, "window": dataclasses.asdict(Window())}[lost]
    cut_short.store.save(checkpoint.step, model, optimizer, state)
    resumed = toy(tmp_path / "cut")
    if lost == "seed":
        with pytest.raises(CheckpointError, match="seed=4"):
            resumed.run(resume=True)
        return
    resumed.run(resume=True)
    with pytest.raises(AssertionError):
        assert_equal_runs(resumed, whole, from_step=10)


@pytest.mark.parametrize(
    ("kind", "step"),
    [("Progress", step) for step in (1, 4, 5, 7, 8, 20)]
    + [("Evaluated", step) for step in (4, 8, 20)]
    + [("CheckpointSaved", step) for step in (4, 5, 8, 20)],
)
def test_a_kill_anywhere_changes_nothing_in_the_end(tmp_path, step, kind):
    options = dataclasses.replace(OPTIONS, log_every_steps=1)
    whole = toy(tmp_path / "whole", options=options)
    whole.run()
    steps = {
        "Progress": range(1, 21),
        "Evaluated": (4, 8, 12, 16, 20),
        "CheckpointSaved": (4, 5, 8, 10, 12, 15, 16, 20),
    }
    if step not in steps[kind]:
        pytest.skip("no such event at this step")
    killed(toy(tmp_path / "cut", options=options), step, kind)
    resumed = toy(tmp_path / "cut", options=options)
    resumed.run(resume=True)
    assert_equal_runs(resumed, whole, resumed.recorder.of(TrainingStarted)[0].resumed_from)


def test_a_run_killed_before_its_first_save_starts_again(tmp_path):
    whole = toy(tmp_path / "whole")
    whole.run()
    killed(toy(tmp_path / "cut"), 3)
    resumed = toy(tmp_path / "cut")
    resumed.run(resume=True)
    assert_equal_runs(resumed, whole, from_step=0)


def test_resuming_a_finished_run_does_nothing(tmp_path):
    whole = toy(tmp_path)
    result = whole.run()
    again = toy(tmp_path)
    result_again = again.run(resume=True)
    assert (result_again.reason, result_again.step) == (result.reason, result.step)
    assert again.recorder.evaluations() == []
    assert same_tensors(again.model, whole.model)


def test_more_steps_go_on_from_the_end_of_a_finished_run(tmp_path):
    plain = functools.partial(dataclasses.replace, OPTIONS, evaluate_every_steps=5)
    whole = toy(tmp_path / "whole", "adagrad_constant", plain(max_steps=20))
    whole.run()
    toy(tmp_path / "cut", "adagrad_constant", plain(max_steps=10)).run()
    longer = toy(tmp_path / "cut", "adagrad_constant", plain(max_steps=20))
    longer.run(resume=True)
    assert_equal_runs(longer, whole, from_step=10)


def counting(run):
    """Its evaluations get worse with each step, apart from those that only a limit asks for, which are the best."""
    hear = {"step": 0}
    run.recorder.on_each = lambda event: hear.update(step=getattr(event, "step", hear["step"]) or hear["step"])
    run.evaluate = lambda model: ToyEvaluation({"loss": float(hear["step"] if hear["step"] % 4 == 0 else 0.5)})
    return run


@pytest.mark.parametrize("limit", [10, 11])
@pytest.mark.parametrize("recipe", ["sgd_momentum_plateau", "adagrad_constant"])
def test_58_an_extended_run_is_the_run_that_had_the_later_limit(tmp_path, recipe, limit):
    """The evaluation that a limit asks for (here after steps 10 and 11) reaches neither schedule nor patience."""
    changed = functools.partial(dataclasses.replace, OPTIONS, patience=2)

    whole = counting(toy(tmp_path / "whole", recipe, changed(max_steps=20)))
    whole_result = whole.run()
    counting(toy(tmp_path / "cut", recipe, changed(max_steps=limit))).run()
    longer = counting(toy(tmp_path / "cut", recipe, changed(max_steps=20)))
    result = longer.run(resume=True)
    assert (result.reason, result.step) == (whole_result.reason, whole_result.step)
    assert same_tensors(longer.model, whole.model)
    assert longer.schedule.state_dict() == whole.schedule.state_dict()


def test_58_what_differs_is_said_before_a_run_goes_on_beyond_its_end(tmp_path, caplog):
    whole = toy(tmp_path, options=dataclasses.replace(OPTIONS, max_steps=10, evaluate_every_steps=20))
    whole.total_steps = 10
    whole.run()
    longer = toy(tmp_path)
    with caplog.at_level(logging.WARNING):
        longer.run(resume=True)
    assert "the cosine ends at step 20 now, not at 10: the rate goes on at 0.6" in caplog.text
    assert "the run had ended at step 10, which is the best so far" in caplog.text
    caplog.clear()
    again = toy(tmp_path)
    with caplog.at_level(logging.WARNING):
        again.run(resume=True)
    assert not caplog.records


def test_a_damaged_newest_checkpoint_is_passed_over_and_the_end_is_the_same(tmp_path, caplog):
    whole = toy(tmp_path / "whole")
    whole.run()
    run = killed(toy(tmp_path / "cut"), 12)
    newest = run.store.newest().path / "optimizer.safetensors"
    content = bytearray(newest.read_bytes())
    content[-3] ^= 1
    newest.write_bytes(content)
    resumed = toy(tmp_path / "cut")
    with caplog.at_level(logging.WARNING):
        resumed.run(resume=True)
    assert str(newest) in caplog.text
    assert_equal_runs(resumed, whole, from_step=8)


def test_data_or_a_batch_size_that_changed_inside_an_epoch_is_refused(tmp_path):
    killed(toy(tmp_path), 12)
    other = toy(tmp_path)
    other.batches = lambda epoch: cut(examples(52), 2)
    with pytest.raises(CheckpointError, match="13 batches, now there are 26"):
        other.run(resume=True)


def test_another_model_or_optimizer_is_refused_by_name(tmp_path):
    killed(toy(tmp_path), 12)
    wider = toy(tmp_path)
    wider.make_model = lambda: ToyModel(hidden=9)
    with pytest.raises(CheckpointError, match=r"first\.weight is 8x6, here 9x6") as caught:
        wider.run(resume=True)
    assert len(str(caught.value).splitlines()) <= 5
    with pytest.raises(CheckpointError, match="state of Adam, the configuration asks for AdamW"):
        toy(tmp_path, "adamw_inverse_sqrt").run(resume=True)


def test_dropout_is_a_function_of_seed_and_step():
    from attnfocus.training import seed_step

    def mask(*numbers):
        seed_step(*numbers)
        return torch.nn.functional.dropout(torch.ones(64), 0.5)

    assert torch.equal(mask(0, 5, 1), mask(0, 5, 1))
    others = [mask(0, 5, 0), mask(0, 6, 1), mask(1, 5, 1), mask(5, 0, 1), mask(0, 1, 5)]
    assert not any(torch.equal(mask(0, 5, 1), other) for other in others)
