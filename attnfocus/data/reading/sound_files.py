"""Recordings as samples: wav through scipy, other formats (flac, ogg, mp3, aiff) through soundfile, an extra.

Shapes: N samples of one channel, between -1 and 1.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from functools import lru_cache
from math import gcd
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import Row
from attnfocus.errors import DataError
from attnfocus.regular_files import open_to_read

MAX_SAMPLES = 100_000_000  # of all channels of one file, 100 minutes of music: what is longer should be cut first
MAX_SEEN = 1_000_000  # files whose digest and length are kept: 200 bytes each
WITH_SOUNDFILE = "Formats besides wav need soundfile: pip install 'attnfocus[audio]'. Or convert the file to wav."
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # that programs write which do not know yet how much will follow


class Sound(NamedTuple):
    """A recording.

    Attributes:
        samples: float32 (N,); several channels are averaged.
        rate: samples a second.
    """

    samples: NDArray[np.float32]
    rate: int


class SeenSound(NamedTuple):
    """What is known of a file that was read once: a digest of its bytes, how many samples it has, and their rate."""

    digest: bytes
    num_samples: int
    rate: int


def sound_of(row: Row, sample_rate: int) -> Sound:
    """What a row's input is: the path of a file, the bytes of one (uint8), or samples at `sample_rate`.

    Raises:
        DataError: it cannot be read, or holds no sample.
    """
    if isinstance(row.input, str):
        return read_sound(Path(row.input), row.id)
    if row.input.dtype == np.uint8:
        return decoded(row.input.tobytes(), f"row {row.id}")
    return Sound(_plain(row.input, f"row {row.id}"), sample_rate)


def seen_sound(path: Path) -> SeenSound:
    """Of a file, which is read and decoded once in a process, as long as it does not change.

    Raises:
        DataError: as `read_sound`.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}.") from error
    return _seen(path, status.st_size, status.st_mtime_ns)


def read_sound(path: Path, id: str = "") -> Sound:
    """The recording in a file.

    Args:
        id: of the row, for messages.

    Raises:
        DataError: there is no such file, it is no recording that can be read whole, or it holds no sample.
    """
    where = f"row {id}: {path}" if id else str(path)
    return decoded(_bytes(path, where), where)


def decoded(content: bytes, where: str) -> Sound:
    """The recording that the bytes of a file are.

    Raises:
        DataError: as `read_sound`; begins with `where`.
    """
    is_wav = content[:4] in (b"RIFF", b"RIFX", b"RF64") and content[8:12] == b"WAVE"
    samples, rate = _wav(content, where) if is_wav else _by_soundfile(content, where)
    if rate <= 0:
        raise DataError(f"{where}: is damaged: it says that it has {rate} samples a second.")
    return Sound(_plain(samples, where), rate)


def resampled(sound: Sound, rate: int) -> NDArray[np.float32]:
    """(num_resampled,) at another rate, by a polyphase filter that cuts what lies above half of the lower rate."""
    if sound.rate == rate:
        return sound.samples
    from scipy.signal import resample_poly  # late: most recordings have the rate that is wanted

    common = gcd(sound.rate, rate)
    found = resample_poly(sound.samples, rate // common, sound.rate // common)
    return np.asarray(found, dtype=np.float32)


def num_resampled(num_samples: int, rate: int, wanted: int) -> int:
    """How many samples `resampled` gives."""
    return -(-num_samples * wanted // rate)


@lru_cache(maxsize=MAX_SEEN)
def _seen(path: Path, size: int, changed: int) -> SeenSound:
    content = _bytes(path, str(path))
    sound = decoded(content, str(path))
    return SeenSound(hashlib.blake2b(content, digest_size=16).digest(), len(sound.samples), sound.rate)


def _bytes(path: Path, where: str) -> bytes:
    try:
        with open_to_read(path, follow_links=True) as file:
            return file.read()
    except OSError as error:
        raise DataError(f"{where}: {error.strerror or error}.") from error


def _wav(content: bytes, where: str) -> tuple[NDArray[Any], int]:
    from scipy.io import wavfile

    said = int.from_bytes(content[4:8], "big" if content[:4] == b"RIFX" else "little")
    if content[:4] != b"RF64" and said not in _UNKNOWN_SIZES and len(content) < said + 8:
        raise DataError(f"{where}: ends after {len(content):,} of {said + 8:,} bytes. Use an undamaged copy.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", "Chunk .non-data. not understood", wavfile.WavFileWarning)
            rate, samples = wavfile.read(io.BytesIO(content))
    except Exception as error:  # scipy raises what comes, such as ZeroDivisionError of a header of zeros
        raise DataError(f"{where}: is damaged, or no wav: {_reason(error)}.") from error
    return samples, int(rate)


def _by_soundfile(content: bytes, where: str) -> tuple[NDArray[Any], int]:
    if not content:
        raise DataError(f"{where}: is empty.")
    try:
        import soundfile
    except ImportError:
        raise DataError(f"{where}: is no wav.\n{WITH_SOUNDFILE}") from None
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            count = file.frames * file.channels
            if count > MAX_SAMPLES:
                raise DataError(f"{where}: has {count:,} samples, and at most {MAX_SAMPLES:,} are read. Cut it first.")
            samples = file.read(dtype="float32")
            if len(samples) < file.frames:
                raise DataError(f"{where}: ends after {len(samples):,} of {file.frames:,} samples.")
            return samples, int(file.samplerate)
    except (soundfile.SoundFileError, RuntimeError, ValueError, OSError) as error:
        raise DataError(f"{where}: is no sound, or damaged: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    """What a library says, on one line, without the end of its sentence: of soundfile without the object it read."""
    text = str(getattr(error, "error_string", error))
    return " ".join(text.split())[:100].rstrip(".")


def _plain(samples: NDArray[Any], where: str) -> NDArray[np.float32]:
    """(N,) float32 of samples (N,) or (N, channels) of any number type: whole numbers fill their type's range."""
    if samples.size == 0:
        raise DataError(f"{where}: is an empty recording: it holds no sample.")
    if samples.size > MAX_SAMPLES:
        raise DataError(f"{where}: has {samples.size:,} samples, and at most {MAX_SAMPLES:,} are read. Cut it first.")
    values = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        values = np.asarray((values - 128) / 128, dtype=np.float32)
    elif np.issubdtype(samples.dtype, np.integer):
        values /= -float(np.iinfo(samples.dtype).min)
    if values.ndim == 2:
        values = np.asarray(values.mean(axis=1), dtype=np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{where}: holds a sample that is not finite.")
    return values
