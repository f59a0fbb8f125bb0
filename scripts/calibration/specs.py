"""Which runs are made: task x model x preset x decoy x seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

from calibration.class_tasks import And, ByPosition, Lookup, Majority, Marked, Needle, OneWord, Order, Presence, Xor
from calibration.decoys import Decoy
from calibration.late_tasks import First, Largest, Negation, Select
from calibration.planted import PlantedTask
from calibration.text_tasks import Copy, Dates, Reverse

Preset = Literal["additive", "scaled_dot", "entmax15", "multi_head"]
ModelName = Literal[
    "pooling",
    "parallel_mean",
    "rnn",
    "transformer",
    "transformer_cls",
    "seq2seq",
    "transformer_seq2seq",
    "language_model",
]
CLASS_TASKS: tuple[type[PlantedTask], ...] = (
    OneWord,
    Needle,
    Presence,
    Majority,
    ByPosition,
    Marked,
    And,
    Xor,
    Order,
    Lookup,
)
TEXT_TASKS: tuple[type[PlantedTask], ...] = (Copy, Reverse, Dates)
LATE_TASKS: tuple[type[PlantedTask], ...] = (First, Largest, Negation, Select)
TASKS = {task.name: task for task in (*CLASS_TASKS, *TEXT_TASKS, *LATE_TASKS)}
FIT_FAMILIES = frozenset({"one_word", "majority", "position", "and", "copy"})  # thresholds are fitted on these alone
FIT_SEED, FRESH_SEEDS = 1, (101, 102)
GROUPS = ("fit", "fresh seeds", "other families", "late runs")
LATE_SEEDS = (103, 104)  # of runs that were added when rules and thresholds stood

_CLASSES = tuple(task.name for task in CLASS_TASKS)
_TEXTS = tuple(task.name for task in TEXT_TASKS)
_BAGS = ("one_word", "needle", "presence", "majority", "position", "and")  # what a pooling alone can learn
_UNPLACED = tuple(name for name in _BAGS if name != "position")  # ... without positions
_QUICK = tuple(name for name in _CLASSES if name != "lookup")  # what is learned in a few hundred steps without help
_FEW = ("one_word", "needle", "marked", "order")


@dataclass(frozen=True)
class Spec:
    """One run."""

    task: str
    model: ModelName
    preset: Preset
    decoy: Decoy
    seed: int

    @property
    def name(self) -> str:
        return f"{self.task}-{self.model}-{self.preset}-{self.decoy}-{self.seed}"

    @property
    def first(self) -> int:
        """The position of a row's first word in what the model reads: a language model reads BOS before it."""
        return 1 if self.model == "language_model" else 0

    @property
    def is_fit(self) -> bool:
        """Whether thresholds may be fitted on it; all others judge them."""
        return self.task in FIT_FAMILIES and self.seed == FIT_SEED

    @property
    def group(self) -> str:
        """Which figures it counts for."""
        fit, fresh, other, late = GROUPS
        if self.seed in LATE_SEEDS:
            return late
        if self.is_fit:
            return fit
        return fresh if self.task in FIT_FAMILIES else other


@dataclass(frozen=True)
class _Part:
    """Some runs of the grid."""

    tasks: tuple[str, ...]
    model: ModelName
    presets: tuple[Preset, ...]
    decoys: tuple[Decoy, ...]


_MIXED: tuple[Decoy, ...] = (
    "guided_marker",
    "guided_first",
    "constant",
    "uniform",
    "random",
    "inverted",
    "shifted",
)
_GRID = (
    _Part(_BAGS, "pooling", ("additive", "scaled_dot"), ("none",)),
    _Part(_UNPLACED, "pooling", ("additive",), ("guided_marker", "constant", "uniform")),
    _Part(_UNPLACED, "parallel_mean", ("additive",), ("guided_marker", "constant")),
    _Part(_CLASSES, "rnn", ("additive",), ("none", "guided_right")),
    _Part(_QUICK, "rnn", ("entmax15",), ("none",)),
    _Part(_QUICK, "rnn", ("additive",), _MIXED),
    _Part(_CLASSES, "transformer", ("multi_head",), ("none", "guided_right")),
    _Part(_FEW, "transformer", ("multi_head",), ("guided_marker", "guided_first")),
    _Part(_FEW, "transformer", ("additive",), ("constant", "uniform")),
    _Part(_QUICK, "transformer_cls", ("multi_head",), ("none",)),
    _Part(_FEW, "transformer_cls", ("multi_head",), ("guided_marker", "guided_first")),
    _Part(_TEXTS, "seq2seq", ("additive", "scaled_dot"), ("none",)),
    _Part(_TEXTS, "seq2seq", ("additive",), ("guided_right", "guided_next", "guided_first", "constant", "uniform")),
    _Part(_TEXTS, "transformer_seq2seq", ("multi_head",), ("none", "guided_right", "guided_next", "guided_first")),
)
_LATE_GRID = (
    _Part(("largest",), "pooling", ("additive", "scaled_dot"), ("none",)),
    _Part(("largest",), "pooling", ("additive",), ("guided_marker", "constant", "uniform")),
    _Part(("largest",), "parallel_mean", ("additive",), ("guided_marker", "constant")),
    _Part(("first", "largest", "negation"), "rnn", ("additive",), ("none", "guided_right", *_MIXED)),
    _Part(("first", "largest", "negation"), "rnn", ("entmax15",), ("none",)),
    _Part(
        ("first", "largest", "negation"),
        "transformer",
        ("multi_head",),
        ("none", "guided_right", "guided_marker", "guided_first"),
    ),
    _Part(("first", "largest", "negation"), "transformer_cls", ("multi_head",), ("none", "guided_marker")),
    _Part(("select",), "seq2seq", ("additive", "scaled_dot"), ("none",)),
    _Part(("select",), "seq2seq", ("additive",), ("guided_right", "guided_next", "guided_first", "constant")),
    _Part(("select",), "transformer_seq2seq", ("multi_head",), ("none", "guided_right", "guided_next")),
    _Part(
        ("one_word", "marked", "lookup", "first", "largest", "order"),
        "language_model",
        ("multi_head",),
        ("none", "guided_right", "guided_marker", "guided_first"),
    ),
    _Part(
        ("one_word", "marked", "first", "largest"), "language_model", ("scaled_dot",), ("constant", "uniform", "random")
    ),
)
_HONEST: tuple[Decoy, ...] = ("none", "guided_right")


def specs() -> list[Spec]:
    """All runs: every family with one seed, some with fresh ones, and late runs. Any first part has all kinds."""
    fresh = (spec for seed in FRESH_SEEDS for spec in _specs(seed) if _is_made_again(spec))
    late = (*_specs(LATE_SEEDS[0]), *(spec for seed in LATE_SEEDS for spec in _specs(seed, _LATE_GRID)))
    return sorted((*_specs(FIT_SEED), *fresh, *late), key=lambda spec: crc32(spec.name.encode()))


def _is_made_again(spec: Spec) -> bool:
    """Models that are quickly trained: with a second seed decoys, and of the families of fitting the honest ones too;
    poolings with a third."""
    is_pooling = spec.model in ("pooling", "parallel_mean")
    if spec.decoy in _HONEST:
        return spec.seed == FRESH_SEEDS[0] and spec.task in FIT_FAMILIES and (is_pooling or spec.model == "rnn")
    return is_pooling or (spec.model == "rnn" and spec.seed == FRESH_SEEDS[0])


def _specs(seed: int, grid: Sequence[_Part] = _GRID) -> Iterator[Spec]:
    for part in grid:
        for task in part.tasks:
            for preset in part.presets:
                for decoy in part.decoys:
                    yield Spec(task, part.model, preset, decoy, seed)
