"""The palette: lightness goes one way, no color blindness mixes up the signs, text can be read on every color."""

import math
import re
import subprocess
import sys
from itertools import pairwise

import pytest

from attnfocus.display import palette
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
