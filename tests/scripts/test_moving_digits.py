"""Clips of moving digits: what moves, and where it goes."""

import runpy
from pathlib import Path

import numpy as np
import pytest

SCRIPT = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "moving_digits.py"))
DIRECTIONS, FRAME, NUM_FRAMES, clip = (SCRIPT[name] for name in ("DIRECTIONS", "FRAME", "NUM_FRAMES", "clip"))


@pytest.mark.parametrize("direction", list(DIRECTIONS))
def test_a_digit_moves_in_its_direction_and_stays_in_the_frame(direction: str) -> None:
    digit, random = np.arange(1, 121, dtype=np.uint8).reshape(10, 12), np.random.default_rng(0)
    for _ in range(20):
        frames = clip(digit, direction, random).reshape(FRAME, NUM_FRAMES, FRAME).swapaxes(0, 1)
        places = [np.argwhere(frame)[0] for frame in frames]
        assert all((frame[frame > 0] == digit.ravel()).all() for frame in frames)
        assert [tuple(step) for step in np.diff(places, axis=0)] == [DIRECTIONS[direction]] * (NUM_FRAMES - 1)
