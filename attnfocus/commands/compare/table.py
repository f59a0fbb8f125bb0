"""Configurations side by side: means and spreads over seeds, differences to a baseline; as table, Markdown and CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev

from rich.console import Console
from rich.text import Text

from attnfocus.display.console import say, writable
from attnfocus.display.tables import new_table, print_table
from attnfocus.display.text import duration, metric_name, number, short_key
from attnfocus.visible import visible

MAX_P_VALUES = 4  # that a table shows one by one
NOT_SHOWN = ("focus/", "perplexity", "macro_precision", "macro_recall")  # of test, in tables; the files have all
FOCUS, FAITHFULNESS = "test/focus/effective_positions", "faithfulness/gain_over_chance"
TRUST = (FOCUS, FAITHFULNESS, "faithfulness/permuted_change")  # docs/focus.md
LEGEND = (
    "mean ± sample standard deviation over the seeds. Difference: mean over the seeds that both have, with its 95 % "
    "interval (Student's t, one difference per seed). p: of each seed's two runs on their test examples (McNemar's "
    "exact test; paired bootstrap for BLEU and chrF); it says nothing about other seeds"
)


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (None for a single value)."""

    mean: float
    deviation: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(mean(values), stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True)
class Row:
    """A configuration. `values` maps a metric (`test/bleu`, `seconds`) to one number for each run that has it."""

    labels: Mapping[str, str]
    seeds: tuple[int, ...]
    run_dirs: tuple[Path, ...]
    values: Mapping[str, Sequence[float]]

    @property
    def name(self) -> str:
        """The labels in one line; a single one without its key."""
        if len(self.labels) == 1:
            return next(iter(self.labels.values()))
        return ", ".join(f"{short_key(key, list(self.labels))}={value}" for key, value in self.labels.items())

    def spread(self, metric: str) -> Spread | None:
        values = self.values.get(metric)
        return Spread.of(values) if values else None


@dataclass(frozen=True)
class Difference:
    """A row's test metric less the baseline's, seed by seed. `remark` says why something is missing."""

    name: str
    metric: str
    by_seed: Mapping[int, float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    p_values: Mapping[int, float] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True)
class Section:
    """What was tested for the same task on the same data set. The first row is the baseline."""

    task: str
    dataset: str
    rows: Sequence[Row]
    differences: Sequence[Difference]
    monitor: str | None  # the metric that comes first
    directions: Mapping[str, str] = field(default_factory=dict)  # which way is better, of metrics of one's own

    @property
    def title(self) -> str:
        return f"{self.task} on {self.dataset}"


def print_comparison(console: Console, sections: Sequence[Section]) -> None:
    """Prints both tables of each section, then what the numbers are, and what is missing."""
    for section in sections:
        say(console, f"\n{section.title}", style="bold")
        _print(console, *result_cells(section))
        if section.differences:
            say(console, f"\nagainst {section.rows[0].name}", style="bold")
            _print(console, *difference_cells(section))
        for remark in remarks(section):
            say(console, remark, style="yellow")
    say(console, f"\n{legend(sections)}", style="dim")


def _print(console: Console, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = new_table(console)
    for header in headers:
        is_text = all(row[headers.index(header)][:1].isalpha() for row in rows)
        table.add_column(Text(writable(console, header)), justify="left" if is_text else "right")
    for row in rows:
        table.add_row(*(Text(writable(console, cell)) for cell in row))
    print_table(console, table)


def as_markdown(sections: Sequence[Section]) -> str:
    """The same tables for a page of text."""
    lines: list[str] = []
    for section in sections:
        lines += [f"### {_escaped(section.title)}", "", *_pipes(*result_cells(section)), ""]
        if section.differences:
            lines += [f"Against {_escaped(section.rows[0].name)}:", "", *_pipes(*difference_cells(section)), ""]
        lines += [line for remark in remarks(section) for line in (_escaped(remark), "")]
    return "\n".join([*lines, legend(sections)])


def _pipes(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headers, ["---"] * len(headers), *rows]
    return ["| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines]


def _escaped(text: str) -> str:
    shown = visible(text)
    for character in "\\|*_<`[":
        shown = shown.replace(character, f"\\{character}")
    return shown


def legend(sections: Sequence[Section]) -> str:
    """What the numbers are; how many tests were made, where that matters."""
    count = sum(len({each.name for each in section.differences}) for section in sections)
    several = f", and is not corrected for the {count} comparisons" if count > 1 else ""
    return f"{LEGEND}{several}." if count else f"{LEGEND.split(' Difference')[0]}"


def remarks(section: Section) -> list[str]:
    """Each once, with the rows that it is about."""
    about: dict[str, dict[str, None]] = {}
    for each in section.differences:
        if each.remark:
            about.setdefault(each.remark, {})[each.name] = None
    return [f"{'; '.join(names)}: {remark}." for remark, names in about.items()]


def result_cells(section: Section) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of texts: labels, number of runs, test metrics, the monitored metric on valid, costs."""
    keys = list(dict.fromkeys(key for row in section.rows for key in row.labels))
    metrics = shown_metrics(section)
    costs = {"seconds": "time", "parameters": "parameters", "words_per_second": "words/s"}
    names = [_header(section, metric) for metric in metrics]
    headers = [*(short_key(key, keys) for key in keys), "runs", *names, *costs.values()]
    rows = [
        [
            *(row.labels.get(key, "-") for key in keys),
            str(len(row.seeds)),
            *(_spread_text(row.spread(metric), metric) for metric in (*metrics, *costs)),
        ]
        for row in section.rows
    ]
    return headers, rows


def shown_metrics(section: Section) -> list[str]:
    """Of the test metrics those that a table shows, the monitored one first; then that one on valid.

    Where faithfulness was measured, focus and faithfulness follow.
    """
    found = dict.fromkeys(name for row in section.rows for name in row.values)
    tests = [name for name in found if name.startswith("test/") and not name[5:].startswith(NOT_SHOWN)]
    tests.sort(key=lambda name: (name != f"test/{section.monitor}", name == "test/loss"))
    trust = [name for name in TRUST if name in found] if FAITHFULNESS in found else []
    return [*tests, *(name for name in found if name == f"valid/{section.monitor}"), *trust]


def _header(section: Section, metric: str) -> str:
    """The name of a metric; with its direction where that is not known from the task."""
    direction = section.directions.get(metric.partition("/")[2])
    name = metric_name(metric.replace("/", " "))
    return f"{name} ({direction})" if direction else name


def _spread_text(spread: Spread | None, metric: str) -> str:
    if spread is None:
        return "-"
    text = duration if metric == "seconds" else number
    if not spread.deviation:
        return text(spread.mean)
    return f"{text(spread.mean)} ± {text(spread.deviation)}"


def difference_cells(section: Section) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of texts: configuration, metric, difference, interval, seeds, p."""
    rows = [
        [
            each.name,
            metric_name(each.metric),
            _signed(mean(each.by_seed.values())) if each.by_seed else "-",
            "-" if each.interval is None else f"{_signed(each.interval[0])} to {_signed(each.interval[1])}",
            ", ".join(map(str, each.by_seed)) or "-",
            _p_text(list(each.p_values.values())),
        ]
        for each in section.differences
    ]
    return ["", "metric", "difference", "95 % interval", "seeds", "p, each seed"], rows


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{number(abs(value))}"


def _p_text(values: Sequence[float]) -> str:
    if not values:
        return "-"
    if len(values) <= MAX_P_VALUES:
        return ", ".join(_p(value) for value in values)
    return f"{_p(min(values))} to {_p(max(values))}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
