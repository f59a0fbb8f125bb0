"""What was measured of attentions at lengths: times with their spread, and memory; as a CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from attnfocus.files import csv_text
from attnfocus.regular_files import replace_file

COLUMNS = ("attention", "path", "length", "forward_seconds", "backward_seconds", "peak_bytes")
MIB = 2**20
RATIOS = ("of_baseline", "low_of_baseline", "high_of_baseline")
YOUNGER = ("low_seconds", "median_seconds", "high_seconds", *RATIOS, "state_bytes")  # after the facts


@dataclass(frozen=True)
class Cost:
    """One attention at one length; `problem` says why there are no numbers.

    Attributes:
        forward_seconds, backward_seconds: medians, each of its own.
        low_seconds, median_seconds, high_seconds: quartiles of whole passes, forward and backward, or of one step of
            decoding.
        of_baseline, low_of_baseline, high_of_baseline: median and quartiles of the time as a multiple of the baseline's
            in the same turn.
        state_bytes: of what decoding keeps of the positions so far; None: no decoding was measured.
    """

    attention: str
    length: int
    path: str = ""
    forward_seconds: float | None = None
    backward_seconds: float | None = None
    peak_bytes: int | None = None
    problem: str | None = None
    low_seconds: float | None = None
    median_seconds: float | None = None
    high_seconds: float | None = None
    of_baseline: float | None = None
    low_of_baseline: float | None = None
    high_of_baseline: float | None = None
    state_bytes: int | None = None

    @property
    def seconds(self) -> float | None:
        """The median of a whole pass; of costs without it the sum of both medians."""
        if self.median_seconds is not None:
            return self.median_seconds
        if self.forward_seconds is None or self.backward_seconds is None:
            return None
        return self.forward_seconds + self.backward_seconds

    @property
    def bytes(self) -> int | None:
        """What decoding keeps, or else the peak."""
        return self.peak_bytes if self.state_bytes is None else self.state_bytes

    @property
    def quartiles(self) -> tuple[float, float] | None:
        return None if self.low_seconds is None or self.high_seconds is None else (self.low_seconds, self.high_seconds)


def times_of(costs: Sequence[Cost], attention: str) -> dict[int, float]:
    """Length -> seconds, forward and backward together."""
    return {cost.length: cost.seconds for cost in costs if cost.attention == attention and cost.seconds is not None}


def peaks_of(costs: Sequence[Cost], attention: str) -> dict[int, float]:
    """Length -> bytes."""
    return {cost.length: float(cost.bytes) for cost in costs if cost.attention == attention and cost.bytes is not None}


def are_of_decoding(costs: Sequence[Cost]) -> bool:
    return any(cost.state_bytes is not None for cost in costs)


def write_costs_csv(path: Path, costs: Sequence[Cost], facts: Mapping[str, object]) -> None:
    """A row for each attention and length; `facts` (batch size, heads, device, ...) are alike in all rows."""
    rows: list[list[object]] = [[*COLUMNS, *facts, "problem", *YOUNGER]]
    for cost in costs:
        row = asdict(cost)
        younger = [row[name] for name in YOUNGER]
        rows.append([*(row[name] for name in COLUMNS), *facts.values(), cost.problem, *younger])
    replace_file(path, csv_text(rows).encode("utf-8", "backslashreplace"))
