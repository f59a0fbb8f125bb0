"""What more processes on this machine give: words per second, and the share of a step that they spend on each other.

`python scripts/scaling.py --processes 1 2 4 model=seq2seq`: for each number one job under torchrun, whose steps go in
windows by turns with and without the reduction of gradients, so that whatever else the machine does falls on both
alike. The difference is what communication costs beyond what it hides behind the backward pass.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import torch

from attnfocus.config.overrides import CommandLine
from attnfocus.data.epochs import Epochs, Share
from attnfocus.runs.assembly import check_train
from attnfocus.runs.evaluation import plan_of, prepare_data
from attnfocus.training import Precision, seed_everything
from attnfocus.training.distributed.join import joined
from attnfocus.training.distributed.processes import DistributedOptions
from attnfocus.training.step import Stepper


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4], help="(default: 1 2 4)")
    parser.add_argument("--windows", type=int, default=8, help="windows of each kind (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=5, help="steps in a window (default: %(default)s)")
    parser.add_argument("--grow", action="store_true", help="a batch of trainer.batch_size for each process")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", help="as for attnfocus train")
    given = parser.parse_args()
    if given.worker is not None:
        work(given)
        return 0
    print(f"{'processes':>9}  {'words/s':>8}  {'speedup':>7}  {'communication':>13}")
    found = [job(given, size) for size in given.processes]
    for size, (words, share) in zip(given.processes, found, strict=True):
        print(f"{size:>9}  {words:>8,.0f}  {words / found[0][0]:>7.2f}  {share:>13.1%}")
    return 0


def job(given: argparse.Namespace, size: int) -> tuple[float, float]:
    """Words per second of all processes together, and the share of communication."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        options = ["--windows", str(given.windows), "--steps", str(given.steps), *(["--grow"] if given.grow else [])]
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={size}", __file__]
        threads = os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // size)))
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        subprocess.run([*command, "--worker", str(answer), *options, *given.overrides], check=True, env=environment)
        words, share = json.loads(answer.read_text(encoding="utf-8"))
    return words, share


def work(given: argparse.Namespace) -> None:
    """One process of a job."""
    size = int(os.environ["WORLD_SIZE"])
    values = CommandLine("train", given.overrides).compose(given.overrides, resolve=True)
    values["choices"] = {}
    if given.grow:
        values["trainer"]["batch_size"] *= size
    setup = check_train(values)
    options = setup.config.distributed
    with joined(DistributedOptions(strategy=options.strategy or "ddp"), setup.device) as processes:
        seed_everything(setup.config.seed)
        prepared = prepare_data(setup, wanted=["train"])
        model = setup.new_model(prepared.codec).to(setup.device)
        processes.divide(model)
        optimizer = setup.optimizer(model.parameters())
        task = setup.task(prepared.codec)
        precision = Precision(setup.config.trainer.precision, setup.device)
        stepper = Stepper(model, task, optimizer, setup.config.trainer, precision, processes)
        epochs = Epochs(prepared.splits["train"], plan_of(setup, prepared, "train"), Share(processes.rank, size))
        batches = (batch for epoch in count() for batch in epochs(epoch))
        window(stepper, batches, 2 * given.steps, is_reduced=True)  # warm
        found: dict[bool, list[tuple[float, int]]] = {True: [], False: []}
        for _ in range(given.windows):
            for is_reduced, kept in found.items():
                kept.append(window(stepper, batches, given.steps, is_reduced=is_reduced))
        if processes.is_first:
            rate, alone = (
                statistics.median(words / seconds for seconds, words in found[each]) for each in (True, False)
            )
            given.worker.write_text(json.dumps([rate, 1 - rate / alone]), encoding="utf-8")


def window(stepper: Stepper, batches: Iterator[Any], num_steps: int, *, is_reduced: bool) -> tuple[float, int]:
    """Seconds, and words of all processes, of some steps."""
    words, began = 0, time.perf_counter()
    for step in range(1, num_steps + 1):
        with nullcontext() if is_reduced else stepper.processes.accumulating(stepper.model):
            gradients = stepper.gradients([next(batches)], 1, step)
        stepper.apply(gradients, 1.0)
        words += gradients.num_words
    if stepper.device.type == "cuda":
        torch.cuda.synchronize(stepper.device)
    return time.perf_counter() - began, words


if __name__ == "__main__":
    sys.exit(main())
