"""From a source to numbers: read, clean, split, learn the vocabulary on train, encode."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from attnfocus.collector import without_collector
from attnfocus.data.clean import CleanOptions, CleanReport, Splits, clean_splits, limit_train
from attnfocus.data.codec import Codec, Encoded, TextLabelCodec, TextPairCodec, VectorLabelCodec
from attnfocus.data.rows import SPLITS, Row, Source
from attnfocus.data.split import SplitOptions, split_train
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.errors import DataError

MAX_LABELS_LISTED = 10


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """What every set has besides its source's own options."""

    task: Literal["translation", "classification"] = "translation"
    clean: CleanOptions = field(default_factory=CleanOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    tokenizer: TokenizerOptions = field(default_factory=TokenizerOptions)

    def __post_init__(self) -> None:
        if self.task == "classification" and self.clean.max_words_ratio is not None:
            raise ValueError("clean.max_words_ratio compares the two sides of text pairs; a label has no length")
        if self.task == "classification" and self.tokenizer.shared:
            raise ValueError("tokenizer.shared is for text pairs; texts with labels have one vocabulary anyway")


@dataclass(frozen=True)
class Prepared:
    """A set ready to be trained on.

    Args:
        splits: those of `train`, `valid`, `test` that there are and that were asked for; none is empty.
        report: a line per split on what was read, dropped and kept, then what the source and the vocabulary say.
        fingerprints: of each split's rows (id, input, target): equal exactly when the data are.
    """

    task: str
    splits: dict[str, list[Encoded]]
    codec: Codec
    report: list[str]
    fingerprints: dict[str, str]


def prepare(
    source: Source,
    options: DatasetOptions,
    data_dir: Path,
    seed: int,
    codec: Codec | None = None,
    wanted: Collection[str] = SPLITS,
) -> Prepared:
    """Read a set and turn it into numbers.

    Args:
        seed: for a source that makes its rows, and for the part to test on where `options.split` asks for folds.
            Which rows fall into which split depends on `options.split.seed` otherwise.
        codec: of the run that is resumed or evaluated, so that the same token has the same number; None: learn one
            from train.
        wanted: the splits to encode.

    Raises:
        DataError: the data are missing, empty, malformed, or have labels that the codec does not know.
    """
    if source.task != options.task:
        raise DataError(f"dataset.task={options.task}: this set is for {source.task}. Set dataset.task={source.task}.")
    with without_collector():  # rows hold no cycles; looking through them as they grow takes a third of the time
        report = CleanReport()
        raw = source.read(data_dir, seed)
        splits = _clean_and_split(raw.splits, options, report, seed)
        lines = [report.line(split, len(rows)) for split, rows in splits.items()]
        _check_not_empty(splits, lines, raw.notes)
        if codec is None:
            codec = _learn_codec(splits, options)
            lines.append(_describe_codec(codec))
        _check_fits(splits, codec, source.task, wanted, raw.notes)
        encoded = {split: codec.encode_rows(rows) for split, rows in splits.items() if split in wanted}
        prints = {split: _fingerprint(rows) for split, rows in splits.items()}
    return Prepared(source.task, encoded, codec, [*raw.notes, *lines], prints)


def _clean_and_split(raw: Splits, options: DatasetOptions, report: CleanReport, seed: int) -> Splits:
    is_pair = options.task == "translation"
    splits = clean_splits(raw, options.clean, report, target_is_text=is_pair)
    splits = split_train(splits, options.split, seed)
    for split in [name for name in splits if name not in raw]:
        report.count("train", f"moved to {split}", len(splits[split]))
    return limit_train(splits, options.clean, report, seed=options.split.seed, target_is_text=is_pair)


def _check_not_empty(splits: Splits, lines: Sequence[str], notes: Sequence[str]) -> None:
    empty = [split for split in ("train", *splits) if not splits.get(split)]
    if empty:
        counts = "\n".join(f"  {line}" for line in lines) or "  no split holds any row"
        way_out = "Give files that hold rows, or change dataset.clean or dataset.split."
        raise DataError(
            f"dataset: {empty[0]} is empty.\n{counts}\n{' '.join([*(f'{note}.' for note in notes), way_out])}"
        )


def _learn_codec(splits: Splits, options: DatasetOptions) -> Codec:
    train = splits["train"]
    if options.task == "translation":
        sources, targets = [_text(row) for row in train], [row.target for row in train]
        if options.tokenizer.shared:
            tokenizer = Tokenizer.train(sources + targets, options.tokenizer)
            return TextPairCodec(tokenizer, tokenizer)
        return TextPairCodec(Tokenizer.train(sources, options.tokenizer), Tokenizer.train(targets, options.tokenizer))
    labels = _ordered({row.target for row in train})
    if len(labels) < 2:
        raise DataError(
            f"dataset: all {len(train)} training rows have the label {labels[0]!r}: there is nothing to learn.\n"
            "Give rows of at least two labels, or the right dataset.label_column."
        )
    first = train[0].input
    if isinstance(first, str):
        return TextLabelCodec(Tokenizer.train([_text(row) for row in train], options.tokenizer), labels)
    return VectorLabelCodec(len(first[0]), labels)


def _check_fits(splits: Splits, codec: Codec, task: str, wanted: Collection[str], notes: Sequence[str]) -> None:
    """The rows are of the codec's kind, and their labels among its labels. `notes` of the source may say why not."""
    if isinstance(codec, TextPairCodec) != (task == "translation"):
        raise DataError(f"dataset.task={task}: the model was trained for the other task. Give a set of its task.")
    for split in [split for split in splits if split in wanted]:
        for row in splits[split]:
            _check_input(row, split, codec)
        if not isinstance(codec, TextLabelCodec | VectorLabelCodec):
            continue
        unknown = _ordered({row.target for row in splits[split]} - set(codec.labels))
        if unknown:
            raise DataError(
                f"dataset: {split} has labels that the model does not know: {_listed(unknown)}.\n"
                f"It knows {_listed(codec.labels)}.\n"
                + "\n".join(["Use the data that it was trained on, or remove these rows.", *notes])
            )


def _check_input(row: Row, split: str, codec: Codec) -> None:
    if not isinstance(codec, VectorLabelCodec):
        if not isinstance(row.input, str):
            raise DataError(f"dataset: {split} row {row.id} is a sequence of vectors, where the model reads text.")
        return
    sizes = {codec.input_dim} if isinstance(row.input, str) else {len(vector) for vector in row.input}
    if isinstance(row.input, str) or sizes != {codec.input_dim}:
        got = "a text" if isinstance(row.input, str) else f"vectors of size {', '.join(map(str, sorted(sizes)))}"
        raise DataError(f"dataset: {split} row {row.id} is {got}, where the model reads vectors of {codec.input_dim}.")


def _text(row: Row) -> str:
    if not isinstance(row.input, str):
        raise DataError(f"dataset: row {row.id} is a sequence of vectors, where a text is needed.")
    return row.input


def _ordered(labels: Collection[str]) -> tuple[str, ...]:
    """Numbers by size, names by alphabet."""
    if all(label.isdecimal() for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def _listed(labels: Collection[str]) -> str:
    shown = ", ".join(list(labels)[:MAX_LABELS_LISTED])
    return shown if len(labels) <= MAX_LABELS_LISTED else f"{shown}, ... ({len(labels)})"


def _describe_codec(codec: Codec) -> str:
    sizes = ", ".join(f"{name} {size}" for name, size in codec.dims().items() if size is not None)
    return f"learned from train: {sizes}"


def _fingerprint(rows: list[Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr((row.id, row.input, row.target)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]
