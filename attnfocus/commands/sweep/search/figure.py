"""A search as a figure: what the trials reached, and which key decided it."""

from collections.abc import Mapping
from functools import partial

from attnfocus.commands.compare.figures import BASELINE_COLOR, COLOR, SEED_COLOR
from attnfocus.commands.sweep.search.table import SearchResult, best_so_far
from attnfocus.display import fonts
from attnfocus.display.canvas import GRID, NOTE, SCREEN, SERIES, Style, axes_figure
from attnfocus.display.drawings import Drawing
from attnfocus.display.text import metric_name, short_key, shorten

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip
from matplotlib.ticker import MaxNLocator  # isort: skip

MAX_KEYS = 12  # bars of the importances
LOG_RATIO = 10  # values that differ by more than this factor have a logarithmic axis
MAX_LABEL_CELLS = 36
PAPER_LABEL_CELLS = 20
_WIDTH, _HEIGHT, _PAPER_HEIGHT = 10.0, 4.0, 2.6  # inches; heights of a row of panels


def search_drawing(result: SearchResult) -> Drawing:
    """As `draw_search`, with its caption."""
    names = [metric_name(name.replace("/", " ")) for name in result.objectives]
    goals = " and ".join(f"{name} ({way})" for name, way in zip(names, result.directions, strict=True))
    if len(names) == 1:
        first = "what each trial reached, and the best so far"
    else:
        first = f"{names[0]} against {names[1]}, with the trials that no other beats in all objectives (Pareto front)"
    second = "how much each key told the best quarter of the trials from the rest (PED-ANOVA), as shares"
    caption = f"A search for {goals}; {result.counts}. First panel: {first}. Second panel: {second}."
    return Drawing("search", partial(draw_search, result), caption, is_wide=True)


def draw_search(result: SearchResult, style: Style = SCREEN) -> Figure:
    """The values over the trials, or one objective against another with its Pareto front; beside them importances.

    In a column they are below.
    """
    height = _HEIGHT if style.is_screen else _PAPER_HEIGHT
    figure = axes_figure(_WIDTH, 2 * height if style.is_column else height, style)
    left, right = figure.subplots(2, 1) if style.is_column else figure.subplots(1, 2)
    if len(result.objectives) == 1:
        _draw_history(left, result, style)
    else:
        _draw_front(left, result, style)
    _draw_importances(right, result, style)
    for axes in (left, right):
        axes.tick_params(labelsize=style.points)
        axes.set_axisbelow(True)
    return figure


def _draw_history(axes: Axes, result: SearchResult, style: Style) -> None:
    completed = [trial for trial in result.trials if trial.values]
    pruned = [trial for trial in result.trials if trial.status == "pruned" and trial.reports]
    values = [trial.values[0] for trial in completed]
    numbers = [trial.number for trial in completed]
    axes.plot(numbers, values, "o", color=COLOR, markersize=5, label="completed")
    last = [(trial.reports or {})[max(trial.reports or {})] for trial in pruned]
    axes.plot(
        [trial.number for trial in pruned], last, "x", color=SEED_COLOR, markersize=6, label="pruned, last report"
    )
    best = best_so_far(values, result.directions[0])
    if best:  # up to the last trial, whatever became of it
        until = [*numbers, result.trials[-1].number]
        axes.step(until, [*best, best[-1]], where="post", color=BASELINE_COLOR, linewidth=1.2, label="best so far")
    shown = [*values, *last]
    if shown and 0 < LOG_RATIO * min(shown) < max(shown):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial", fontsize=style.points)
    axes.set_ylabel(metric_name(result.objectives[0].replace("/", " ")), fontsize=style.points)
    axes.set_title(result.counts, fontsize=style.title, loc="left")
    axes.grid(True, axis="y", color=GRID, linewidth=0.6)
    axes.legend(fontsize=style.small, frameon=False)


def _draw_front(axes: Axes, result: SearchResult, style: Style) -> None:
    """The first two objectives."""
    completed = [trial for trial in result.trials if trial.values]
    front = sorted((trial.values[0], trial.values[1]) for trial in completed if trial.number in result.best)
    others = [trial for trial in completed if trial.number not in result.best]
    axes.plot([t.values[0] for t in others], [t.values[1] for t in others], "o", color=SEED_COLOR, label="completed")
    if front:
        across, up = zip(*front, strict=True)
        line = "o-" if len(result.objectives) == 2 else "o"  # of more objectives it is no line
        axes.plot(across, up, line, color=BASELINE_COLOR, linewidth=1.0, label="best (Pareto front)")
    for index, name in enumerate(result.objectives[:2]):
        label = f"{metric_name(name.replace('/', ' '))} ({result.directions[index]})"
        (axes.set_ylabel if index else axes.set_xlabel)(label, fontsize=style.points)
    axes.set_title(result.counts, fontsize=style.title, loc="left")
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.legend(fontsize=style.small, frameon=False)


def _draw_importances(axes: Axes, result: SearchResult, style: Style) -> None:
    axes.set_title(f"importance of each key, from {result.count('completed')} trials", fontsize=style.title, loc="left")
    if result.why_none_important:
        axes.text(
            0.5, 0.5, result.why_none_important, ha="center", va="center", fontsize=style.points, color=NOTE, wrap=True
        )
        axes.set_axis_off()
        return
    keys = _ranked(next(shares for shares in result.importances if shares))[:MAX_KEYS]
    height = 0.8 / len(result.importances)
    for index, (name, shares) in enumerate(zip(result.objectives, result.importances, strict=False)):
        places = [place + (index - (len(result.importances) - 1) / 2) * height for place in range(len(keys))]
        color = SERIES[index % len(SERIES)]
        axes.barh(places, [shares.get(key, 0.0) for key in keys], height * 0.9, color=color, label=metric_name(name))
    labels = [short_key(key, keys) for key in keys]
    families = fonts.families_for(labels)
    most = MAX_LABEL_CELLS if style.is_screen else PAPER_LABEL_CELLS
    shown = [shorten(fonts.written(label, families), most) for label in labels]
    axes.set_yticks(range(len(keys)), shown, fontfamily=families, parse_math=False)
    axes.set_ylim(len(keys) - 0.5, -0.5)
    axes.set_xlabel("share (PED-ANOVA)", fontsize=style.points)
    axes.grid(True, axis="x", color=GRID, linewidth=0.6)
    if len(result.importances) > 1:
        axes.legend(fontsize=style.small, frameon=False)


def _ranked(shares: Mapping[str, float]) -> list[str]:
    return sorted(shares, key=lambda key: -shares[key])
