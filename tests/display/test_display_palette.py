"""The palette: lightness goes one way, no color blindness mixes up the signs, text can be read on every color."""

import io
import math
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from attnfocus.commands.bench.costs import Cost
from attnfocus.commands.bench.figure import draw_costs
from attnfocus.commands.compare.figures import draw_comparison
from attnfocus.commands.compare.sections import Row, Section
from attnfocus.commands.sweep.search.figure import draw_search
from attnfocus.commands.sweep.search.table import SearchResult, Trial
from attnfocus.display import palette
from attnfocus.display.canvas import to_png
from attnfocus.display.figures import heat_map
from attnfocus.display.palette import RGB, Mode

MODES: tuple[Mode, ...] = ("light", "dark")
# Machado, Oliveira and Fernandes 2009, table 1, severity 1, on linear RGB
BLINDNESS = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def seen(rgb: RGB, kind: str) -> RGB:
    """A color as somebody with that color blindness sees it."""
    linear = [palette._linear(value) for value in rgb]
    red, green, blue = (sum(a * b for a, b in zip(row, linear, strict=True)) for row in BLINDNESS[kind])
    return palette._gamma(red), palette._gamma(green), palette._gamma(blue)


def lightness(rgb: RGB) -> float:
    """L* of CIELAB, 0 to 100."""
    share = palette.luminance(rgb)
    return 116 * share ** (1 / 3) - 16 if share > 0.008856 else 903.3 * share


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("below", [False, True])
def test_lightness_goes_one_way_in_even_steps(mode: Mode, below: bool) -> None:
    steps = [lightness(rgb) for rgb in palette.steps(mode, below=below)]
    assert len(steps) == palette.NUM_STEPS
    sign = -1 if mode == "light" else 1
    assert all(sign * (second - first) > -0.25 for first, second in pairwise(steps))  # rounding to 8 bits
    eighths = steps[::51]
    sizes = [abs(second - first) for first, second in pairwise(eighths)]
    assert min(sizes) > 0.6 * max(sizes)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", BLINDNESS)
def test_no_color_blindness_takes_one_sign_for_the_other(mode: Mode, kind: str) -> None:
    for share in (0.3, 0.5, 0.7, 0.9):
        above, below = (palette._oklab(seen(palette.color(sign * share, mode), kind)) for sign in (1, -1))
        assert math.dist(above, below) > 0.06, (share, math.dist(above, below))  # 0.02 is just noticed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", BLINDNESS)
def test_lightness_goes_one_way_for_color_blind_readers(mode: Mode, kind: str) -> None:
    for below in (False, True):
        steps = [lightness(seen(rgb, kind)) for rgb in palette.steps(mode, below=below)[::8]]
        assert steps == sorted(steps, reverse=mode == "light")


@pytest.mark.parametrize("mode", MODES)
def test_text_can_be_read_on_every_color(mode: Mode) -> None:
    for rgb in (*palette.diverging(mode), palette.MISSING[mode], *palette.SERIES):
        assert palette.contrast(rgb, palette.text_color(rgb)) >= 4.5


def test_contrast_is_that_of_wcag() -> None:
    assert palette.contrast(palette.BLACK, palette.WHITE) == pytest.approx(21)
    assert palette.contrast((119, 119, 119), palette.WHITE) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("mode", MODES)
def test_small_shares_are_quiet_on_their_background(mode: Mode) -> None:
    background = palette.WHITE if mode == "light" else palette.BLACK
    loudness = [palette.contrast(palette.color(share / 20, mode), background) for share in range(21)]
    assert loudness == sorted(loudness)
    assert loudness[1] < 1.35 < 8 < loudness[-1]
    assert palette.terminal_style(0.03, mode) == palette.terminal_style(math.nan, mode) == ""
    assert re.fullmatch(r"#[0-9a-f]{6} on #[0-9a-f]{6}", palette.terminal_style(-0.5, mode))


def test_gold_marks_stand_out_from_both_sides() -> None:
    for mode in MODES:
        back = palette.color(0.0, mode)
        assert palette.contrast(palette.GOLD[mode], back) >= 4.5
        for kind in BLINDNESS:
            gold = palette._oklab(seen(palette.GOLD[mode], kind))
            for share in (-0.3, 0.0, 0.3):
                assert math.dist(gold, palette._oklab(seen(palette.color(share, mode), kind))) > 0.1


def test_shares_beyond_the_ends_and_no_number() -> None:
    assert palette.color(7.0) == palette.color(1.0) == palette.sequential()[-1]
    assert palette.color(-7.0) == palette.diverging()[0]
    assert palette.color(0.0) == palette.diverging()[255] == palette.WHITE
    assert palette.color(math.nan, "dark") == palette.MISSING["dark"]
    assert palette.css_properties("dark").count("--") == 9


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = "import sys, attnfocus.display.palette; assert not {'torch', 'matplotlib', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def colors_of(figure: Figure) -> np.ndarray:
    """The pixels of a figure (N, 3) that are not gray."""
    image = np.asarray(Image.open(io.BytesIO(to_png(figure)[0])).convert("RGB")).reshape(-1, 3).astype(int)
    return image[np.ptp(image, axis=1) > 24]


def share_of_palette(figure: Figure) -> float:
    """The share of colored pixels that have a color of the lines and points, mixed with white or not."""
    pixels, nearest = colors_of(figure), []
    for rgb in palette.SERIES:
        way = np.array(rgb) - 255
        place = np.clip((pixels - 255) @ way / (way @ way), 0, 1)
        nearest.append(np.linalg.norm(pixels - (255 + place[:, None] * way), axis=1))
    return float((np.min(nearest, axis=0) < 4).mean())


@pytest.mark.parametrize(("lowest", "colors"), [(0.0, palette.sequential()), (-1.0, palette.diverging())])
def test_a_drawn_heat_map_has_the_colors_of_the_palette(lowest: float, colors: tuple[RGB, ...]) -> None:
    weights = np.linspace(lowest, 1, 64).reshape(1, 8, 8)
    pixels = colors_of(heat_map(weights, "abcdefgh", "abcdefgh"))
    found, counts = np.unique(pixels, axis=0, return_counts=True)
    are_known = np.array([tuple(map(int, rgb)) in set(colors) for rgb in found])
    assert are_known.sum() > 40
    assert counts[are_known].sum() > 0.98 * counts.sum()  # the rest is below the thin frame


def test_bars_and_lines_have_the_colors_of_the_palette() -> None:
    costs = [  # bands that lie apart: where two overlap their colors mix
        Cost(name, n, "sdpa", n * 10**k, n * 10**k, None, None, n * 10**k, n * 2 * 10**k, n * 3 * 10**k)
        for k, name in enumerate(("baseline", "dot", "additive", "local", "linear"))
        for n in (8, 10, 12)
    ]
    rows = [
        Row({"a": name}, (1, 2), (Path("/1"), Path("/2")), [{"test/bleu": 20.0 + n}, {"test/bleu": 22.0}])
        for n, name in enumerate(("x", "y"))
    ]
    objectives, trial = ("loss",), Trial(0, "completed", {"a": 1}, (0.5,))
    search = SearchResult(objectives, ("min",), (trial, replace(trial, number=1)), (0,), ({"a": 0.7, "b": 0.3},))
    figures = [draw_costs(costs, ""), draw_comparison([Section("t", "d", rows, [], "bleu")]), draw_search(search)]
    for figure in figures:
        assert len(colors_of(figure)) > 300
        assert share_of_palette(figure) > 0.9
    other = Figure(figsize=(3, 3))
    other.add_subplot().bar([1, 2], [3, 4], color=["tab:blue", "tab:green"])
    assert share_of_palette(other) < 0.1
