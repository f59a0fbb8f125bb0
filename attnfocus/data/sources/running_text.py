"""Long texts: a user's own files, and Tiny Shakespeare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from attnfocus.data.reading.data_files import find_files
from attnfocus.data.reading.download import find_by_hand
from attnfocus.data.reading.layout import Layout
from attnfocus.data.reading.lines import BadRows, has_surrogates, text_parts
from attnfocus.data.rows import RawData
from attnfocus.data.sources.files import Files
from attnfocus.data.text_stream import TextStream
from attnfocus.errors import ConfigError, DataError

TEXT_NEEDED = (
    "Give a text file, for example dataset.train=input.txt; also several (a list), or a pattern such as 'books/*.txt'."
)
MAX_TAIL = 10_000  # characters of a line that its column is counted in


class RunningText:
    """Long texts, read in parts: of the files of a split, one after the other.

    Args:
        train: path of a text file (also .gz), several paths, or a pattern.
        valid, test: the same; those that are not given are the last parts of train (`dataset.split`).
        documents: `whole`: all of a split is one text, over all its files; `lines`: each line is a text of its own;
            `paragraphs`: what blank lines separate is.
        encoding: of all files.
    """

    task = "language_modeling"

    def __init__(
        self,
        *,
        train: Files = None,
        valid: Files = None,
        test: Files = None,
        documents: Literal["whole", "lines", "paragraphs"] = "whole",
        encoding: str = "utf-8",
    ) -> None:
        if not train:
            raise ConfigError(f"dataset.train is not given. {TEXT_NEEDED}")
        self._paths: dict[str, Files] = {"train": train, "valid": valid, "test": test}
        self._documents: Literal["whole", "lines", "paragraphs"] = documents
        self.layout = Layout({}, "auto", None, None, None, encoding, 2)  # checks the encoding

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits whose paths are given. `data_dir` and `seed` change nothing."""
        return self.read_alone(*self._paths)

    def read_alone(self, *splits: str) -> RawData:
        """Those of these splits whose paths are given.

        Raises:
            DataError: a file is not there, is empty, or is no text in the encoding.
        """
        found = {split: find_files(given, f"dataset.{split}") for split in splits if (given := self._paths[split])}
        for paths in found.values():
            for path in paths:
                if not path.stat().st_size:
                    raise DataError(f"{path}: is empty. Give a file that holds text.")
        return RawData({split: self._stream(split, paths) for split, paths in found.items()})

    def _stream(self, split: str, paths: Sequence[Path]) -> TextStream:
        return TextStream(split, partial(file_texts, paths, self.layout.encoding), self._documents)


class TinyShakespeare:
    """Scenes of Shakespeare's plays, 1,115,394 characters (Karpathy 2015). File `input.txt` in `tinyshakespeare/`.

    The first 90 % are train, the rest valid. test is the same text as valid, as the set has no third part.
    """

    task = "language_modeling"

    def read(self, data_dir: Path, seed: int) -> RawData:
        how = "It is data/tinyshakespeare/input.txt of https://github.com/karpathy/char-rnn."
        paths = find_by_hand("shakespeare", data_dir / "tinyshakespeare", ["input.txt"], how)
        whole = TextStream("train", partial(file_texts, paths, "utf-8"))
        border = whole.num_characters * 9 // 10
        splits: Mapping[str, tuple[int, int | None]] = {
            "train": (0, border),
            "valid": (border, None),
            "test": (border, None),
        }
        note = "shakespeare: test is the same text as valid, the last 10 %; no third part is held out"
        return RawData({split: whole.cut(split, *span) for split, span in splits.items()}, [note])


def file_texts(paths: Sequence[Path], encoding: str) -> Iterator[str]:
    """The text of some files, one after the other, in parts.

    Raises:
        DataError: a file cannot be read, or bytes in it are none of the encoding: the place, and what they may be.
    """
    for path in paths:
        line, tail = 1, ""
        with text_parts(path, encoding) as parts:
            for part in parts:
                if has_surrogates(part):
                    bad = BadRows()
                    bad.add_undecodable(path, line, tail + part, encoding)
                    raise bad.error()
                yield part
                line += part.count("\n")
                tail = (tail + part)[-MAX_TAIL:].rpartition("\n")[2]
