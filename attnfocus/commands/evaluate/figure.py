"""What a test of weights has found, as a figure: leads without positions and with them alone, with thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from attnfocus.explanation import Faithfulness
from attnfocus.explanation.measures import PREFIX, name_of_effect
from attnfocus.focus.samples import ERASURES, RANKINGS, WAYS
from attnfocus.focus.verdict import USUAL, Thresholds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = {
    "weights": "most weight",
    "leave_one_out": "leave-one-out",
    "integrated_gradients": "integrated gradients",
    "random": "at random",
}
TITLES = {"removed": "Removed: lead that answers lose", "kept": "Kept alone: lead that answers keep"}
PLACES = {"cut": "cut out", "masked": "masked in place", "swapped": "swapped with\nanother text's"}
_WIDTH, _HEIGHT, _BAR = 9.0, 3.6, 0.19  # inches, inches, of the distance of two groups


class Bar(NamedTuple):
    place: float
    value: float
    low: float
    high: float


def figure_of(tested: Faithfulness, thresholds: Thresholds = USUAL) -> bytes | None:
    """A PNG; None where the verdict rests on no numbers.

    Two panels, removed and kept alone, each with the three erasures: bars with 95 % intervals, and lines where the
    weights would be said to point (solid) and not to point (dotted).
    """
    if not any(bars_of(tested, way, ranking) for way in WAYS for ranking in RANKINGS):
        return None
    from attnfocus.display.canvas import SCREEN, axes_figure, to_png

    figure = axes_figure(_WIDTH, _HEIGHT, SCREEN)
    grid = figure.add_gridspec(1, len(WAYS))
    for number, way in enumerate(WAYS):
        _draw(figure.add_subplot(grid[0, number]), tested, way, thresholds)
    png: bytes = to_png(figure)[0]
    return png


def bars_of(tested: Faithfulness, way: str, ranking: str) -> list[Bar]:
    """One for each erasure that was measured."""
    found = []
    for place, erasure in enumerate(ERASURES):
        name = PREFIX + name_of_effect(erasure, way, ranking)
        if name in tested.metrics and name in tested.intervals:
            across = place + (RANKINGS.index(ranking) - (len(RANKINGS) - 1) / 2) * _BAR
            found.append(Bar(across, tested.metrics[name], *tested.intervals[name]))
    return found


def limits_of(tested: Faithfulness, way: str, erasure: str, skills: Sequence[float]) -> list[float]:
    """What the weights must reach for these skills, between random positions and the best known ranking."""
    known = {
        ranking: tested.metrics.get(PREFIX + name_of_effect(erasure, way, ranking), float("nan"))
        for ranking in RANKINGS
    }
    best = max((value for name, value in known.items() if name != "random" and value == value), default=float("nan"))
    return [known["random"] + skill * (best - known["random"]) for skill in skills]


def _draw(axes: Axes, tested: Faithfulness, way: str, thresholds: Thresholds) -> None:
    from attnfocus.display.canvas import GRID, INK, SCREEN, SERIES

    colors = (*SERIES[:3], "#999999")
    for color, ranking in zip(colors, RANKINGS, strict=True):
        bars = bars_of(tested, way, ranking)
        places, values = [bar.place for bar in bars], [bar.value for bar in bars]
        spread = [[bar.value - bar.low for bar in bars], [bar.high - bar.value for bar in bars]]
        sides = [[max(0.0, each) for each in side] for side in spread]
        axes.bar(places, values, _BAR * 0.9, color=color, label=LEGEND[ranking], yerr=sides, ecolor=INK, capsize=2)
    for place, erasure in enumerate(ERASURES):
        own = place - (len(RANKINGS) - 1) / 2 * _BAR
        skills = (thresholds.skill_yes, thresholds.skill_no)
        for limit, style in zip(limits_of(tested, way, erasure, skills), ("-", ":"), strict=True):
            axes.plot([own - _BAR / 2, own + _BAR / 2], [limit, limit], style, color=INK, linewidth=1.5)
    axes.set_xticks(range(len(ERASURES)), [PLACES[each] for each in ERASURES], fontsize=SCREEN.points)
    axes.set_ylim(0, 1.02)
    axes.set_title(TITLES[way], loc="left", fontsize=SCREEN.title)
    axes.set_ylabel("share of the lead", fontsize=SCREEN.points)
    axes.tick_params(labelsize=SCREEN.points)
    axes.grid(True, axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    if way == WAYS[-1]:
        axes.plot([], [], "-", color=INK, label="above: weights point")
        axes.plot([], [], ":", color=INK, label="below: they do not")
        of_what = f"{tested.attentions[0]}, {tested.num_examples} examples\nof {tested.split}, 95 % intervals"
        how = {"fontsize": SCREEN.small, "title_fontsize": SCREEN.small, "alignment": "left"}
        axes.legend(title=of_what, loc="upper left", bbox_to_anchor=(1.0, 1.0), **how)
