"""Valid and test as the last parts of a long text, which is never shuffled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from attnfocus.data.clean import CleanOptions, clean_text
from attnfocus.data.split import SplitOptions
from attnfocus.data.text_stream import TextStream
from attnfocus.errors import DataError


def cleaned(streams: Mapping[str, TextStream], options: CleanOptions) -> dict[str, TextStream]:
    """The streams whose text is changed piece by piece, where it is to be; blanks stay as they are."""
    if options.normalization == "none" and not options.lowercase:
        return dict(streams)
    kept = replace(options, strip=False)
    return {split: replace(stream, change=lambda text: clean_text(text, kept)) for split, stream in streams.items()}


def split_streams(streams: Mapping[str, TextStream], options: SplitOptions) -> dict[str, TextStream]:
    """All three splits; those that are missing are the last parts of train, valid before test.

    A share is of the characters; 1 and more is a number of characters. Documents are not cut.

    Raises:
        DataError: train is empty, or nothing of it would be left.
    """
    train = streams["train"]
    if not train.num_characters:
        raise DataError("dataset.train: is empty. Give a file that holds text.")
    wanted = {"valid": options.valid, "test": options.test}
    missing = {split: size for split, size in wanted.items() if size and split not in streams}
    total = train.num_characters
    sizes = {split: round(size * total) if size < 1 else int(size) for split, size in missing.items()}
    start = total - sum(sizes.values())
    given = " and ".join(f"dataset.split.{split}={size:g}" for split, size in missing.items())
    if start <= 0:
        raise DataError(
            f"{given}: train has {total:,} characters, and {sum(sizes.values()):,} of them would be taken, which "
            "leaves none.\nGive smaller splits, more text, or files for these splits."
        )
    borders, found = [], dict(streams)
    for size in [0, *sizes.values()]:
        start += size
        borders.append(train.border_after(start) if start < total else total)
    for split, first, last in zip(missing, borders, borders[1:], strict=False):
        if first >= last:
            raise DataError(
                f"dataset.split.{split}={missing[split]:g}: no document begins in this part of train, which has "
                f"{total:,} characters.\nGive a larger part, or a file: dataset.{split}=FILE."
            )
        found[split] = train.cut(split, first, last)
    if missing:
        found["train"] = train.cut("train", 0, borders[0])
    return {split: found[split] for split in ("train", "valid", "test") if split in found}
