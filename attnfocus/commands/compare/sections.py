"""What a comparison has found: configurations with the numbers of their runs, and differences to a baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev

from attnfocus.display.text import metric_name, short_key

FOCUS, FAITHFULNESS = "test/focus/effective_positions", "faithfulness/skill"
TRUST = (FOCUS, FAITHFULNESS, "faithfulness/permuted_flips")  # docs/trust.md, docs/focus.md
TRUST_NAMES = dict(
    zip(TRUST, ("effective positions", "skill of the weights", "answers changed by shuffled weights"), strict=True)
)
TRUST_DIRECTIONS = {FAITHFULNESS: "max"}
HEADS = "heads/"  # ... and the kind: how many heads are of it
HEADS_FROM = "heads_from/"  # ... and the kind: the step of the first evaluation that had such a head
COSTS = {"seconds": "time", "parameters": "parameters", "words_per_second": "words/s"}
COST_DIRECTIONS = {"seconds": "min", "words_per_second": "max"}
NOT_SHOWN = ("focus/", "perplexity", "macro_precision", "macro_recall")  # of test, in tables; the files have all


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
    """A configuration. `runs` are the metrics (`test/bleu`, `seconds`) of each run, in the order of `seeds`."""

    labels: Mapping[str, str]
    seeds: tuple[int, ...]
    run_dirs: tuple[Path, ...]
    runs: Sequence[Mapping[str, float]]

    @property
    def name(self) -> str:
        """The labels in one line; a single one without its key."""
        if len(self.labels) == 1:
            return next(iter(self.labels.values()))
        return ", ".join(f"{short_key(key, list(self.labels))}={value}" for key, value in self.labels.items())

    @cached_property
    def values(self) -> Mapping[str, Sequence[float]]:
        """Metric -> one number for each run that has it."""
        names = dict.fromkeys(name for run in self.runs for name in run)
        return {name: [run[name] for run in self.runs if name in run] for name in names}

    @cached_property
    def spreads(self) -> Mapping[str, Spread]:
        return {metric: Spread.of(values) for metric, values in self.values.items()}

    @property
    def head_counts(self) -> dict[str, float]:
        """Kind -> how many heads are of it, mean over the runs; empty where that was not looked at."""
        return {kind: each.mean for kind, each in self._of_kinds(HEADS).items() if each.mean}

    @property
    def heads_from(self) -> dict[str, Spread]:
        """Kind -> the steps of the first evaluations that had a head of it, of the runs that ever had one."""
        return self._of_kinds(HEADS_FROM)

    def _of_kinds(self, prefix: str) -> dict[str, Spread]:
        """Kind -> what `prefix` and the kind name."""
        return {name.removeprefix(prefix): each for name, each in self.spreads.items() if name.startswith(prefix)}

    def spread(self, metric: str) -> Spread | None:
        return self.spreads.get(metric)


@dataclass(frozen=True)
class Difference:
    """A row's test metric less the baseline's, seed by seed.

    Attributes:
        p_values: seed -> p of the two runs alone.
        corrected: the same, corrected for the number of configurations that the baseline is compared with (Holm 1979).
        remark: why something is missing.
    """

    name: str
    metric: str
    by_seed: Mapping[int, float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    p_values: Mapping[int, float] = field(default_factory=dict)
    remark: str = ""
    corrected: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """What was tested for the same task on the same data set. The first row is the baseline.

    Attributes:
        monitor: the metric that comes first.
        directions: metric -> which way is better.
        shares: metrics that lie between 0 and 1 by what they are.
    """

    task: str
    dataset: str
    rows: Sequence[Row]
    differences: Sequence[Difference]
    monitor: str | None
    directions: Mapping[str, str] = field(default_factory=dict)
    shares: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        return f"{self.task} on {self.dataset}"

    def is_share(self, metric: str) -> bool:
        """Whether `test/accuracy` and the like lie between 0 and 1 by what they are."""
        return metric.partition("/")[2] in self.shares


def direction_of(section: Section, metric: str) -> str:
    """`max`, `min`, or empty where neither side is better: of `test/bleu`, `seconds`."""
    known = {**TRUST_DIRECTIONS, **COST_DIRECTIONS}
    return known.get(metric) or section.directions.get(metric.partition("/")[2], "")


def shown_metrics(section: Section) -> list[str]:
    """What a table shows: of the test metrics the monitored one first, then that one on valid, then what runs cost.

    Where faithfulness was measured, focus and faithfulness follow.
    """
    found = dict.fromkeys(name for row in section.rows for name in row.values)
    tests = [name for name in found if name.startswith("test/") and not name[5:].startswith(NOT_SHOWN)]
    tests.sort(key=lambda name: (name != f"test/{section.monitor}", name == "test/loss"))
    trust = [name for name in TRUST if name in found] if FAITHFULNESS in found else []
    valid = [name for name in found if name == f"valid/{section.monitor}"]
    return [*tests, *valid, *(name for name in COSTS if name in found), *trust]


def name_of(metric: str) -> str:
    """`test bleu`, `time`: a metric as people read it."""
    return COSTS.get(metric) or TRUST_NAMES.get(metric) or metric_name(metric.replace("/", " "))
