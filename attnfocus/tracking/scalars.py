"""The figures of an event under the names that TensorBoard and the trackers outside show them by."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from statistics import fmean

from attnfocus.events import Evaluated, Heads, Listener, Progress


def progress_scalars(event: Progress) -> dict[str, float]:
    """`train/loss`, `train/lr`, ... of a logged step."""
    return {f"train/{name}": value for name, value in event.metrics.items()}


def evaluation_scalars(event: Evaluated) -> dict[str, float]:
    """`valid/bleu`, `focus/valid/effective_positions`, ... of an evaluation, without those of single heads."""
    found = {}
    for name, value in event.metrics.items():
        measure = name.removeprefix("focus/")
        found[f"{event.split}/{name}" if measure == name else f"focus/{event.split}/{measure}"] = value
    return found


def attention_scalars(heads: Heads) -> dict[str, float]:
    """`weights_logits/<attention>`, `weights_entropy/<attention>`: what warns of a collapse, of its heads together."""
    found = {}
    for measure, group, together in (("max_logit", "logits", max), ("normalized_entropy", "entropy", fmean)):
        for attention, measures in heads.items():
            if measures.get(measure):
                found[f"weights_{group}/{attention}"] = together(measures[measure])
    return found


def best_scalars(event: Evaluated) -> dict[str, float]:
    """`best/bleu`, where the evaluation is the best so far."""
    return {f"best/{event.best.metric}": event.best.value} if event.is_best and event.best is not None else {}


class ScalarTracker(Listener, ABC):
    """A tracker that takes every figure of a run as a number with a name and a step."""

    @abstractmethod
    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Keeps or sends the figures of one step."""

    def on_progress(self, event: Progress) -> None:
        if event.is_logged:
            self.log(event.step, progress_scalars(event))

    def on_evaluation(self, event: Evaluated) -> None:
        self.log(event.step, {**evaluation_scalars(event), **best_scalars(event)})
