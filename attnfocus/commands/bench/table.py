"""What attentions cost, side by side, as a table."""

from collections.abc import Sequence

from rich.console import Console

from attnfocus.commands.bench.costs import MIB, Cost, are_of_decoding, peaks_of, times_of
from attnfocus.commands.bench.growth import growth
from attnfocus.display.console import say
from attnfocus.display.tables import aligned
from attnfocus.display.text import number

LEGEND = (
    "medians of {what}, with their quartiles in parentheses. Grows as: the exponent by least "
    "squares in the logarithms and its 95 % interval; left out where that is wider than 0.5 to a side, or there are "
    "fewer than three lengths"
)


def print_row(console: Console, cost: Cost) -> None:
    """One measurement, as soon as it is there."""
    if cost.problem is not None:
        say(console, f"{cost.length:>7}  {cost.attention:24}  not measured: {cost.problem}", style="yellow", wrap=False)
        return
    ratio = ""
    if cost.of_baseline is not None and cost.low_of_baseline is not None and cost.high_of_baseline is not None:
        spread = f"({number(cost.low_of_baseline)} to {number(cost.high_of_baseline)})"
        ratio = f"  {number(cost.of_baseline)} of baseline {spread}"
    size = "" if cost.bytes is None else f"  {number(cost.bytes / MIB)} MiB"
    time = _cell(cost.seconds, cost.quartiles, 1e-3)
    say(console, f"{cost.length:>7}  {cost.attention:24}  {time} ms{ratio}{size}", wrap=False)


def print_costs(console: Console, costs: Sequence[Cost]) -> None:
    """Milliseconds, then MiB, each with how they grow; then what could not be measured, and why."""
    is_decoding = are_of_decoding(costs)
    of_time = "milliseconds, one step of decoding" if is_decoding else "milliseconds, forward and backward"
    of_memory = "MiB that decoding keeps" if is_decoding else "peak MiB, beyond parameters and inputs"
    for title, unit, values_of in ((of_time, 1e-3, times_of), (of_memory, MIB, peaks_of)):
        rows = _rows(costs, unit, values_of)
        if len(rows) > 1:
            say(console, f"\n{title}", style="bold")
            for index, line in enumerate(aligned(rows, num_left=2 if rows[0][1] == "path" else 1)):
                say(console, line, style="dim" if index == 0 else "", wrap=False)
    if any(cost.seconds is not None for cost in costs):
        what = "one step of decoding" if is_decoding else "forward and backward together"
        say(console, f"\n{LEGEND.format(what=what)}.", style="dim")
    missing = [cost for cost in costs if cost.problem is not None]
    if missing:
        say(console, "\nnot measured", style="bold")
    for cost in missing:
        say(console, f"{cost.attention} at {cost.length}: {cost.problem}", style="yellow")


def _rows(costs: Sequence[Cost], unit: float, values_of: object) -> list[list[str]]:
    lengths = sorted({cost.length for cost in costs})
    has_paths = any(cost.path for cost in costs)
    rows = [["", *(["path"] if has_paths else []), *map(str, lengths), "grows as"]]
    spreads = {(cost.attention, cost.length): cost.quartiles for cost in costs} if values_of is times_of else {}
    for attention in dict.fromkeys(cost.attention for cost in costs):
        values: dict[int, float] = values_of(costs, attention)  # type: ignore[operator]
        if not values:
            continue
        paths = dict.fromkeys(cost.path for cost in costs if cost.attention == attention and cost.length in values)
        found = growth(values)
        cells = [_cell(values.get(length), spreads.get((attention, length)), unit) for length in lengths]
        rows.append(
            [attention, *([", ".join(paths)] if has_paths else []), *cells, "" if found is None else found.text()]
        )
    return rows


def _cell(value: float | None, quartiles: tuple[float, float] | None, unit: float) -> str:
    if value is None:
        return "-"
    spread = "" if quartiles is None else f" ({number(quartiles[0] / unit)} to {number(quartiles[1] / unit)})"
    return f"{number(value / unit)}{spread}"
