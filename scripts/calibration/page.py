"""The results as Markdown and as one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attnfocus.display.canvas import GRID, NOTE, SCREEN, SERIES, axes_figure
from attnfocus.focus.verdict import ANSWERS
from calibration.confusion import TRUTHS, Count, Record, confusion, method_table, reliability, summary

from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip

WORDS = {"yes": "yes", "partly": "partly", "no": "no", "cannot_tell": "cannot tell"}
COLORS = dict(zip(ANSWERS, (SERIES[0], SERIES[5], SERIES[1], "#bbbbbb"), strict=True))
_WIDTH, _HEIGHT = 11.0, 3.4  # inches


def markdown(groups: Mapping[str, Sequence[Record]]) -> str:
    """Tables of the confusion and its bounds for each group of runs, and of methods over all."""
    parts = []
    for name, records in groups.items():
        if records:
            parts += [f"**{name}** ({len(records)} runs)", _confusion_table(records), _bounds(records)]
    every = [record for records in groups.values() for record in records]
    return "\n\n".join([*parts, _reliability_table(every), _method_table(every)]) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _confusion_table(records: Sequence[Record]) -> str:
    counts = confusion(records)
    rows = [
        [f"{truth} ({sum(counts[truth].values())})", *(counts[truth][answer] for answer in ANSWERS)] for truth in TRUTHS
    ]
    return _table(["weights", *(WORDS[answer] for answer in ANSWERS)], rows)


def _bounds(records: Sequence[Record]) -> str:
    found: Mapping[str, Any] = summary(records)
    names = {
        "trusted": "wrong weights that are trusted",
        "missed": "right weights that are called wrong",
        "undecided": "undecided where the truth is clear",
        "changed_by_scale": "verdict changes with the output layer times 0.05, 0.2 or 5",
        "changed_by_seed": "verdict changes with another seed of the test",
    }
    rows = []
    for key, words in names.items():
        count = Count(found[key]["count"], found[key]["of"])
        if count.n:
            rows.append([words, f"{count.k} of {count.n}", f"{count.share:.1%}", f"{count.bound:.1%}"])
    reasons = [
        f"{truth}: " + ", ".join(f"{reason} {count}" for reason, count in counts.items())
        for truth, counts in found["undecided_reasons"].items()
        if counts
    ]
    table = _table(["", "runs", "share", "95 % upper bound"], rows)
    return table + (f"\n\nUndecided, by truth and reason: {'; '.join(reasons)}." if reasons else "")


def _reliability_table(records: Sequence[Record]) -> str:
    rows = [
        [f"{group['from']:g} to {group['to']:g}", group["runs"], f"{group['mean_confidence']:.2f}", _share(group)]
        for group in reliability(records)
    ]
    return _table(["confidence of yes or no", "runs", "mean confidence", "right"], rows)


def _share(group: Mapping[str, float]) -> str:
    return f"{group['right'] / group['runs']:.2f}" if group["runs"] else ""


def _method_table(records: Sequence[Record]) -> str:
    rows = [
        [name, *(f"{of[kind]:.2f}" for kind in ("all", "right", "wrong")), int(of["all_runs"])]
        for name, of in sorted(method_table(records).items(), key=lambda item: -item[1]["all"])
    ]
    return _table(["method", "all", "weights right", "weights wrong", "runs"], rows)


def figure(groups: Mapping[str, Sequence[Record]]) -> Figure:
    """Three panels: verdicts by truth, right verdicts by confidence, hits of the methods."""
    records = [record for each in groups.values() for record in each]
    drawn = axes_figure(_WIDTH, _HEIGHT, SCREEN)
    first, second, third = drawn.subplots(1, 3, width_ratios=(1.2, 0.9, 1.2))
    _draw_confusion(first, groups)
    _draw_reliability(second, records)
    _draw_methods(third, records)
    for axes in (first, second, third):
        axes.tick_params(labelsize=SCREEN.points)
        axes.set_axisbelow(True)
    return drawn


def _draw_confusion(axes: Axes, groups: Mapping[str, Sequence[Record]]) -> None:
    bars = [(truth, name, records) for truth in ("right", "wrong") for name, records in groups.items() if records]
    for place, (truth, _, records) in enumerate(reversed(bars)):
        counts, left = confusion(records)[truth], 0.0
        total = sum(counts.values())
        for answer in ANSWERS:
            share = counts[answer] / total if total else 0.0
            label = WORDS[answer] if place == 0 else None
            axes.barh(place, share, left=left, color=COLORS[answer], label=label, height=0.7)
            if share > 0.04:
                middle = left + share / 2
                axes.text(middle, place, str(counts[answer]), ha="center", va="center", fontsize=SCREEN.small)
            left += share
    axes.set_yticks(range(len(bars)), [f"{truth}\n{name}" for truth, name, _ in reversed(bars)])
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of runs with that truth (numbers: runs)", fontsize=SCREEN.points)
    axes.set_title("Do the weights point to what matters?", fontsize=SCREEN.title, loc="left")
    axes.legend(fontsize=SCREEN.small, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.08))


def _draw_reliability(axes: Axes, records: Sequence[Record]) -> None:
    groups = [group for group in reliability(records) if group["runs"]]
    axes.plot([0.5, 1], [0.5, 1], color=NOTE, linewidth=0.8, linestyle="--")
    for group in groups:
        share = group["right"] / group["runs"]
        axes.plot(group["mean_confidence"], share, "o", color=SERIES[0], markersize=5)
        place = (group["mean_confidence"], share)
        axes.annotate(f"{group['runs']:.0f}", place, (-3, -11), textcoords="offset points", fontsize=SCREEN.small)
    axes.set_xlim(0.45, 1.03)
    axes.set_ylim(0.45, 1.05)
    axes.set_xlabel("mean confidence", fontsize=SCREEN.points)
    axes.set_ylabel("share that is right", fontsize=SCREEN.points)
    axes.set_title("Verdicts of yes and no (numbers: runs)", fontsize=SCREEN.title, loc="left")
    axes.grid(True, color=GRID, linewidth=0.6)


def _draw_methods(axes: Axes, records: Sequence[Record]) -> None:
    found = sorted(method_table(records).items(), key=lambda item: item[1]["all"])
    for place, (_, rates) in enumerate(found):
        axes.plot([rates["right"]], [place], "o", color=COLORS["yes"], label="weights right" if place == 0 else None)
        axes.plot([rates["wrong"]], [place], "o", color=COLORS["no"], label="weights wrong" if place == 0 else None)
        axes.plot([rates["all"]], [place], "|", color=NOTE, markersize=10, label="all" if place == 0 else None)
    axes.set_yticks(range(len(found)), [name.replace("_", " ") for name, _ in found])
    axes.set_xlim(0, 1.03)
    axes.set_xlabel("highest score on the evidence, mean over runs", fontsize=SCREEN.points)
    axes.set_title("Methods on planted evidence", fontsize=SCREEN.title, loc="left")
    axes.grid(True, axis="x", color=GRID, linewidth=0.6)
    axes.legend(fontsize=SCREEN.small, frameon=False)
