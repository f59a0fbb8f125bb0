"""What `evaluate` prints: metrics, the confusion matrix, how the metrics were computed."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from rich.console import Console

from attnfocus.display.classes import MAX_CLASSES, MAX_LABEL, ClassTable
from attnfocus.display.console import say
from attnfocus.display.result import metric_lines, print_classes
from attnfocus.display.tables import aligned
from attnfocus.display.text import metric_name, number, shorten
from attnfocus.explanation import Faithfulness

ARROWS = {"higher": "↑", "lower": "↓", "": ""}


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
    """Prints the verdict in three sentences, the numbers in groups, and what could not be measured."""
    say(console, "")
    first, *others = tested.sentences["en"]
    say(console, first, style="bold")
    for sentence in others:
        say(console, sentence)
    rows = [
        [metric_name(each["name"]), number(each["value"]), _interval(each["interval"]), ARROWS[each["better"]]]
        for group in tested.groups
        for each in group["measures"]
    ]
    words = [each["words"] for group in tested.groups for each in group["measures"]]
    lines = iter(zip(aligned([[*row, "|"] for row in rows]), words, strict=True))
    for group in tested.groups:
        say(console, "")
        say(console, group["title"], style="dim", wrap=False)
        for line, text in islice(lines, len(group["measures"])):
            say(console, f"{line.removesuffix('|')}{text}", wrap=False)
    say(console, "")
    say(
        console,
        "[a, b]: 95 % interval over examples. ↑ higher, ↓ lower speaks for the weights.",
        style="dim",
        wrap=False,
    )
    of_what = f"{tested.num_outputs} outputs of {tested.num_examples} examples of {tested.split}"
    say(console, f"of {', '.join(tested.attentions)}, on {of_what}, seed {tested.seed}", style="dim", wrap=False)
    for remark in tested.left_out:
        say(console, remark, style="yellow")


def _interval(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f"[{ends[0]:.2f}, {ends[1]:.2f}]"
