"""The one palette of pages, figures and terminals: what a share of a weight looks like.

A share is -1 to 1: 0 is the background, 1 the end of the scale, below 0 what is subtracted (or lies below uniform).
The part above 0 is the sequential scale (blue), both together are the diverging one (orange below). Blue and orange
stay apart in every form of color blindness. Lightness in OKLab (Ottosson 2020, bottosson.github.io/posts/oklab)
changes in even steps, so that the scale also reads in gray. It imports nothing but the standard library.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

RGB = tuple[int, int, int]  # 0 to 255
Mode = Literal["light", "dark"]  # of the background

NUM_STEPS = 256  # of one side of a scale, the background included
FAINT = 0.04  # shares below it are not shaded where text stands on the color

BLACK: RGB = (0, 0, 0)
WHITE: RGB = (255, 255, 255)
MISSING: Mapping[Mode, RGB] = {"light": (187, 187, 187), "dark": (85, 90, 96)}  # NaN: there is no number
# What people marked: neither blue nor orange.
GOLD: Mapping[Mode, RGB] = {"light": (176, 0, 116), "dark": (255, 122, 205)}
# Lines and points of runs and classes: Okabe and Ito 2008 (jfly.uni-koeln.de/color), without black and yellow.
SERIES: tuple[RGB, ...] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
)

# Hues from the background (share 0) to the end (share 1), in even steps; lightness is replaced by a straight line.
_ABOVE: Mapping[Mode, Sequence[str]] = {
    "light": ("#ffffff", "#d3e5f3", "#7ab6dc", "#2a7ab9", "#08306b"),
    "dark": ("#0f1318", "#15375a", "#1f6fa8", "#4fb0ea", "#c4e8ff"),
}
_BELOW: Mapping[Mode, Sequence[str]] = {
    "light": ("#ffffff", "#fee3c4", "#f6ab5c", "#c9650f", "#5e2903"),
    "dark": ("#0f1318", "#52300c", "#a45f14", "#e58e2f", "#ffdcae"),
}


def color(share: float, mode: Mode = "light") -> RGB:
    """The color of a share; what lies outside -1 to 1 gets the color of the end, NaN gray."""
    if math.isnan(share):
        return MISSING[mode]
    side = steps(mode, below=share < 0)
    return side[round(min(abs(share), 1.0) * (NUM_STEPS - 1))]


@cache
def steps(mode: Mode = "light", *, below: bool = False) -> tuple[RGB, ...]:
    """The 256 colors of one side, from the background to the end."""
    stops = [_oklab(_of_hex(stop)) for stop in (_BELOW if below else _ABOVE)[mode]]
    first, last = stops[0][0], stops[-1][0]
    made = []
    for number in range(NUM_STEPS):
        share = number / (NUM_STEPS - 1)
        place = share * (len(stops) - 1)
        low = min(int(place), len(stops) - 2)
        hue = [a + (b - a) * (place - low) for a, b in zip(stops[low], stops[low + 1], strict=True)]
        made.append(_rgb((first + (last - first) * share, hue[1], hue[2])))
    return tuple(made)


def sequential(mode: Mode = "light") -> tuple[RGB, ...]:
    """256 colors for 0 to 1."""
    return steps(mode)


def diverging(mode: Mode = "light") -> tuple[RGB, ...]:
    """511 colors for -1 to 1; the one in the middle is 0."""
    return (*reversed(steps(mode, below=True)[1:]), *steps(mode))


def text_color(background: RGB) -> RGB:
    """Black or white, whichever has more contrast: always 4.58 or more, which is above the 4.5 of WCAG 2.2 (1.4.3)."""
    return BLACK if contrast(background, BLACK) >= contrast(background, WHITE) else WHITE


def contrast(first: RGB, second: RGB) -> float:
    """The contrast ratio of WCAG 2.2, 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def luminance(rgb: RGB) -> float:
    """Relative luminance (WCAG 2.2), 0 to 1."""
    red, green, blue = map(_linear, rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def hexadecimal(rgb: RGB) -> str:
    """`#08306b`."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def css_properties(mode: Mode = "light") -> str:
    """Declarations for a style sheet: `--weight`, `--weight-below`: strong colors of both sides; `--gold`;
    `--series-1` and on."""
    named = {"weight": color(0.72, mode), "weight-below": color(-0.62, mode), "gold": GOLD[mode]}
    named |= {f"series-{number}": rgb for number, rgb in enumerate(SERIES, 1)}
    return " ".join(f"--{name}: {hexadecimal(rgb)};" for name, rgb in named.items())


def terminal_style(share: float, mode: Mode = "dark") -> str:
    """A style of rich: text on the color of the share; empty (nothing is seen) where the share is below `FAINT`."""
    if math.isnan(share) or abs(share) < FAINT:
        return ""
    background = color(share, mode)
    return f"{hexadecimal(text_color(background))} on {hexadecimal(background)}"


def _of_hex(text: str) -> RGB:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _linear(value: int) -> float:
    part = value / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _gamma(part: float) -> int:
    part = min(max(part, 0.0), 1.0)
    return round(255 * (12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055))


def _oklab(rgb: RGB) -> tuple[float, float, float]:
    red, green, blue = map(_linear, rgb)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _rgb(lab: tuple[float, float, float]) -> RGB:
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _gamma(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _gamma(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _gamma(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )
