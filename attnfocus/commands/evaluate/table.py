"""What `evaluate` prints: metrics, the confusion matrix, how the metrics were computed."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from attnfocus.display.classes import MAX_CLASSES, MAX_LABEL, ClassTable
from attnfocus.display.console import say
from attnfocus.display.result import metric_lines, print_classes
from attnfocus.display.tables import aligned
from attnfocus.display.text import metric_name, number, shorten
from attnfocus.explanation import Faithfulness


def print_evaluation(
    console: Console, title: str, split: str, metrics: Mapping[str, float], extras: Mapping[str, Any]
) -> None:
    """Prints one evaluation, unwrapped. `extras` are the task's: of classes, `..._signature`."""
    say(console, title, style="bold", wrap=False)
    for line in metric_lines({split: metrics}):
        say(console, line, wrap=False)
    if "majority" in extras:
        label, share = shorten(extras["majority"]["label"], MAX_LABEL), number(extras["majority"]["accuracy"])
        say(console, f"always {label}, the commonest label: accuracy {share}", wrap=False)
    if "mean_baseline" in extras:
        mean = {name: number(value) for name, value in extras["mean_baseline"].items()}
        say(console, f"always {mean['number']}, the mean of train: mse {mean['mse']}, mae {mean['mae']}", wrap=False)
    classes = ClassTable.of(extras)
    if classes is not None:
        print_classes(console, classes)
        if len(classes.labels) > MAX_CLASSES:
            say(console, f"{len(classes.labels)} classes: format=json gives them all", style="dim", wrap=False)
    for name, value in extras.items():
        if name.endswith("_signature"):
            say(console, f"{name.removesuffix('_signature')}: {value}", style="dim", wrap=False)


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
