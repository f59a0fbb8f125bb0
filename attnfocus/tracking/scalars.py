"""The figures of an event under the names that TensorBoard and the trackers outside show them by."""

from attnfocus.events import Evaluated, Progress


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


def best_scalars(event: Evaluated) -> dict[str, float]:
    """`best/bleu`, where the evaluation is the best so far."""
    return {f"best/{event.best.metric}": event.best.value} if event.is_best and event.best is not None else {}
