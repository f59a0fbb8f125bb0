"""What `evaluate` prints: metrics, the confusion matrix, how the metrics were computed."""

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from rich.console import Console

from attnfocus.display.classes import MAX_CLASSES, MAX_LABEL, ClassTable
from attnfocus.display.console import say
from attnfocus.display.heads import counts_text
from attnfocus.display.result import metric_lines, print_classes
from attnfocus.display.tables import aligned
from attnfocus.display.text import metric_name, number, shorten
from attnfocus.explanation import Faithfulness
from attnfocus.explanation.head_table import HeadTable
from attnfocus.explanation.measures import OF_ERASURES, OF_RANKINGS, PREFIX, name_of_effect

ARROWS = {"higher": "↑", "lower": "↓", "": ""}
MAX_HEADS = 24  # rows of the table of heads


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
    for remark in tested.glossary["en"]:
        say(console, remark, style="dim")
    rows = [
        [metric_name(each["name"]), number(each["value"]), _interval(each["interval"]), ARROWS[each["better"]]]
        for group in tested.groups
        for each in group["measures"]
    ]
    lines = iter(aligned([[*row, "|"] for row in rows]))
    for group in tested.groups:
        measures, way = group["measures"], group["way"]
        own = list(islice(lines, len(measures)))
        say(console, "")
        if way is not None:
            for line in aligned(_effects(tested, group["title"], way)):
                say(console, line, wrap=False)
            continue
        say(console, group["title"], style="dim", wrap=False)
        for line, each in zip(own, measures, strict=True):
            say(console, f"{line.removesuffix('|')}{each['words']}", wrap=False)
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


def _effects(tested: Faithfulness, title: str, way: str) -> list[list[str]]:
    """A row for each ranking of positions, a column for each way to take one away; +- half of the 95 % interval."""
    rows = [[title, *OF_ERASURES]]
    for ranking, words in OF_RANKINGS.items():
        names = [PREFIX + name_of_effect(erasure, way, ranking) for erasure in OF_ERASURES]
        known = [(tested.metrics.get(name), tested.intervals.get(name)) for name in names]
        cells = [
            "" if of is None or value is None else f"{value:.2f} ±{(of[1] - of[0]) / 2:.2f}" for value, of in known
        ]
        rows.append([f"  {words}{' ↑' if ranking == 'weights' else ''}", *cells])
    return rows


def _interval(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f"[{ends[0]:.2f}, {ends[1]:.2f}]"


def print_heads(console: Console, table: HeadTable) -> None:
    """Prints each head with its kind and what the run loses without it, those that cost most first."""
    say(console, "")
    say(console, f"heads: {counts_text(table.counts) or 'none gives weights'}", style="bold")
    names = list(table.metrics)
    most = sorted(table.heads, key=lambda head: -head.costs.get("loss", 0.0))[:MAX_HEADS]
    rows = [["attention", "head", "kind", "score", *(f"{name} without it" for name in names)]] if most else []
    for head in most:
        score = number(head.score) if math.isfinite(head.score) else "-"
        costs = [_cost(name, head.costs.get(name)) for name in names]
        kind = head.kind if head.nearest == head.kind else f"{head.kind} ({head.nearest})"
        rows.append([head.attention, str(head.number), kind, score, *costs])
    for line in aligned(rows):
        say(console, line, wrap=False)
    of_all = f"{len(most)} of {len(table.heads)} heads; format=json has all. " if len(most) < len(table.heads) else ""
    whole = ", ".join(f"{name} {number(value)}" for name, value in table.metrics.items())
    of_what = f"first {table.num_examples} examples of {table.split} ({whole}); a head is replaced by its mean"
    say(console, f"{of_all}{of_what}", style="dim", wrap=False)


def _cost(name: str, cost: float | None) -> str:
    """The change of a metric without the head, with its sign: a loss rises, a share of right answers falls."""
    if cost is None:
        return "-"
    change = cost if name == "loss" else -cost
    return f"{'+' if change >= 0 else '-'}{number(abs(change))}"
