"""Configurations side by side as cells of text: means and spreads over seeds, differences to a baseline; Markdown."""

from collections import Counter
from collections.abc import Sequence
from statistics import mean

from attnfocus.commands.compare.sections import Row, Section, direction_of, name_of, shown_metrics
from attnfocus.display.text import duration, number, short_key
from attnfocus.visible import visible

MAX_P_VALUES = 4  # that a table shows one by one
MAX_NAMED = 6  # rows that one remark names
ARROWS = {"max": "↑", "min": "↓", "": ""}
LEGEND = (
    "mean ± sample standard deviation over the seeds; (n=1): from so many runs, fewer than the row has. "
    "↑ more is better, ↓ less is. "
    "Difference: mean over the seeds that both have, with its 95 % interval (Student's t, one difference per seed). "
    "p: of each seed's two runs on their test examples (McNemar's exact test; paired bootstrap for BLEU and chrF; "
    "paired randomization for errors of numbers); "
    "it says nothing about other seeds"
)


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
    """What the numbers are; for how many tests p is corrected, where that matters."""
    if not any(section.differences for section in sections):
        return f"{LEGEND.split(' Difference')[0]}"
    largest, is_most = corrected_for(sections)
    if largest < 2:
        return f"{LEGEND}."
    several = f"up to {largest}" if is_most else f"the {largest}"
    return f"{LEGEND}, and is corrected for {several} comparisons with the baseline (Holm)."


def corrected_for(sections: Sequence[Section]) -> tuple[int, bool]:
    """How many p, by the same metric and seed, are corrected together at most, and whether others are fewer."""
    counts = {count for section in sections for count in _num_compared(section)}
    return max(counts, default=0), len(counts) > 1


def _num_compared(section: Section) -> set[int]:
    return set(Counter((each.metric, seed) for each in section.differences for seed in each.p_values).values())


def remarks(section: Section) -> list[str]:
    """Each once, with the rows that it is about."""
    about: dict[str, dict[str, None]] = {}
    for each in section.differences:
        if each.remark:
            about.setdefault(each.remark, {})[each.name] = None
    return [f"{_some(list(names))}: {remark}." for remark, names in about.items()]


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - MAX_NAMED
    return "; ".join([*names[:MAX_NAMED], *([f"{more} more"] if more > 0 else [])])


def label_cells(section: Section) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the labels that tell the configurations apart."""
    keys = list(dict.fromkeys(key for row in section.rows for key in row.labels))
    return [short_key(key, keys) for key in keys], [[row.labels.get(key, "-") for key in keys] for row in section.rows]


def number_cells(section: Section) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of numbers: of runs, test metrics, the monitored metric on valid, costs, trust."""
    metrics = shown_metrics(section)
    headers = ["runs", *(header_of(section, metric) for metric in metrics)]
    return headers, [[str(len(row.seeds)), *(spread_text(row, metric) for metric in metrics)] for row in section.rows]


def result_cells(section: Section) -> tuple[list[str], list[list[str]]]:
    """Labels and numbers side by side."""
    (names, labels), (headers, numbers) = label_cells(section), number_cells(section)
    return [*names, *headers], [[*left, *right] for left, right in zip(labels, numbers, strict=True)]


def header_of(section: Section, metric: str) -> str:
    """`test bleu ↑`: the name of a metric, and which way it is better."""
    return f"{name_of(metric)} {ARROWS[direction_of(section, metric)]}".rstrip()


def spread_text(row: Row, metric: str) -> str:
    """Mean and deviation; how many runs they come from where not all of the row have the metric.

    Counts such as parameters have no deviation: they are equal, or a range is given.
    """
    values, spread = row.values.get(metric), row.spread(metric)
    if spread is None or not values:
        return "-"
    text = duration if metric == "seconds" else number
    of_some = f" (n={spread.count})" if spread.count < len(row.seeds) else ""
    if metric == "parameters":
        ends = dict.fromkeys(number(round(value)) for value in (min(values), max(values)))
        return f"{' to '.join(ends)}{of_some}"
    deviation = f" ± {text(spread.deviation)}" if spread.deviation else ""
    return f"{text(spread.mean)}{deviation}{of_some}"


def difference_cells(section: Section) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of texts: configuration, metric, difference, interval, seeds, p."""
    is_corrected = corrected_for([section])[0] > 1
    rows = [
        [
            each.name,
            header_of(section, f"test/{each.metric}").removeprefix("test "),
            signed(mean(each.by_seed.values())) if each.by_seed else "-",
            "-" if each.interval is None else f"{signed(each.interval[0])} to {signed(each.interval[1])}",
            _seeds_text(list(each.by_seed)),
            _p_text(list((each.corrected if is_corrected else each.p_values).values())),
        ]
        for each in section.differences
    ]
    of_p = "p (Holm), each seed" if is_corrected else "p, each seed"
    return ["", "metric", "difference", "95 % interval", "seeds", of_p], rows


def signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{number(abs(value))}"


def _seeds_text(seeds: Sequence[int]) -> str:
    """The seeds; of many their number."""
    return ", ".join(map(str, seeds)) or "-" if len(seeds) <= MAX_P_VALUES else f"{len(seeds)} seeds"


def _p_text(values: Sequence[float]) -> str:
    if not values:
        return "-"
    if len(values) <= MAX_P_VALUES:
        return ", ".join(_p(value) for value in values)
    return f"{_p(min(values))} to {_p(max(values))}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
