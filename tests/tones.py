"""Recordings made on the spot: tones of known frequency."""

import io

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
