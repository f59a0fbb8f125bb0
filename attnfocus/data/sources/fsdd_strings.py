"""Strings of spoken digits, made from single ones: speech whose words begin and end at known places."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from attnfocus.data.reading.sound_files import decoded
from attnfocus.data.rows import SPLITS, RawData, Region, Row
from attnfocus.data.sources.fsdd import NUM_TEST, read_recordings
from attnfocus.errors import DataError
from attnfocus.limits import NonNegativeFloat, NumRows, PositiveInt

RATE = 8000
NUM_VALID = 5  # recordings of each digit by each speaker, behind those for testing
NOISE = 8.0  # deviation of what is heard between digits, of 32,768
_Pool = Mapping[tuple[str, str], Sequence[NDArray[np.int16]]]  # (speaker, digit) -> its recordings


class FSDDStrings:
    """Strings of digits, each by one speaker, from the recordings of `FSDD`, with short pauses; the text is `3 1 4`.

    Strings of test are made from the recordings numbered 0 to 4, those of valid from 5 to 9, those of train from all
    others: no recording is heard in two splits. Valid and test are the same for every seed. `Row.regions` says where
    each digit lies, in samples.

    Args:
        num_train, num_valid, num_test: strings.
        min_digits, max_digits: of a string; each number of digits between them is as likely.
        pause_ms: the longest pause before each digit and at the end, in milliseconds, drawn evenly from 0 on.
    """

    task = "translation"

    def __init__(
        self,
        *,
        num_train: NumRows = 3000,
        num_valid: NumRows = 300,
        num_test: NumRows = 600,
        min_digits: PositiveInt = 3,
        max_digits: PositiveInt = 5,
        pause_ms: NonNegativeFloat = 100.0,
    ) -> None:
        if min_digits > max_digits:
            raise ValueError(f"min_digits={min_digits} is more than max_digits={max_digits}")
        self._sizes = dict(zip(SPLITS, (num_train, num_valid, num_test), strict=True))
        self._digits, self._pause = (min_digits, max_digits), round(pause_ms * RATE / 1000)

    def read(self, data_dir: Path, seed: int) -> RawData:
        pools: dict[str, dict[tuple[str, str], list[NDArray[np.int16]]]] = {split: {} for split in SPLITS}
        for each in read_recordings(data_dir / "fsdd"):
            split = "test" if each.is_test else "valid" if each.number < NUM_TEST + NUM_VALID else "train"
            sound = decoded(each.content, each.name)
            if sound.rate != RATE:
                raise DataError(f"{each.name}: has {sound.rate} samples a second, where the set has {RATE}.")
            samples = (sound.samples * 32768).astype(np.int16)
            pools[split].setdefault((each.speaker, each.digit), []).append(samples)
        empty = next((split for split in SPLITS if not pools[split]), None)
        if empty is not None:
            raise DataError(f"{data_dir / 'fsdd'}: has no recordings to make strings of {empty} from.")
        splits = {
            split: list(self._rows(split, pools[split], [number, seed if split == "train" else 0]))
            for number, split in enumerate(SPLITS)
        }
        return RawData(splits, ["strings of spoken digits; made from the seed"])

    def _rows(self, split: str, pool: _Pool, seed: Sequence[int]) -> Iterator[Row]:
        random = np.random.default_rng(seed)
        by_speaker: dict[str, list[str]] = {}
        for speaker, digit in pool:
            by_speaker.setdefault(speaker, []).append(digit)
        speakers = list(by_speaker)
        for number in range(1, self._sizes[split] + 1):
            speaker = speakers[random.integers(len(speakers))]
            count = random.integers(*self._digits, endpoint=True)
            digits = [by_speaker[speaker][place] for place in random.integers(len(by_speaker[speaker]), size=count)]
            parts, regions, start = list[NDArray[np.int16]](), list[Region](), 0
            for digit in digits:
                recordings = pool[speaker, digit]
                said = recordings[int(random.integers(len(recordings)))]
                pause = self._silence(random)
                start += len(pause)
                regions.append((start, 0, start + len(said), 1))
                start += len(said)
                parts += [pause, said]
            samples = np.concatenate([*parts, self._silence(random)])
            row_id = f"{split}:{number}:{speaker}"
            yield Row(row_id, wav_bytes(samples), " ".join(digits), regions=tuple(regions))

    def _silence(self, random: np.random.Generator) -> NDArray[np.int16]:
        size = int(random.integers(self._pause, endpoint=True))
        return random.normal(0, NOISE, size).round().astype(np.int16)


def wav_bytes(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The bytes of a wav file of samples (N,) at 8 kHz."""
    file = io.BytesIO()
    wavfile.write(file, RATE, samples)
    return np.frombuffer(file.getvalue(), dtype=np.uint8)
