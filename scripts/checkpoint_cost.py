"""What saving costs: the share of the training time that a checkpoint every 200 steps adds.

`python scripts/checkpoint_cost.py model=seq2seq`: one run of `attnfocus train` in which every second window of 200
steps begins with a save, so that whatever else the machine does falls on windows with and without alike. Prints the
difference of their medians, and the time inside of saving itself, which is less noisy.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attnfocus.cli import main as attnfocus
from attnfocus.training import CheckpointStore


def timed_saves(seconds: list[float]) -> None:
    """From now on, each save notes how long it took."""
    save = CheckpointStore.save

    def timed(*arguments: Any, **options: Any) -> Path:
        began = time.perf_counter()
        path = save(*arguments, **options)
        seconds.append(time.perf_counter() - began)
        return path

    CheckpointStore.save = timed  # type: ignore[method-assign]


def windows(run: Path, every: int) -> list[float]:
    """Seconds from one logged step to the next, from step `every` on: before it lies the start of the run."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    times = {line["step"]: float(line["seconds"]) for line in lines if line["split"] == "train"}
    steps = sorted(times)
    return [times[step + every] - times[step] for step in steps if step + every in times]


def measure(overrides: Sequence[str], every: int, pairs: int, run: Path) -> tuple[list[float], list[float], float]:
    """Seconds of windows with a save, of those without, and of the median save.

    Raises:
        SystemExit: the run failed, and has said why.
    """
    saves: list[float] = []
    timed_saves(saves)
    limits = {"max_steps": (2 * pairs + 1) * every, "max_epochs": "null", "max_minutes": "null"}
    limits |= {"log_every_steps": every, "save_every_steps": 2 * every, "evaluate_every_steps": limits["max_steps"]}
    options = [f"trainer.{key}={value}" for key, value in limits.items()]
    with contextlib.redirect_stdout(sys.stderr):
        code = attnfocus(["train", *overrides, *options, f"run_dir={run}"])
    if code:
        raise SystemExit(code)
    seconds = windows(run, every)  # the first begins at `every`, the second at 2 * every: with its save
    return seconds[1::2], seconds[0::2], statistics.median(saves[:pairs])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=200, help="steps between checkpoints (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=3, help="windows with and without a save (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", help="as for attnfocus train")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="attnfocus-cost-") as folder:
        with_save, without, save = measure(given.overrides, given.every, given.pairs, Path(folder, "run"))
    usual = statistics.median(without)
    difference = statistics.median(with_save) - usual
    print(f"{given.every} steps: {usual:.2f} s without a checkpoint, {usual + difference:.2f} s with one")
    print(f"a checkpoint every {given.every} steps adds {difference / usual:+.2%} by the difference of the windows")
    print(f"a checkpoint every {given.every} steps adds {save / usual:+.2%} by the time of a save, {save:.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
