"""What each head has measured at the evaluations of a run so far, and the picture of it: heads x layers over steps.

Shapes: A attentions, H heads, E evaluations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnfocus.errors import CheckpointError
from attnfocus.tracking.metrics_file import PICTURED, logged_head_measures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Heads = Mapping[str, Mapping[str, Sequence[float]]]  # attention -> measure -> a value for each head
MAX_SHOWN = 40  # evaluations; of more, some in even steps


class HeadHistory:
    """By step of the evaluation, in the order of steps."""

    def __init__(self) -> None:
        self._by_step: dict[int, Heads] = {}

    def read(self, metrics_file: Path, last_step: int, *, is_evaluated: bool) -> None:
        """What a run that goes on has logged up to its checkpoint; nothing where the file cannot be read."""
        try:
            found = logged_head_measures(metrics_file)
        except CheckpointError:  # the run itself says so
            found = {}
        last = last_step if is_evaluated else last_step - 1
        self._by_step = {step: heads for step, heads in found.items() if step <= last}

    def add(self, step: int, heads: Heads) -> None:
        self._by_step[step] = heads

    def go_back(self, step: int, *, is_evaluated: bool) -> None:
        """Forgets what comes again."""
        last = step if is_evaluated else step - 1
        self._by_step = {at: heads for at, heads in self._by_step.items() if at <= last}

    def pictures(self, labels: Mapping[str, str]) -> dict[str, Figure]:
        """A figure for each measure: a panel for each attention, its heads as rows, evaluations as columns, one scale.

        None of a model with a single head, which the curve of the measure shows.

        Args:
            labels: as in `events.RunFacts`.
        """
        newest = next(reversed(self._by_step.values()), {})
        there = {name for each in newest.values() for name in each}
        measures = [name for name in PICTURED if name in there]
        figures = {name: self._picture(name, labels) for name in measures}
        return {name: figure for name, figure in figures.items() if figure is not None}

    def _picture(self, measure: str, labels: Mapping[str, str]) -> Figure | None:
        import numpy as np

        from attnfocus.display.figures import Words, panel_map
        from attnfocus.display.run_words import attention_words, measure_words

        newest = next(reversed(self._by_step.values()))
        attentions = [name for name, measures in newest.items() if measure in measures]
        num_heads = max(len(newest[name][measure]) for name in attentions)
        if num_heads * len(attentions) == 1:
            return None
        steps = list(self._by_step)
        shown = (
            steps if len(steps) <= MAX_SHOWN else [steps[round(at)] for at in np.linspace(0, len(steps) - 1, MAX_SHOWN)]
        )
        panels = np.full((len(attentions), num_heads, len(shown)), np.nan, dtype=np.float32)
        for column, step in enumerate(shown):
            for panel, name in enumerate(attentions):
                values = self._by_step[step].get(name, {}).get(measure, [])[:num_heads]
                panels[panel, : len(values), column] = values
        every = "" if len(shown) == len(steps) else f"   {len(shown)} of {len(steps)} evaluations"
        words = Words(
            heading=f"{measure_words(measure)}, of each head{every}",
            axes=("head", "step of the evaluation"),
            panels=[attention_words(labels.get(name, name)) for name in attentions],
            scale="",
        )
        return panel_map(panels, ([str(head) for head in range(num_heads)], [f"{step:,}" for step in shown]), words)
