"""Evaluations that take most of a run are said at its end, with how often they should come."""

import pytest
from tests_support import Command

from attnfocus.commands.train import evaluation_time
from attnfocus.commands.train.evaluation_time import evaluation_hint, rounded_up


@pytest.mark.parametrize(("number", "rounded"), [(0.1, 1), (1, 1), (3, 5), (6, 10), (11, 20), (201, 500)])
def test_a_number_of_steps_is_round(number: float, rounded: int) -> None:
    assert rounded_up(number) == rounded


@pytest.mark.parametrize(
    ("evaluating", "whole", "evaluations", "steps", "said"),
    [
        (80.0, 100.0, 10, 10, "evaluations took 80 s of 100 s: 10 in 10 steps. Less often: "),
        (80.0, 100.0, 10, 10, "trainer.evaluate_every_steps=20"),  # 8 s each beside steps of 2 s
        (40.0, 100.0, 10, 1000, ""),
        (4.0, 5.0, 10, 10, ""),
        (80.0, 100.0, 1, 10, ""),
    ],
)
def test_the_hint_proposes_a_fifth_of_the_time(
    evaluating: float, whole: float, evaluations: int, steps: int, said: str
) -> None:
    hint = evaluation_hint(evaluating, whole, evaluations, steps)
    assert said in hint
    assert bool(said) == bool(hint)


def test_a_run_says_it_at_its_end(attnfocus: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_time, "NOTABLE_SECONDS", 0.0)
    monkeypatch.setattr(evaluation_time, "LARGEST_SHARE", 0.0)
    small = ["dataset.num_train=40", "dataset.num_valid=10", "dataset.num_test=10", "model.embed_dim=8"]
    done = attnfocus("train", *small, "model.hidden_size=8", "trainer.max_epochs=3", "focus.num_samples=0")
    assert done.returncode == 0, done.stderr
    assert "3 in 3 steps. Less often: trainer.evaluate_every_steps=" in done.stderr
