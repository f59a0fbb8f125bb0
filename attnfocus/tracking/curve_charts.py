"""The charts of the Custom Scalars page of TensorBoard: train and valid of a loss in one, what is best first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from attnfocus.display.run_words import measure_words
from attnfocus.tracking.metrics_file import HEADS_OF_KIND

if TYPE_CHECKING:
    from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

Charts = Mapping[str, Sequence[str]]  # title -> tags of its curves


def chart_layout(metrics: Iterable[str], monitored: str | None) -> Layout:
    """Curves first, then what training does, then where it looks.

    Args:
        metrics: names of the metrics of an evaluation of valid, `focus/...` among them.
        monitored: the one that decides which checkpoint is best.
    """
    from tensorboard.plugins.custom_scalar.layout_pb2 import Category, Chart, Layout, MultilineChartContent

    def category(title: str, charts: Charts, *, is_closed: bool = False) -> Category:
        made = []
        for name, tags in charts.items():
            content = MultilineChartContent(tag=[f"^{tag}$" for tag in tags])  # patterns
            made.append(Chart(title=name, multiline=content))
        return Category(title=title, chart=made, closed=is_closed)

    names = sorted(metrics, key=lambda name: name != monitored)  # stable: the monitored one comes first
    quality = {name: [f"valid/{re.escape(name)}"] for name in names if not name.startswith("focus/") and name != "loss"}
    kinds = [name for name in names if name.startswith(HEADS_OF_KIND)]
    focus = [name.removeprefix("focus/") for name in names if name.startswith("focus/") and name not in kinds]
    focus += ["drift"] if focus and "drift" not in focus else []  # which comes from the second evaluation on
    training = {name: [f"train/{name}"] for name in ("lr", "grad_norm", "words_per_second")}
    return Layout(
        category=[
            category("curves", {"loss (train, valid)": ["train/loss", "valid/loss"], **_titled(quality)}),
            category("training", {**_titled(training), "penalties": ["train/penalty.*"]}, is_closed=True),
            category(
                "where it looks",
                {
                    **{measure_words(name): [f"weights_focus/{name}"] for name in focus},
                    **({"heads of each kind": ["weights_focus/heads/.*"]} if kinds else {}),
                },
            ),
        ]
    )


def _titled(charts: Charts) -> dict[str, Sequence[str]]:
    return {name.replace("_", " "): tags for name, tags in charts.items()}
