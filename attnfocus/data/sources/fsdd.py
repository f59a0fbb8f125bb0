"""Spoken digits."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from attnfocus.data.reading.download import find_by_hand
from attnfocus.data.rows import RawData, Row
from attnfocus.errors import DataError
from attnfocus.stages import stage

ARCHIVE = "recordings.tar.gz"
FOLDER = "recordings"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
NUM_TEST = 5  # of the recordings of each digit by each speaker: those numbered 0 to 4, as its README has it
MAX_BYTES = 10_000_000  # of one recording
HOW = (
    "They are the folder recordings of https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0): put it "
    "there as it is, or packed as recordings.tar.gz."
)
_NAME = re.compile(r"(?:.*/)?(\d)_([a-z]+)_(\d+)\.wav")
Speaker = Literal["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]


class Recording(NamedTuple):
    """A spoken digit: the bytes of its wav file, and its digit, its speaker and its number."""

    content: bytes
    digit: str
    speaker: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.digit}_{self.speaker}_{self.number}"

    @property
    def is_test(self) -> bool:
        return self.number < NUM_TEST


class FSDD:
    """Free Spoken Digit Dataset: ten digits by six speakers, 50 times each, 8 kHz, 2,700 for training, 300 for testing.

    Files in `fsdd/`. The test recordings are those numbered 0 to 4, by the same speakers as those of train.

    Args:
        label: what is learned: the digit, or who speaks.
        test_speaker: all recordings of this speaker are for testing, and all of the others for training; None: the
            split of the set.
    """

    task = "classification"

    def __init__(self, *, label: Literal["digit", "speaker"] = "digit", test_speaker: Speaker | None = None) -> None:
        if label == "speaker" and test_speaker is not None:
            raise ValueError(
                f"test_speaker={test_speaker}: train would not know this speaker, so label=speaker cannot be learned. "
                "Use test_speaker=null, or label=digit."
            )
        self._label, self._test_speaker = label, test_speaker

    def read(self, data_dir: Path, seed: int) -> RawData:
        splits: dict[str, list[Row]] = {"train": [], "test": []}
        for each in read_recordings(data_dir / "fsdd"):
            is_test = each.is_test if self._test_speaker is None else each.speaker == self._test_speaker
            split = "test" if is_test else "train"
            target = each.digit if self._label == "digit" else each.speaker
            splits[split].append(Row(f"{split}:{each.name}", np.frombuffer(each.content, dtype=np.uint8), target))
        return RawData(splits)


def read_recordings(folder: Path) -> list[Recording]:
    """All recordings, by digit, speaker and number.

    Raises:
        DataError: there are none, or they cannot be read.
    """
    unpacked = folder / FOLDER
    if unpacked.is_dir():
        found = [each for path in unpacked.glob("*.wav") if (each := _recording(path.name, path.read_bytes()))]
        where = unpacked
    else:
        (where,) = find_by_hand("fsdd", folder, [ARCHIVE], HOW)
        with stage(f"reading {where.name}", where.stat().st_size):
            found = [each for name, content in _members(where) if (each := _recording(name, content))]
    if not found:
        raise DataError(f"{where}: holds no recording named as 7_jackson_32.wav.\n{HOW}")
    return sorted(found, key=lambda each: (each.digit, each.speaker, each.number))


def _recording(name: str, content: bytes) -> Recording | None:
    match = _NAME.fullmatch(name)
    return None if match is None else Recording(content, match[1], match[2], int(match[3]))


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files in a tar; nothing is unpacked to where a name says."""
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if not member.isfile() or not _NAME.fullmatch(member.name):
                    continue
                if member.size > MAX_BYTES:
                    raise DataError(f"{path}: {member.name} has {member.size:,} bytes, and is no spoken digit.")
                file = archive.extractfile(member)
                if file is not None:
                    yield member.name, file.read()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}.") from error
