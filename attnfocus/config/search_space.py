"""What a search varies, read from Hydra's sweep syntax: `range(0,0.5,0.1)`, `tag(log,interval(1e-4,1e-2))`, `a,b`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override

from attnfocus.config.override_text import num_values
from attnfocus.errors import ConfigError

LOG = "log"


@dataclass(frozen=True)
class Dimension:
    """One key that a search varies.

    Attributes:
        key: as in an override: `optimizer.lr`, `attention`, `attention@model.cross_attention`.
        text: the values as they were written.
        kind: `choice` of texts; `integer` or `number` from `low` to `high`, both included.
        step: between two values; None: any between them.
        log: whether they are drawn evenly by their logarithm.
    """

    key: str
    text: str
    kind: Literal["choice", "integer", "number"]
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False

    def override(self, value: str | int | float) -> str:
        """`optimizer.lr=0.001`, exactly this value."""
        return f"{self.key}={value if isinstance(value, str) else repr(value)}"

    @property
    def extremes(self) -> tuple[str, ...]:
        """The overrides that any other value lies between; all choices."""
        if self.kind == "choice":
            return tuple(self.override(choice) for choice in self.choices)
        as_typed = int if self.kind == "integer" else float
        return self.override(as_typed(self.low)), self.override(as_typed(self.high))


def split_overrides(
    overrides: Sequence[str], params: Mapping[str, Any], groups: Collection[str]
) -> tuple[list[str], list[Dimension]]:
    """The overrides that every trial has, and what the search varies.

    Args:
        overrides: of the command line, without those of Hydra's own section.
        params: `hydra.sweeper.params`: key -> values, of a ready space; what the command line says goes before it.
        groups: names of groups, whose choices can only be named.

    Raises:
        ConfigError: every key that cannot be varied so.
    """
    parser = OverridesParser.create()
    given = [parser.parse_override(text) for text in overrides]
    named = {override.get_key_element() for override in given}
    of_space = [parser.parse_override(f"{key}={value}") for key, value in params.items() if key not in named]
    fixed: list[str] = []
    dimensions: dict[str, Dimension] = {}
    problems: list[str] = []
    for override in [*given, *of_space]:
        key = override.get_key_element()
        if not override.is_sweep_override():
            fixed.append(str(override.input_line))
        elif key in dimensions:
            problems.append(f"{key}: is varied twice. Give it once.")
        else:
            try:
                dimensions[key] = _dimension(key, override, is_group=override.key_or_group in groups)
            except ConfigError as error:
                problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return fixed, list(dimensions.values())


def _dimension(key: str, override: Override, *, is_group: bool) -> Dimension:
    text = str(override.input_line).split("=", 1)[1]
    if override.is_choice_sweep() and not isinstance(override.value(), Glob):
        return Dimension(key, text, "choice", tuple(dict.fromkeys(override.sweep_string_iterator())))
    if is_group or not (override.is_range_sweep() or override.is_interval_sweep()):
        raise ConfigError(f"{key}={text}: name the choices, as in {key}=a,b.")
    sweep: Any = override.value()
    found = _of_interval(key, text, sweep) if override.is_interval_sweep() else _of_range(key, text, override)
    if found.log and (found.low <= 0 or found.step not in (None, 1)):
        raise ConfigError(
            f"{key}={text}: a logarithm needs values > 0 and no step. Write tag(log, interval(LOW,HIGH))."
        )
    unknown = sorted(set(sweep.tags) - {LOG})
    if unknown:
        raise ConfigError(f"{key}={text}: no tag {unknown[0]}; there is log.")
    return found


def _of_interval(key: str, text: str, sweep: Any) -> Dimension:
    if not sweep.start < sweep.end:
        raise ConfigError(f"{key}={text}: the first number must be the smaller one.")
    kind: Literal["integer", "number"] = "integer" if isinstance(sweep.start, int) else "number"
    return Dimension(key, text, kind, low=sweep.start, high=sweep.end, log=LOG in sweep.tags)


def _of_range(key: str, text: str, override: Override) -> Dimension:
    """As Hydra means it: the stop is not among the values. In decimal numbers, as they are written."""
    sweep: Any = override.value()
    count = num_values(override)
    if count < 1:
        raise ConfigError(f"{key}={text}: holds no value.")
    start, step = Decimal(str(sweep.start)), Decimal(str(sweep.step))
    low, high = sorted((start, start + (count - 1) * step))
    if all(isinstance(value, int) for value in (sweep.start, sweep.stop, sweep.step)):
        return Dimension(key, text, "integer", (), int(low), int(high), abs(int(step)), LOG in sweep.tags)
    return Dimension(key, text, "number", (), float(low), float(high), abs(float(step)), LOG in sweep.tags)
