"""Small charts below the bar: what they say, and where they keep silent."""

import io
from dataclasses import replace
from statistics import mean

import numpy as np
import pytest
from rich.console import Console

from attnfocus.display.console import open_console
from attnfocus.events import Best, Evaluated, Progress, Sample
from attnfocus.tracking.screen_charts import BLOCKS, EvenMeans, ScreenCharts, blocks

WEIGHTS = np.array([[[0.1, 0.8, 0.1]], [[0.3, 0.4, 0.3]]])
SAMPLE = Sample(
    "valid:3", "a fine film", "good", "bad", ("a", "fine", "film"), {"pooling": ("q",)}, {"pooling": WEIGHTS}
)
HEADS = {"layers.0": {"effective_positions": (1.0, 5.0, 10.0)}}


def charts_on(width: int, height: int, encoding: str = "utf-8") -> tuple[ScreenCharts, Console]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, height=height, force_terminal=True, color_system="truecolor")
    charts = ScreenCharts(console, "dark")
    for step in range(1, 101):
        charts.progress(Progress(step, 1, step / 100, 1.0, 1.0, 3.0 - step / 50, 1e-3, 1.0, 1.0, True))
    metrics = {"accuracy": 0.5, "focus/positions": 10.0}
    for step, accuracy in ((50, 0.5), (100, 0.9)):
        best = Best("accuracy", accuracy, step)
        found = {**metrics, "accuracy": accuracy}
        charts.evaluation(Evaluated(step, 1, "valid", 1.0, found, True, best, (SAMPLE,), heads=HEADS), "accuracy")
    return charts, console


def test_a_large_terminal_shows_curves_heads_and_a_shaded_sample() -> None:
    charts, _ = charts_on(120, 40)
    curves, heads, said, sample = charts.lines()
    assert curves.plain.startswith("loss  ")
    assert "accuracy  ▁█  0.5000 to 0.9000" in curves.plain
    assert heads.plain == "layer 0  ▂▅█  3 heads: 1.0 to 10.0 of 10.0 positions"
    assert "darkest 0.6000" in said.plain
    assert "answer bad, target good" in said.plain
    assert sample.plain == "a fine film "
    shades = {sample.plain[span.start : span.end]: str(span.style) for span in sample.spans}
    assert shades["fine"] != shades["film"] == shades["a"]


@pytest.mark.parametrize("count", [1, 4, 5, 8, 9, 31, 32, 33, 100])
def test_the_points_of_a_curve_are_means_of_equally_many(count: int) -> None:
    means = EvenMeans(4)
    for value in range(count):
        means.add(float(value))
    size = next(each for each in (1, 2, 4, 8, 16, 32) if count // each <= 4)
    whole = [list(range(first, first + size)) for first in range(0, count - size + 1, size)]
    assert means.values == [mean(part) for part in whole]


def test_the_weights_of_a_sample_are_averaged_once_and_not_at_each_drawing() -> None:
    charts, _ = charts_on(120, 40)
    weights = WEIGHTS.copy()
    sample = replace(SAMPLE, weights={"pooling": weights})
    charts.evaluation(Evaluated(9, 1, "valid", 1.0, {"focus/positions": 3.0}, samples=(sample,), heads=HEADS), None)
    before = charts.lines()
    weights[:] = 1.0
    assert charts.lines() == before


def test_a_usual_terminal_shows_curves_alone_and_a_small_one_nothing() -> None:
    assert len(charts_on(80, 24)[0].lines()) == 1
    assert charts_on(60, 24)[0].lines() == []
    assert charts_on(120, 20)[0].lines() == []
    assert charts_on(120, 40, "ascii")[0].lines() == []


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    charts, console = charts_on(width, 40)
    sample = replace(SAMPLE, key_tokens=("年" * 9,) * 300, weights={"pooling": np.full((1, 1, 300), 1 / 300)})
    charts.evaluation(Evaluated(9, 1, "valid", 1.0, {"focus/positions": 3.0}, samples=(sample,), heads=HEADS), None)
    assert all(line.cell_len < console.width for line in charts.lines())


def test_blocks_say_what_is_no_number_and_a_flat_curve_is_low() -> None:
    assert blocks([0.0, float("nan"), 1.0], (0.0, 1.0)) == f"{BLOCKS[0]} {BLOCKS[-1]}"
    assert blocks([2.0, 2.0], (2.0, 2.0)) == BLOCKS[0] * 2


def test_the_background_is_what_the_terminal_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def mode() -> str:
        return ScreenCharts(Console(file=io.StringIO())).mode

    monkeypatch.setenv("COLORFGBG", "0;15")
    assert mode() == "light"
    monkeypatch.setenv("COLORFGBG", "15;0")
    assert mode() == "dark"
    monkeypatch.delenv("COLORFGBG")
    assert mode() == "dark"


def test_a_pipe_is_no_terminal_to_draw_on() -> None:
    assert open_console(io.StringIO()).is_terminal is False
