"""What a run says of its data before it begins: a few lines, and a warning for what a person would stop at."""

import unicodedata
from collections.abc import Mapping, Sequence

from attnfocus.data.preparation import DatasetOptions, Prepared
from attnfocus.data.statistics import (
    LONG,
    Lengths,
    SplitStatistics,
    labels_of_one_row,
    nearly_equal_labels,
    split_statistics,
)
from attnfocus.display.text import shorten
from attnfocus.training.options import TrainerOptions

FEW_ROWS = 30  # of a split: below, a row is more than 3 points of accuracy
NEARLY_ALL = 0.9  # unknown tokens: nothing can be learned from the rest
MAX_SHOWN = 3  # classes
MAX_NAMED = 5  # labels in a warning
MAX_LABEL_CELLS = 24
WARNING = "warning: "


def statistics_of(prepared: Prepared) -> dict[str, SplitStatistics]:
    """Split -> what there is in it, of those that were encoded."""
    return {split: split_statistics(examples, prepared.codec) for split, examples in prepared.splits.items()}


def summary_lines(
    prepared: Prepared, statistics: Mapping[str, SplitStatistics], options: DatasetOptions, trainer: TrainerOptions
) -> list[str]:
    """Lengths, unknown tokens and classes in a line each, then what is wrong with them."""
    lines = [*_length_lines(prepared, statistics), *_class_lines(statistics)]
    warnings = [
        *_unknown_warnings(statistics, options),
        *_label_warnings(statistics),
        *_size_warnings(statistics),
        *_long_warnings(prepared, statistics, trainer),
    ]
    return [*lines, *(f"{WARNING}{text}" for text in warnings)]


def majority_accuracy(statistics: Mapping[str, SplitStatistics]) -> dict[str, float]:
    """Split (not train) -> the accuracy of always answering the commonest label of train; empty without labels."""
    ordered = by_size(statistics["train"].classes)
    others = {name: split for name, split in statistics.items() if name != "train"}
    return {name: split.classes[ordered[0][0]] / split.num_rows for name, split in others.items()} if ordered else {}


def unit_of(prepared: Prepared) -> str:
    return "tokens" if prepared.codec.input_kind == "text" else "positions"


def _length_lines(prepared: Prepared, statistics: Mapping[str, SplitStatistics]) -> list[str]:
    """`tokens a row: median 9, 95 % at most 11, longest 14; unknown 3.1 % of valid, 2.9 % of test`."""
    train = statistics["train"]
    lines = []
    for side, lengths in train.lengths.items():
        name = f"{side} " if len(train.lengths) > 1 else ""
        figures = f"median {lengths.median:,}, 95 % at most {lengths.quantile(0.95):,}, longest {lengths.longest:,}"
        shares = [
            f"{percent(split.unknown[side])} of {name_of_split}"
            for name_of_split, split in statistics.items()
            if name_of_split != "train" and side in split.unknown
        ]
        unknown = f"; unknown {', '.join(shares)}" if shares else ""
        lines.append(f"{name}{unit_of(prepared)} a row: {figures}{unknown}")
    return lines


def _class_lines(statistics: Mapping[str, SplitStatistics]) -> list[str]:
    """`classes: yes 61.2 % of train, no 38.8 %; always yes: 60.0 % of valid`."""
    train = statistics["train"]
    if not train.classes:
        return []
    ordered = by_size(train.classes)
    named = ordered if len(ordered) == MAX_SHOWN + 1 else ordered[:MAX_SHOWN]
    shown = [f"{short(label)} {percent(count / train.num_rows)}" for label, count in named]
    shown[0] += " of train"
    if len(ordered) > len(named):
        least, count = ordered[-1]
        shown.append(f"{len(ordered) - len(named)} more down to {short(least)} ({number_of(count, 'row')})")
    share = majority_accuracy(statistics).get("valid")
    always = "" if share is None else f"; always {short(ordered[0][0])}: {percent(share)} of valid"
    return [f"{len(ordered)} classes: {', '.join(shown)}{always}"]


def _unknown_warnings(statistics: Mapping[str, SplitStatistics], options: DatasetOptions) -> list[str]:
    tokenizer, warnings = options.tokenizer, []
    least = tokenizer.min_frequency
    for side, share in statistics["train"].unknown.items():
        name = f"{side} " if len(statistics["train"].unknown) > 1 else ""
        if share >= NEARLY_ALL:
            ways = [f"dataset.tokenizer.min_frequency={least - 1}"] if least > 1 else []
            ways += ["dataset.tokenizer.kind=bpe"] if tokenizer.kind != "bpe" else []
            which = (
                f"no {name}token of train is" if share == 1 else f"{percent(share)} of the {name}tokens of train are un"
            )
            known = "known" if share < 1 else " known"
            rare = f": dataset.tokenizer.min_frequency={least} leaves out what occurs less often" if least > 1 else ""
            way_out = f" Use {' or '.join(ways)}." if ways else ""
            warnings.append(f"{which}{known}{rare}.{way_out}")
            continue
        for split in ("valid", "test"):
            of_split = statistics[split].unknown.get(side, 0.0) if split in statistics else 0.0
            if of_split >= NEARLY_ALL:
                warnings.append(f"{percent(of_split)} of the {name}tokens of {split} do not occur in train.")
    return warnings


def _label_warnings(statistics: Mapping[str, SplitStatistics]) -> list[str]:
    classes, warnings = statistics["train"].classes, []
    groups = [
        ", ".join(f"{_exactly(label, group)} ({number_of(classes[label], 'row')})" for label in group)
        for group in nearly_equal_labels(classes)
    ]
    if groups:
        shown = "; ".join(groups[:MAX_NAMED]) + (f"; and {len(groups) - MAX_NAMED} more" if groups[MAX_NAMED:] else "")
        warnings.append(f"labels that differ in case, blanks or Unicode form alone are classes of their own: {shown}.")
    single = labels_of_one_row(statistics)
    if single:
        shown = ", ".join(short(label) for label in single[:MAX_NAMED])
        more = f" and {len(single) - MAX_NAMED:,} more" if len(single) > MAX_NAMED else ""
        has = "the label {} has a single row" if len(single) == 1 else "the labels {} have a single row each"
        warnings.append(f"{has.format(shown + more)}, which stays in train: no score is about it.")
    return warnings


def _size_warnings(statistics: Mapping[str, SplitStatistics]) -> list[str]:
    most = statistics["train"].num_rows  # a split of as many rows as train is no oversight
    few = {name: split.num_rows for name, split in statistics.items() if split.num_rows < min(FEW_ROWS, most)}
    if not few:
        return []
    counts = " and ".join(f"{name} has {number_of(count, 'row')}" for name, count in few.items())
    largest = max(few.values())
    return [f"{counts}: one row is {percent(1 / largest)} of a score, too much to tell models apart."]


def _long_warnings(prepared: Prepared, statistics: Mapping[str, SplitStatistics], trainer: TrainerOptions) -> list[str]:
    """Of the row that is farthest above the median of train, where batches are counted in rows."""
    usual = statistics["train"].lengths
    times, split, side = max(
        (lengths.longest / max(usual[side].median, 1), split, side)
        for split, of_split in statistics.items()
        for side, lengths in of_split.lengths.items()
    )
    if times < LONG or trainer.batch_unit == "tokens":
        return []
    longest = statistics[split].lengths[side]
    size = round_up(trainer.batch_size * sum(lengths.quantile(0.95) for lengths in usual.values()))
    ways = [f"trainer.batch_unit=tokens trainer.batch_size={size} keeps batches alike in size"]
    if split == "train":  # a limit concerns no other rows
        limit = _words_at_most(prepared, usual[side])
        ways.insert(0, f"dataset.clean.max_words={limit} leaves such rows out of train")
    size_of_row = f"{longest.longest:,} {unit_of(prepared)}, {times:,.0f} times the median"
    return [f"row {longest.longest_id} has {size_of_row}: its batch is nearly all padding. {'; '.join(ways)}."]


def _words_at_most(prepared: Prepared, lengths: Lengths) -> int:
    """A limit of words that nearly all rows keep: of the row that 99 % are no longer than."""
    rows = prepared.splits["train"].rows
    values = lengths.values
    usual = max(lengths.quantile(0.99), 1)
    if usual * 2 > lengths.longest:  # there are too few rows for a hundredth of them
        usual = lengths.quantile(0.5)
    row = rows[int(abs(values - usual).argmin())]
    return round_up(2 * max(prepared.codec.sizes(row)))


def round_up(value: int) -> int:
    """To one or two digits that are no zero: 1,000 for 963, 60 for 52."""
    unit = 10 ** max(len(str(value)) - 2, 1)
    return -(-value // unit) * unit


def by_size(classes: Mapping[str, int]) -> list[tuple[str, int]]:
    """The largest first; equal ones in their order."""
    return sorted(classes.items(), key=lambda item: -item[1])


def percent(share: float) -> str:
    """`61.2 %`; never 0 or 100 where some are left."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"


def number_of(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def short(label: str) -> str:
    return shorten(label, MAX_LABEL_CELLS)


def _exactly(label: str, group: Sequence[str]) -> str:
    """The label in quotes; with its code points where another of the group looks the same."""
    forms = [unicodedata.normalize("NFC", each) for each in group]
    return ascii(label) if forms.count(unicodedata.normalize("NFC", label)) > 1 else f'"{label}"'
