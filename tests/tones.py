"""Recordings made on the spot: tones of known frequency."""

import io
import tarfile

import numpy as np
from scipy.io import wavfile

RATE = 8000


def tone(hertz, seconds=0.3, rate=RATE, dtype=np.int16):
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    if np.issubdtype(dtype, np.floating):
        return wave.astype(dtype)
    if dtype is np.uint8:
        return (wave * 127 + 128).round().astype(dtype)
    return (wave * np.iinfo(dtype).max).astype(dtype)


def wav(samples, rate=RATE):
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


def write_tones(folder, each=4):
    """A folder for low tones and one for high ones, no two recordings alike."""
    for label, hertz in (("low", 300), ("high", 2000)):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            samples = tone(hertz + 20 * number, 0.2 + 0.05 * number)
            (folder / label / f"{number}.wav").write_bytes(wav(samples))
    return folder


def write_fsdd(folder, numbers=(0, 4, 5, 6), speakers=("jackson", "theo")):
    """Recordings named as those of the set, packed as they are published."""
    folder.mkdir(parents=True)
    with tarfile.open(folder / "recordings.tar.gz", "w:gz") as archive:
        for speaker_number, speaker in enumerate(speakers):
            for digit in range(3):
                for number in numbers:
                    content = wav(tone(300 + 600 * digit + 7 * number, 0.2 + 0.02 * speaker_number + 0.01 * number))
                    member = tarfile.TarInfo(f"recordings/{digit}_{speaker}_{number}.wav")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return folder.parent
