"""From a source to numbers: read, clean, split, learn the vocabulary on train, encode."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from attnfocus.collector import without_collector
from attnfocus.data.clean import CleanOptions, CleanReport, Splits, clean_splits, limit_train, train_limits
from attnfocus.data.codecs.base import Codec
from attnfocus.data.examples import Examples
from attnfocus.data.rows import SPLITS, RawData, Row, Source
from attnfocus.data.split import SplitOptions, named_as_read, renamed, split_train
from attnfocus.data.stream_splits import cleaned, split_streams
from attnfocus.data.text_blocks import BLOCK, pair_reprs
from attnfocus.data.text_rows import TextRows, taken
from attnfocus.data.text_stream import TextStream
from attnfocus.data.tokens.parts import sampling_notes
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import DataError
from attnfocus.grid import Grid
from attnfocus.marks import Node
from attnfocus.stages import Stage, stage

MAX_UNKNOWN_LISTED, MAX_LABEL = 5, 30


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """What every set has besides its source's own options.

    Args:
        task: name of a task of ours, or the dotted name of a class of your own (`my_task.TaggingTask`).
        codec: what reads its rows: a node with the `_target_` of a class of your own, and options of its `learn`; None:
            that of the task which fits the rows.
    """

    task: str = "translation"
    codec: Node | None = None
    clean: CleanOptions = field(default_factory=CleanOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    tokenizer: TokenizerOptions = field(default_factory=TokenizerOptions)


@dataclass(frozen=True)
class CodecChoice:
    """The codecs that rows may be read by, the first that fits, and options of its `learn`.

    Attributes:
        is_own: it is one, which the data set names, not those of the task.
        patch_size: the size of a cell that the model asks for (`Codec.cut`); None: nothing is asked for.
    """

    classes: Sequence[type[Codec]]
    options: Mapping[str, Any] = field(default_factory=dict)
    is_own: bool = False
    patch_size: Any = None

    def learned(self, rules: type[Codec], rows: Sequence[Row], tokenizer: TokenizerOptions) -> Codec:
        """The codec that training rows ask for, as the model wants its inputs cut.

        Raises:
            ConfigError, DataError: as `Codec.cut` and `Codec.learn`.
        """
        return rules.learn(rows, tokenizer, **self.options).cut(self.patch_size)

    @property
    def trial_grid(self) -> Grid | None:
        """A small grid of the kind that inputs have, where that is known before there are data."""
        return self.classes[0].trial_grid(self.patch_size) if self.is_own else None

    def of(self, rows: Sequence[Row]) -> type[Codec]:
        """The class for these rows, of which there must be one.

        Raises:
            DataError: none of them fits.
        """
        fitting = next((each for each in self.classes if each.fits(rows[0])), None)
        if fitting is None:
            what = "a text" if isinstance(rows[0].input, str) else f"an array of {rows[0].input.ndim} dimensions"
            needed = " or ".join(dict.fromkeys(each.input_kind for each in self.classes))
            raise DataError(f"dataset: row {rows[0].id} is {what}, where {needed} is needed.")
        return fitting


@dataclass(frozen=True)
class Prepared:
    """A set ready to be trained on.

    Args:
        splits: those of `train`, `valid`, `test` that there are and that were asked for; none is empty.
        report: a line per split on what was read, dropped and kept, then what the source and the vocabulary say.
        fingerprints: of each split's rows (input, target), whatever their names: equal exactly when the data are.
        named_fingerprints: of some splits, with the names of rows, as runs of before have them: of test, by which runs
            are compared; of all where the codec is of a run, whose fingerprints may be such.
    """

    splits: dict[str, Examples]
    codec: Codec
    report: list[str]
    fingerprints: dict[str, str]
    named_fingerprints: dict[str, str] = field(default_factory=dict)


def prepare(
    source: Source,
    options: DatasetOptions,
    data_dir: Path,
    seed: int,
    codec: Codec | CodecChoice,
    wanted: Collection[str] = SPLITS,
) -> Prepared:
    """Read a set and turn it into numbers.

    Args:
        seed: for a source that makes its rows, and for the part to test on where `options.split` asks for folds.
            Which rows fall into which split depends on `options.split.seed` otherwise.
        codec: of the run that is resumed or evaluated, so that the same token has the same number; or the choice of
            what one is learned from train.
        wanted: the splits to encode.

    Raises:
        DataError: the data are missing, empty, malformed, or have labels that the codec does not know.
    """
    with without_collector():  # rows hold no cycles; looking through them as they grow takes a third of the time
        report = CleanReport()
        raw = source.read(data_dir, seed)
        if streams := _streams(raw):
            return _prepare_streams(streams, options, codec, wanted, raw.notes)
        rules, is_of_run = _rules_of(raw.splits, codec), isinstance(codec, Codec)
        splits = clean_splits(raw.splits, options.clean, report, rules)
        with stage("splitting"):
            splits = _split(splits, options, report, seed, rules)
        lines = [report.line(split, len(rows)) for split, rows in splits.items()]
        _check_not_empty(splits, lines, raw.notes)
        if isinstance(codec, CodecChoice):
            with stage("learning from train"):
                codec = codec.learned(rules, splits["train"], options.tokenizer)
            lines.append(_describe_codec(codec))
        for split in [name for name in splits if name in wanted]:
            codec.check(split, splits[split], raw.notes)
        encoded = {split: Examples(rows, codec) for split, rows in splits.items() if split in wanted}
        as_read = named_as_read(splits, splits.keys() - raw.splits.keys())
        as_read = {split: rows for split, rows in as_read.items() if is_of_run or split == "test"}
        with stage("fingerprints", sum(map(len, chain(splits.values(), as_read.values())))) as moving:
            prints = {split: _fingerprint(rows, rules.fingerprint, moving) for split, rows in splits.items()}
            named = {split: _fingerprint(rows, rules.named_fingerprint, moving) for split, rows in as_read.items()}
    return Prepared(encoded, codec, [*raw.notes, *lines], prints, named)


def _streams(raw: RawData) -> dict[str, TextStream]:
    """The splits of a set of long texts; empty for a set of rows."""
    return {split: rows for split, rows in raw.splits.items() if isinstance(rows, TextStream)}


def _prepare_streams(
    streams: Mapping[str, TextStream],
    options: DatasetOptions,
    codec: Codec | CodecChoice,
    wanted: Collection[str],
    notes: Sequence[str],
) -> Prepared:
    """`prepare` for long texts, no row of which is dropped or moved."""
    with stage("splitting"):
        splits = cleaned(split_streams(streams, options.split), options.clean)
    lines = [f"{split}: {stream.num_characters:,} characters" for split, stream in splits.items()]
    if isinstance(codec, CodecChoice):
        with stage("learning from train"):
            codec = codec.learned(codec.classes[0], splits["train"], options.tokenizer)
        lines += [_describe_codec(codec), *sampling_notes(splits["train"], options.tokenizer)]
    encoded = {split: Examples(stream, codec) for split, stream in splits.items() if split in wanted}
    lines += [note for split, examples in encoded.items() for note in examples.notes(split)]
    with stage("fingerprints"):
        prints = {split: stream.fingerprint for split, stream in splits.items()}
    return Prepared(encoded, codec, [*notes, *lines], prints, prints)


@dataclass(frozen=True)
class NewRows:
    """Rows that a run has not been trained on, ready to be answered.

    Attributes:
        prepared: of the one split; without the rows whose target the codec does not know.
        unknown: such a target -> how many rows have it, most first.
    """

    prepared: Prepared
    unknown: Mapping[str, int]

    @property
    def num_known(self) -> int:
        return sum(map(len, self.prepared.splits.values()))

    @property
    def num_unknown(self) -> int:
        return sum(self.unknown.values())

    @property
    def notes(self) -> list[str]:
        """How many rows were read, and how many are left out because of their labels."""
        if not self.unknown:
            return self.prepared.report
        first = list(self.unknown.items())[:MAX_UNKNOWN_LISTED]
        listed = ", ".join(f"{label[:MAX_LABEL]!r} {count}" for label, count in first)
        more = ", ..." if len(self.unknown) > MAX_UNKNOWN_LISTED else ""
        return [
            *self.prepared.report,
            f"warning: {self.num_unknown} of {self.num_known + self.num_unknown} rows have labels that this run does "
            f"not know, and are left out: {listed}{more}",
        ]


def prepare_new(raw: RawData, split: str, options: DatasetOptions, codec: Codec) -> NewRows:
    """Cleans and encodes the rows of a split as those that the codec was learned from.

    Raises:
        DataError: there is no row, or none that the codec can encode.
    """
    if streams := _streams(raw):
        stream = cleaned(streams, options.clean)[split]
        lines, mark = [*raw.notes, f"{split}: {stream.num_characters:,} characters"], {split: stream.fingerprint}
        return NewRows(Prepared({split: Examples(stream, codec)}, codec, lines, mark, mark), {})
    report, rules = CleanReport(), type(codec)
    rows = clean_splits({split: raw.splits[split]}, options.clean, report, rules)[split]
    known = taken(rows, (codec.is_known(row.target) for row in rows))
    unknown = Counter(row.target for row in rows if not codec.is_known(row.target))
    if not rows:
        raise DataError("\n".join([f"dataset.{split}: holds no row. {report.line(split, 0)}.", *raw.notes]))
    codec.check(split, known or rows, raw.notes)
    report.count(split, "with unknown labels", unknown.total())
    lines = [*raw.notes, report.line(split, len(known))]
    prints, named = ({split: _fingerprint(rows, each)} for each in (rules.fingerprint, rules.named_fingerprint))
    return NewRows(Prepared({split: Examples(known, codec)}, codec, lines, prints, named), dict(unknown.most_common()))


def _rules_of(raw: Splits, codec: Codec | CodecChoice) -> type[Codec]:
    """What the rows are, before anything is learned."""
    if isinstance(codec, Codec):
        return type(codec)
    rows = next((rows for rows in raw.values() if rows), None)
    return codec.of(rows) if rows else codec.classes[0]


def _by_group(rows: Sequence[Row], key: Callable[[Row], Hashable]) -> Callable[[Row], Hashable]:
    """What is equal for rows that stay together: those of a group, where rows have groups."""
    if isinstance(rows, TextRows) or not any(row.group for row in rows):
        return key
    return lambda row: ("group", row.group) if row.group else key(row)


def _split(raw: Splits, options: DatasetOptions, report: CleanReport, seed: int, rules: type[Codec]) -> Splits:
    """The splits that there are to be, of clean ones; train with those rows alone that it may have."""
    splits = raw
    key = rules.exact_keys()
    if options.clean.equality == "tokens":
        key = rules.input_keys(chain.from_iterable(splits.values()), options.tokenizer)
    label = rules.label if options.split.stratify else _no_label
    limits = train_limits(splits, options.clean, rules, key)
    may_train = (lambda row: all(passes(row) for passes in limits.values())) if limits else None
    drawn_by = _by_group(splits.get("train", ()), key)
    splits = split_train(splits, options.split, seed, drawn_by, label, may_train)
    drawn = splits.keys() - raw.keys()
    for split in [name for name in splits if name in drawn]:
        report.count("train", f"moved to {split}", len(splits[split]))
    splits = limit_train(splits, limits, options.clean, report, seed=options.split.seed, label=label)
    return renamed(splits, drawn)


def _no_label(row: Row) -> None:
    return None


def _check_not_empty(splits: Splits, lines: Sequence[str], notes: Sequence[str]) -> None:
    empty = [split for split in ("train", *splits) if not splits.get(split)]
    if empty:
        counts = "\n".join(f"  {line}" for line in lines) or "  no split holds any row"
        way_out = "Give files that hold rows, or change dataset.clean or dataset.split."
        raise DataError(
            f"dataset: {empty[0]} is empty.\n{counts}\n{' '.join([*(f'{note}.' for note in notes), way_out])}"
        )


def _describe_codec(codec: Codec) -> str:
    sizes = ", ".join(f"{name} {size}" for name, size in codec.dims().items() if size is not None)
    return f"learned from train: {sizes}" + (f"; {codec.grid}" if codec.grid is not None else "")


def _fingerprint(rows: Sequence[Row], content: Callable[[Row], bytes], moving: Stage | None = None) -> str:
    """Of what `content` gives for each row; `moving`: the stage, in rows."""
    digest = hashlib.sha256()
    moving = moving or Stage("fingerprints")
    if isinstance(rows, TextRows) and getattr(content, "__func__", None) is Codec.fingerprint.__func__:  # type: ignore[attr-defined]
        for block, numbers in rows.by_block():
            digest.update(pair_reprs(block, numbers))
            moving.advance(block.size if numbers is None else len(numbers))
        return digest.hexdigest()[:16]
    for number, row in enumerate(rows, 1):
        digest.update(content(row))
        if not number % BLOCK:
            moving.advance(BLOCK)
    return digest.hexdigest()[:16]
