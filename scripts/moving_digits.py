"""Clips of a handwritten digit that moves left, right, up or down, as folders of images for `dataset=images`.

    python scripts/moving_digits.py moving ../shared/data

writes `moving/train/left/0.png` and so on (4,000 clips, 5 MB), from the files of MNIST in the data folder. A clip is
one image, its frames side by side, so that a patch of the size of a frame is a frame. A frame alone does not tell where
the digit goes: it starts and ends anywhere.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from attnfocus.data.sources.mnist import read_mnist

FRAME, NUM_FRAMES = 32, 6  # rows and columns of a frame in pixels, and frames of a clip
STEP = 2  # pixels that the digit moves from frame to frame
DIRECTIONS = {"left": (0, -STEP), "right": (0, STEP), "up": (-STEP, 0), "down": (STEP, 0)}
COUNTS = {"train": 3000, "valid": 500, "test": 500}
MARGIN = 4  # empty pixels around the digits of MNIST


def clip(digit: NDArray[np.uint8], direction: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """(FRAME, NUM_FRAMES * FRAME): the frames from left to right."""
    height, width = digit.shape
    steps = np.outer(np.arange(NUM_FRAMES), DIRECTIONS[direction])  # (frames, 2)
    room = np.array([FRAME - height, FRAME - width])
    first = random.integers(-steps.min(axis=0), room - steps.max(axis=0) + 1)
    frames = np.zeros((NUM_FRAMES, FRAME, FRAME), dtype=np.uint8)
    for frame, (top, left) in zip(frames, first + steps, strict=True):
        frame[top : top + height, left : left + width] = digit
    return frames.swapaxes(0, 1).reshape(FRAME, -1)


def write(folder: Path, data: Path, seed: int) -> None:
    """Clips of each split and direction; valid and test are of digits that train does not have."""
    mnist, random = read_mnist(data, download=True), np.random.default_rng(seed)
    images = mnist["train"][0]
    sources = {"train": images[:50_000], "valid": images[50_000:], "test": mnist["test"][0]}
    for split, count in COUNTS.items():
        for direction in DIRECTIONS:
            (folder / split / direction).mkdir(parents=True)
        for number in range(count):
            direction = list(DIRECTIONS)[number % len(DIRECTIONS)]
            image = sources[split][random.integers(len(sources[split]))]
            digit = image[MARGIN:-MARGIN, MARGIN:-MARGIN]
            path = folder / split / direction / f"{number}.png"
            Image.fromarray(clip(digit, direction, random)).save(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="that is made, with a folder for each split and direction")
    parser.add_argument("data", type=Path, help="the data folder (paths.data), which has or gets mnist/")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write(given.folder, given.data, given.seed)
