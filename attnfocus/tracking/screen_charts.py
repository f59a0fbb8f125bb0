"""Small charts below the bar of a run, where the terminal is large enough: curves, heads, and where a sample looks."""

import math
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from attnfocus.display.background import mode_of_variable
from attnfocus.display.console import writable
from attnfocus.display.palette import Mode, terminal_style
from attnfocus.display.run_words import attention_words
from attnfocus.display.text import metric_name, number
from attnfocus.events import Evaluated, Heads, Progress, Sample, TrainingStarted

BLOCKS = "▁▂▃▄▅▆▇█"
NUM_POINTS = 24  # of a curve on the screen
CURVE_SIZE, HEAD_SIZE = (80, 24), (100, 34)  # columns and rows that a terminal must have: for curves; for the rest
MAX_ATTENTIONS = 6  # lines of heads
MAX_LABEL = 24
_LABEL = "dim"


class ScreenCharts:
    """What has been heard of a run, as lines for its display.

    A curve goes from its least to its largest value; the first and the last stand beside it. That of the loss covers
    what this process has trained, each block with the mean of equally many events. Each block of a head goes from 0 to
    all positions of the input.
    """

    def __init__(self, console: Console, mode: Mode | None = None) -> None:
        self._console = console
        self.mode = mode or mode_of_variable(os.environ.get("COLORFGBG", "")) or "dark"
        self._losses = EvenMeans(NUM_POINTS)
        self._metrics: deque[float] = deque(maxlen=NUM_POINTS)
        self._metric = ""
        self._heads: Heads = {}
        self._labels: Mapping[str, str] = {}
        self._positions = math.nan
        self._shaded: _Shaded | None = None

    def start(self, event: TrainingStarted) -> None:
        """Hears what the attentions are called."""
        self._labels = event.facts.labels

    def progress(self, event: Progress) -> None:
        """Hears a loss."""
        self._losses.add(event.loss)

    def evaluation(self, event: Evaluated, metric: str | None) -> None:
        """Hears an evaluation; `metric` is the monitored one."""
        if event.split != "valid":
            return
        if metric is not None and metric in event.metrics:
            self._metric = metric
            self._metrics.append(event.metrics[metric])
        self._heads = event.heads
        self._positions = event.metrics.get("focus/positions", math.nan)
        self._shaded = _Shaded.of(event.samples[0]) if event.samples else None

    def lines(self) -> list[Text]:
        """As many as the terminal has room for; none on a small one, or where blocks cannot be written."""
        if writable(self._console, BLOCKS) != BLOCKS:
            return []
        width, height = self._console.size
        found = self._curves() if _has_room((width, height), CURVE_SIZE) else []
        if _has_room((width, height), HEAD_SIZE):
            found += [*self._head_lines(width), *self._sample_lines(width)]
        for line in found:
            line.truncate(width - 1)
        return found

    def _curves(self) -> list[Text]:
        curves = {"loss": self._losses.values, metric_name(self._metric): list(self._metrics)}
        parts = [_curve(name, values) for name, values in curves.items() if len(values) > 1]
        return [Text("   ").join(parts)] if parts else []

    def _head_lines(self, width: int) -> list[Text]:
        lines = []
        for name, measures in list(self._heads.items())[:MAX_ATTENTIONS]:
            used = [value for value in measures.get("effective_positions", ()) if math.isfinite(value)]
            if not used or not self._positions > 0:
                continue
            label = writable(self._console, attention_words(self._labels.get(name, name)))[:MAX_LABEL]
            line = Text.assemble((f"{label}  ", _LABEL), blocks(used[: width // 2], (0.0, self._positions)))
            heads = f"{len(used)} heads: " if len(used) > 1 else ""
            least, most = (f"{value:.1f}" for value in (min(used), max(used)))
            span = least if least == most else f"{least} to {most}"
            line.append(f"  {heads}{span} of {self._positions:.1f} positions{_logits(measures)}", style=_LABEL)
            lines.append(line)
        left = len(self._heads) - MAX_ATTENTIONS
        return [*lines, Text(f"and {left} more attentions", style=_LABEL)] if left > 0 else lines

    def _sample_lines(self, width: int) -> list[Text]:
        """The input of one example, shaded by the mean weight of all queries and heads of its last attention to it."""
        if self._shaded is None:
            return []
        sample, largest = self._shaded.sample, self._shaded.largest
        line = Text(no_wrap=True)
        for token, weight in zip(sample.key_tokens, self._shaded.means, strict=True):
            piece = writable(self._console, token) or "∅"
            if line.cell_len + cell_len(piece) + 1 > width - 2:
                line.append("…")
                break
            line.append(piece, style=terminal_style(weight / largest, self.mode) if largest > 0 else "")
            line.append(" ")
        name = self._shaded.attention
        attention = attention_words(self._labels.get(name, name))
        said = f"{attention} of {sample.id}, mean of its heads and queries; darkest {number(largest)}"
        answer = f"  answer {sample.prediction}, target {sample.target}"
        return [Text(writable(self._console, said + answer), style=_LABEL), line]


def _logits(measures: Mapping[str, Sequence[float]]) -> str:
    """The largest logit of an attention's heads, where it is known."""
    found = [value for value in measures.get("max_logit", ()) if math.isfinite(value)]
    return f", logits up to {max(found):.1f}" if found else ""


class EvenMeans:
    """Numbers as they come, as the means of equally many of them each: at most `limit` means, the oldest first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit  # even
        self._means: list[float] = []
        self._of_each = 1  # numbers of a mean
        self._sum, self._count = 0.0, 0  # of those that make no whole mean yet

    def add(self, value: float) -> None:
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count < self._of_each:
            return
        if len(self._means) == self._limit:  # neighbors become one, and a mean takes twice as many from now on
            pairs = zip(self._means[::2], self._means[1::2], strict=True)
            self._means, self._of_each = [(first + second) / 2 for first, second in pairs], 2 * self._of_each
            return
        self._means.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0

    @property
    def values(self) -> list[float]:
        return list(self._means)


@dataclass(frozen=True)
class _Shaded:
    """A sample with the mean weight of each of its tokens, which is computed once for all drawings."""

    sample: Sample
    attention: str
    means: Sequence[float]
    largest: float

    @classmethod
    def of(cls, sample: Sample) -> "_Shaded | None":
        """Of the last attention with weights; None where there is none, or it looks at something else."""
        named = [(name, each) for name, each in sample.weights.items() if each.size]
        if not named:
            return None
        name, weights = named[-1]
        means = weights.reshape(-1, weights.shape[-1]).mean(axis=0)
        if len(means) != len(sample.key_tokens):
            return None
        return cls(sample, name, means.tolist(), float(np.nanmax(means, initial=0.0)))


def _curve(name: str, values: Sequence[float]) -> Text:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return Text()
    span = min(finite), max(finite)
    said = f"{number(values[0])} to {number(values[-1])}"
    return Text.assemble((f"{name}  ", _LABEL), blocks(values, span), f"  {said}")


def blocks(values: Sequence[float], span: tuple[float, float]) -> str:
    """A block for each value, the lowest for the beginning of the span; a blank for what is no number."""
    low, high = span
    size = high - low or 1.0
    shares = [(value - low) / size for value in values]
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round(min(max(s, 0.0), 1.0) * top)] if math.isfinite(s) else " " for s in shares)


def _has_room(size: tuple[int, int], needed: tuple[int, int]) -> bool:
    return size[0] >= needed[0] and size[1] >= needed[1]
