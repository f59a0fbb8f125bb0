"""What `evaluate` prints: metrics, the confusion matrix, how the metrics were computed."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from attnfocus.display.console import say
from attnfocus.display.result import metric_lines
from attnfocus.display.tables import aligned
from attnfocus.display.text import metric_name, number, shorten
from attnfocus.explanation import Faithfulness

MAX_CLASSES = 20  # of a confusion matrix that a screen can hold
MAX_LABEL = 12  # columns


def print_evaluation(
    console: Console, title: str, split: str, metrics: Mapping[str, float], extras: Mapping[str, Any]
) -> None:
    """Prints one evaluation, unwrapped. `extras` are the task's: `confusion_matrix`, `labels`, `..._signature`."""
    say(console, title, style="bold", wrap=False)
    for line in metric_lines({split: metrics}):
        say(console, line, wrap=False)
    if "confusion_matrix" in extras:
        say(console, "")
        for line in confusion_lines(extras["confusion_matrix"], extras["labels"]):
            say(console, line, wrap=False)
    for name, value in extras.items():
        if name.endswith("_signature"):
            say(console, f"{name.removesuffix('_signature')}: {value}", style="dim", wrap=False)


def confusion_lines(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> list[str]:
    """The matrix as lines: a row for each true class, a column for each answer."""
    if len(labels) > MAX_CLASSES:
        return [f"confusion matrix of {len(labels)} classes: see format=json"]
    names = [shorten(label, MAX_LABEL) for label in labels]
    rows = [["true \\ answer", *names]]
    rows += [[name, *(str(count) for count in counts)] for name, counts in zip(names, matrix, strict=True)]
    return aligned(rows)


def print_faithfulness(console: Console, tested: Faithfulness) -> None:
    """Prints the verdict, the metrics one by one, and what could not be measured."""
    say(console, "")
    say(console, tested.verdict, style="bold")
    rows = [[metric_name(name.removeprefix("faithfulness/")), number(value)] for name, value in tested.metrics.items()]
    for line in aligned(rows):
        say(console, line, wrap=False)
    of_what = f"{tested.num_outputs} outputs of {tested.num_examples} examples of {tested.split}"
    say(console, f"of {', '.join(tested.attentions)}, on {of_what}, seed {tested.seed}", style="dim", wrap=False)
    for remark in tested.left_out:
        say(console, remark, style="yellow")
