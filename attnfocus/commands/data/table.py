"""A look at a data set as tables for people and as plain values for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console

from attnfocus.data.codecs.base import Encoded
from attnfocus.data.preparation import Prepared
from attnfocus.data.statistics import SplitStatistics
from attnfocus.display.console import say
from attnfocus.display.tables import aligned
from attnfocus.display.text import shorten
from attnfocus.runs.data_summary import by_size, percent

MAX_CLASSES = 20  # rows of the table; data.json has all
NUM_EXAMPLES = 3
EXAMPLE_CELLS = 400  # of each text in data.json
QUANTILES = {"median": 0.5, "95 %": 0.95, "99 %": 0.99}


@dataclass(frozen=True)
class Look:
    """What is shown of a data set.

    Args:
        unit: what lengths count: tokens or positions.
        unknown: side -> pieces of valid that the vocabulary does not hold, and how often.
        report: what was read, dropped and learned.
        warnings: what a person should stop at.
    """

    name: str
    prepared: Prepared
    unit: str
    statistics: Mapping[str, SplitStatistics]
    unknown: Mapping[str, Sequence[tuple[str, int]]]
    report: Sequence[str]
    warnings: Sequence[str]


def print_look(console: Console, look: Look) -> None:
    """What was read; rows and lengths by split; classes; what is unknown; the first rows; what is wrong."""
    for line in look.report:
        say(console, line, style="dim")
    _print_table(console, "", size_rows(look))
    _print_table(console, "classes", class_rows(look, max(console.width // 3, 12)), per_split=2)
    for side, pieces in look.unknown.items():
        if pieces:
            name = f"unknown {side} tokens" if len(look.unknown) > 1 else "unknown tokens"
            say(console, f"\n{name}, of {_looked_at(look)}", style="bold")
            say(console, "  ".join(f"{piece} ({count:,})" for piece, count in pieces))
    say(console, "\nfirst rows", style="bold")
    for fact in examples_of(look):
        width = max(min(console.width, 120), 40) - 2
        say(console, f"{fact['id']}", style="dim")
        for name in ("input", "tokens", "target"):
            if fact.get(name):
                text = " ".join(fact[name]) if name == "tokens" else fact[name]
                say(console, f"  {name:<7}{shorten(' '.join(text.split()), width - 7)}", wrap=False)
    if look.warnings:
        say(console, "")
    for line in look.warnings:
        say(console, line, style="yellow")


def _print_table(console: Console, title: str, rows: Sequence[Sequence[str]], per_split: int = 1) -> None:
    """Splits side by side, or one after another where that is too wide.

    Args:
        per_split: columns of each split.
    """
    if not rows:
        return
    say(console, f"\n{title}" if title else "", style="bold")
    tables = [aligned(rows)]
    if max(map(cell_len, tables[0])) > console.width:
        places = range(1, len(rows[0]), per_split)
        tables = [aligned([[row[0], *row[place : place + per_split]] for row in rows]) for place in places]
    for lines in tables:
        for index, line in enumerate(lines):
            say(console, line, style="dim" if index == 0 else "", wrap=False)


def size_rows(look: Look) -> list[list[str]]:
    """A column for each split: rows, lengths of each side, share of unknown tokens."""
    splits = list(look.statistics.values())
    rows = [["", *look.statistics], ["rows", *(f"{split.num_rows:,}" for split in splits)]]
    sides = list(splits[0].lengths)
    for side in sides:
        name = f"{side} {look.unit}" if len(sides) > 1 else look.unit
        for quantile, share in QUANTILES.items():
            rows.append([f"{name}, {quantile}", *(f"{split.lengths[side].quantile(share):,}" for split in splits)])
        rows.append([f"{name}, longest", *(f"{split.lengths[side].longest:,}" for split in splits)])
        rows.append(["  in row", *(split.lengths[side].longest_id for split in splits)])
        if side in splits[0].unknown:
            rows.append(["  unknown", *(percent(split.unknown[side]) for split in splits)])
    return rows


def class_rows(look: Look, max_cells: int) -> list[list[str]]:
    """A row for each class, the largest first: its rows and share of each split."""
    classes = by_size(look.statistics["train"].classes)
    if not classes:
        return []
    splits = look.statistics.values()
    rows = [["", *(cell for name in look.statistics for cell in (name, ""))]]
    for label, _ in classes[:MAX_CLASSES]:
        cells = [
            cell
            for split in splits
            for cell in (f"{split.classes[label]:,}", percent(split.classes[label] / split.num_rows))
        ]
        rows.append([shorten(label, max_cells), *cells])
    if len(classes) > MAX_CLASSES:
        rest = [label for label, _ in classes[MAX_CLASSES:]]
        counts = [(sum(split.classes[label] for label in rest), split.num_rows) for split in splits]
        rows.append([f"{len(rest)} more", *(cell for n, of in counts for cell in (f"{n:,}", percent(n / of)))])
    return rows


def examples_of(look: Look) -> list[dict[str, Any]]:
    """The first rows of train: name, input, its tokens, target."""
    return [_example(each, look) for each in look.prepared.splits["train"][:NUM_EXAMPLES]]


def _example(example: Encoded, look: Look) -> dict[str, Any]:
    row, codec = example.row, look.prepared.codec
    facts: dict[str, Any] = {"id": example.id, "target": shorten(row.target, EXAMPLE_CELLS)}
    if isinstance(row.input, str):
        facts["input"] = shorten(row.input, EXAMPLE_CELLS)
        facts["tokens"] = codec.input_tokens(example.inputs[:EXAMPLE_CELLS])
    else:
        facts["input"] = " x ".join(map(str, row.input.shape))
    return facts


def facts_of(look: Look) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "dataset": look.name,
        "unit": look.unit,
        "report": list(look.report),
        "warnings": list(look.warnings),
        "sizes": look.prepared.codec.dims(),
        "splits": {name: _split_facts(split) for name, split in look.statistics.items()},
        "frequent_unknown": {_looked_at(look): {side: dict(pieces) for side, pieces in look.unknown.items()}},
        "examples": examples_of(look),
    }


def _split_facts(split: SplitStatistics) -> dict[str, Any]:
    return {
        "rows": split.num_rows,
        "lengths": {
            side: {
                **{name: lengths.quantile(share) for name, share in QUANTILES.items()},
                "longest": lengths.longest,
                "longest_row": lengths.longest_id,
            }
            for side, lengths in split.lengths.items()
        },
        "unknown": dict(split.unknown),
        "classes": dict(split.classes),
    }


def _looked_at(look: Look) -> str:
    """The split whose unknown pieces are counted."""
    return "valid" if "valid" in look.statistics else "train"
