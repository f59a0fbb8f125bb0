"""Pictures for docs/focus.md: what the measures say of weights that are made up, and of small runs on dates.

    python scripts/focus_pictures.py docs/images
    python scripts/focus_pictures.py docs/images --only focus-learning --runs outputs/focus

Numbers in the pictures are those of `attnfocus.focus` and of the runs. Runs that are not there yet are trained, which
takes some three minutes of a core. It needs Chromium and Playwright (the dev extra).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from screenshots import Shot, arguments, attnfocus_run, chromium, save, shots_of
from torch import Tensor

import attnfocus
from attnfocus import focus
from attnfocus.display.canvas import COLORS, GRID, INK, NOTE, SCREEN, SERIES, axes_figure, to_png
from attnfocus.layout import METRICS_FILE
from attnfocus.tracking.metrics_file import logged_lines

SMALL = ("model=seq2seq", "attention=additive", "trainer.max_steps=150", "trainer.evaluate_every_steps=25")
RUNS = {
    "none": SMALL,
    "entropy": (*SMALL, "focus=entropy", "focus.entropy.weight=0.1"),
    "guided": (*SMALL, "focus=guided", "focus.guided.target=gold"),
}
TITLES = {
    "none": "as it learns by itself",
    "entropy": "focus=entropy, weight 0.1",
    "guided": "focus=guided, target: gold",
}
TEXT = "Friday, 3 May 1999"
SIZE = 8  # positions of weights that are made up
SHOTS = (Shot("focus-alignment", "seen-none/index.html", at="#shown", size=(1200, 620)),)


class Pattern(NamedTuple):
    name: str
    weights: Tensor  # (Q, K)


def rows() -> list[tuple[str, Tensor]]:
    """Weights (K,) of one query, from one position to all of them."""
    graded = torch.tensor([0.02, 0.05, 0.12, 0.5, 0.2, 0.07, 0.03, 0.01])
    two = torch.zeros(SIZE)
    two[2] = two[5] = 0.5
    return [
        ("one position", torch.eye(SIZE)[3]),
        ("two that are alike", two),
        ("one above others", graded),
        ("all alike (uniform)", torch.full((SIZE,), 1 / SIZE)),
    ]


def patterns() -> list[Pattern]:
    """Maps of SIZE outputs that look at SIZE positions."""
    straight = torch.eye(SIZE)
    skipping = straight[[0, 1, 2, 2, 2, 5, 6, 7]]
    first = torch.zeros(SIZE, SIZE)
    first[:, 0] = 1
    return [
        Pattern("straight on", straight),
        Pattern("backwards", straight.flip(0)),
        Pattern("repeats and skips", skipping),
        Pattern("always the first", first),
        Pattern("all alike", torch.full((SIZE, SIZE), 1 / SIZE)),
    ]


def how_focused() -> Figure:
    """Bars of each row of weights, with the measures of how focused it is."""
    figure = axes_figure(9.0, 2.3, SCREEN)
    for axes, (name, weights) in zip(figure.subplots(1, len(rows()), sharey=True), rows(), strict=True):
        axes.bar(range(SIZE), weights, color=SERIES[0])
        axes.set_ylim(0, 1.05)
        axes.set_xticks([])
        axes.set_title(name, fontsize=SCREEN.title, loc="left")
        row = weights[None]
        says = {
            "effective positions": float(focus.effective_positions(row)),
            "normalized entropy": float(focus.normalized_entropy(row)),
            "top mass": float(focus.top_k_mass(row, k=1)),
        }
        axes.set_xlabel(lines_of(says), fontsize=SCREEN.points, loc="left", linespacing=1.4)
        axes.tick_params(labelsize=SCREEN.points)
        axes.grid(True, axis="y", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
    figure.axes[0].set_ylabel("weight", fontsize=SCREEN.points)
    return figure


def where() -> Figure:
    """The maps, with the measures of where they look."""
    figure = axes_figure(9.6, 2.9, SCREEN)
    for axes, pattern in zip(figure.subplots(1, len(patterns())), patterns(), strict=True):
        draw_map(axes, pattern.weights, pattern.name)
        each = pattern.weights
        says = {
            "diagonality": float(focus.diagonality(each)),
            "monotonicity": float(focus.monotonicity(each)),
            "coverage deviation": float(focus.coverage_deviation(each)),
            "first mass": float(focus.first_mass(each).mean()),
        }
        axes.set_xlabel(lines_of(says), fontsize=SCREEN.points, loc="left", linespacing=1.4)
    figure.axes[0].set_ylabel("output", fontsize=SCREEN.points)
    return figure


def lines_of(measures: Mapping[str, float]) -> str:
    return "\n".join(f"{name} {round(value, 2) + 0.0:.2f}" for name, value in measures.items())  # no -0.00


def draw_map(axes: Axes, weights: Tensor, title: str) -> None:
    axes.imshow(weights, cmap=COLORS, vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    axes.set_title(title, fontsize=SCREEN.title, loc="left")
    axes.set_xticks([])
    axes.set_yticks([])


def learning(folder: Path) -> Figure:
    """Measures of valid over the steps of the runs, and the share of right answers beside them."""
    figure = axes_figure(9.0, 2.7, SCREEN)
    drawn = {
        "exact_match": "right answers",
        "alignment_error_rate": "alignment error rate",
        "focus/effective_positions": "effective positions",
    }
    for axes, (metric, title) in zip(figure.subplots(1, len(drawn)), drawn.items(), strict=True):
        for color, name in zip(SERIES, RUNS, strict=False):
            lines = [line for line in logged_lines(folder / name / METRICS_FILE) if line["split"] == "valid"]
            steps, values = [line["step"] for line in lines], [line[metric] for line in lines]
            axes.plot(steps, values, color=color, marker="o", markersize=3, label=TITLES[name])
        axes.set_title(title, fontsize=SCREEN.title, loc="left")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step", fontsize=SCREEN.points)
        axes.tick_params(labelsize=SCREEN.points)
        axes.grid(True, color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
    figure.axes[1].legend(fontsize=SCREEN.small, loc="upper right")
    return figure


def asked_of(folder: Path) -> Figure:
    """Where each run looks while it writes the same date: outputs from top to bottom, the input from left to right."""
    figure = axes_figure(9.6, 2.3, SCREEN)
    for axes, name in zip(figure.subplots(1, len(RUNS)), RUNS, strict=True):
        found = attnfocus.load(folder / name, device="cpu").inspect(TEXT, method=["attention"])
        [each] = found.examples[0].maps
        weights = torch.from_numpy(each.weights.mean(axis=0))  # (Q, K)
        draw_map(axes, weights, TITLES[name])
        axes.set_xticks(range(len(each.key_tokens)), each.key_tokens, fontsize=SCREEN.small, color=INK)
        axes.set_yticks(range(len(each.query_tokens)), each.query_tokens, fontsize=SCREEN.small, color=INK)
        used = float(focus.effective_positions(weights).mean())
        axes.set_xlabel(f"effective positions {used:.1f} of {weights.shape[1]}", fontsize=SCREEN.points, color=NOTE)
    return figure


def make_runs(folder: Path) -> None:
    """Trains what is not there yet, and looks at the first test row."""
    for name, words in RUNS.items():
        if not (folder / name).exists():
            attnfocus_run("train", *words, "report=false", "device=cpu", f"run_dir={folder / name}")
    if not (folder / "seen-none").exists():
        given = ["num_examples=1", "method=attention", "files=[html]", f"output={folder}/seen-none"]
        attnfocus_run("inspect", f"run={folder / 'none'}", *given)


def main() -> None:
    given = arguments(__doc__, "outputs/focus")
    torch.set_num_threads(1)
    make_runs(given.runs)
    figures = {
        "focus-how": how_focused,
        "focus-where": where,
        "focus-learning": lambda: learning(given.runs),
        "focus-asked": lambda: asked_of(given.runs),
    }
    for name, make in figures.items():
        if name.startswith(given.only):
            save(given.folder / f"{name}.png", to_png(make())[0])
    if any(shot.name.startswith(given.only) for shot in SHOTS):
        with chromium() as browser:
            for name, png in shots_of(browser, given.runs, given.only, SHOTS):
                save(given.folder / f"{name}.png", png)


if __name__ == "__main__":
    main()
