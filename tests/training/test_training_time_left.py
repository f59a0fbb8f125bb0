"""What is left of a run: steps and evaluations counted as the loop will make them."""

import itertools

import pytest

from attnfocus.training import TrainerOptions
from attnfocus.training.state import RunState
from attnfocus.training.stop_rules import evaluation_due, limit_reached
from attnfocus.training.time_left import TimeLeft, evaluations_left, steps_left

NUM_BATCHES = 7


def walk(options: TrainerOptions):
    """The loop without a model: a state after each step, before what is evaluated there."""
    state = RunState(0)
    state.epoch_batches = NUM_BATCHES
    while True:
        limit = limit_reached(options, state, 0.0)
        if (limit or evaluation_due(options, state)) and state.evaluated_step < state.step:
            state.evaluated_step = state.step
            yield "evaluation", None
        if limit:
            return
        state.advance(min(options.accumulate_steps, NUM_BATCHES - state.position))
        steps = steps_left(options, state)
        yield "step", (steps, evaluations_left(options, state, steps))


@pytest.mark.parametrize(
    ("accumulate", "every", "limits"),
    itertools.product(
        [1, 2, 3], [None, 1, 4, 100], [{"max_steps": 12}, {"max_epochs": 3, "max_steps": 11}, {"max_epochs": 2}]
    ),
)
def test_steps_and_evaluations_left_are_those_that_come(accumulate, every, limits):
    limits = {"max_epochs": None, "max_steps": None, **limits}
    events = list(walk(TrainerOptions(accumulate_steps=accumulate, evaluate_every_steps=every, **limits)))
    for number, (kind, counted) in enumerate(events):
        if kind == "step":
            rest = [name for name, _ in events[number + 1 :]]
            assert counted == (rest.count("step"), rest.count("evaluation"))


def state_at(step: int) -> RunState:
    state = RunState(0)
    state.epoch_batches = 10
    for _ in range(step):
        state.advance(1)
    return state


def test_time_left_is_that_of_steps_and_evaluations():
    """Ten steps of 2 s and one evaluation of 30 s; left are 10 steps and one evaluation."""
    options = TrainerOptions(max_epochs=None, max_steps=20, evaluate_every_steps=10)
    timed, state = TimeLeft(began=100.0), state_at(10)
    for _ in range(10):
        timed.step()
    assert timed.of(options, state, now=120.0, age=20.0) == (20.0, False)  # evaluations are to come, none is timed
    timed.evaluation(30.0)
    state.evaluated_step = 10
    assert timed.of(options, state, now=150.0, age=50.0) == (50.0, True)


def test_minutes_end_a_run_whatever_is_left_of_it():
    options = TrainerOptions(max_epochs=None, max_minutes=2.0)
    timed = TimeLeft(began=0.0)
    timed.step()
    assert timed.of(options, state_at(1), now=30.0, age=90.0) == (30.0, True)
    both = TrainerOptions(max_epochs=None, max_minutes=2.0, max_steps=2, evaluate_every_steps=1)
    timed.evaluation(10.0)
    state = state_at(1)
    state.evaluated_step = 1
    assert timed.of(both, state, now=30.0, age=30.0) == (30.0, True)  # a step of 20 s, an evaluation of 10 s


def test_nobody_knows_before_the_first_step():
    seconds, is_whole = TimeLeft(began=0.0).of(TrainerOptions(), state_at(0), now=1.0, age=1.0)
    assert seconds is None
    assert is_whole
