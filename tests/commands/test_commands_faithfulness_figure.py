"""The figure of a test of weights: its bars, its lines, and when there is none."""

import pytest

from attnfocus.commands.evaluate.figure import bars_of, figure_of, limits_of
from attnfocus.explanation import Faithfulness
from attnfocus.focus.verdict import Verdict

EFFECTS = {"weights": 0.5, "leave_one_out": 0.8, "integrated_gradients": 0.6, "random": 0.2}


def a_test() -> Faithfulness:
    metrics = {f"faithfulness/lost_masked_{name}": value for name, value in EFFECTS.items()}
    intervals = {name: (value - 0.05, value + 0.1) for name, value in metrics.items()}
    how = {"attentions": ("pooling",), "num_examples": 64}
    return Faithfulness(Verdict("partly", "weak"), metrics, intervals, **how)


def test_bars_have_the_values_and_intervals_of_what_was_measured() -> None:
    [bar] = bars_of(a_test(), "removed", "leave_one_out")
    assert bar[1:] == pytest.approx((0.8, 0.75, 0.9))
    assert not bars_of(a_test(), "kept", "weights")


def test_lines_lie_between_chance_and_the_best() -> None:
    assert limits_of(a_test(), "removed", "masked", (0.5, 0.25)) == pytest.approx([0.5, 0.35])


def test_there_is_a_figure_where_there_are_numbers() -> None:
    drawn = figure_of(a_test())
    assert drawn is not None
    assert drawn.startswith(b"\x89PNG")
    assert figure_of(Faithfulness(Verdict("cannot_tell", "too_few"), {})) is None
