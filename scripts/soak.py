"""Kills training runs with SIGKILL, goes on with them, and compares their end with that of a run left in peace.

`python scripts/soak.py`: two or three minutes on two cores; exit code 1 if a run is lost or ends otherwise by one bit.
Runs of all models die at every disk operation that a run makes (half-way through it where it has a middle) and at
random moments. Each life is a process that runs the command `attnfocus train` and is forked from this one, which has
imported everything: most of a life would be imports.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from soak_compare import differences
from soak_life import ANY, KILLED, STOPPED, Death, live, observe

SAVES_BEFORE_STOP = 5  # the fifth save is that of step 15; a run that is stopped in it ends with 16, not evaluated yet
COMMON = {
    "trainer.max_steps": "36",
    "trainer.max_epochs": "null",
    "trainer.batch_size": "4",
    "trainer.log_every_steps": "2",
    "trainer.save_every_steps": "3",
    "trainer.evaluate_every_steps": "16",
    "focus.num_samples": "0",  # pictures take longer to draw than all else
}
SMALL = {"dataset.num_train": "90", "dataset.num_valid": "6", "dataset.num_test": "6", "model.embed_dim": "8"}
TEXTS = {**SMALL, "dataset": "languages", "dataset.tokenizer.vocab_size": "200", "dataset.languages": "[de,en,fr]"}
RUNS = {
    "seq2seq": {**SMALL, "model.hidden_size": "8", "trainer.accumulate_steps": "2", "trainer.ema_decay": "0.9"},
    "rnn_classifier": {**TEXTS, "model.hidden_size": "8", "scheduler": "plateau", "trainer.num_workers": "2"},
    "transformer": {**TEXTS, "model.feedforward_dim": "8", "model.num_heads": "2", "trainer.precision": "bf16"},
    "pooling_classifier": {
        "trainer.batch_size": "1",
        "optimizer": "sgd",
        "optimizer.momentum": "0.9",
        "focus.num_samples": "1",
    },
}
HEAVY = (  # what a run imports
    "attnfocus.commands.train.command",
    "torch._dynamo",
    "torchmetrics",
    "sacrebleu",
    "matplotlib.figure",
    "hydra.main",
    "matplotlib.backends.backend_agg",
    "attnfocus.tracking.event_file",
    "attnfocus.display.figures",
)
MAX_MISSES = 3  # runs that ended before an operation came up


@dataclass
class Reference:
    """An uninterrupted run, and what runs of its kind do.

    Attributes:
        first: disk operations of a run up to a stop.
        then: those of the same run from there on; with what a second save of one step does.
    """

    model: str
    folder: Path
    seconds: float = 0.0
    first: list[str] = field(default_factory=list)
    then: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "reference"

    def command(self, run: Path) -> list[str]:
        options = {"model": self.model, **COMMON, **RUNS[self.model]}
        return ["train", *(f"{key}={value}" for key, value in options.items()), f"run_dir={run}", "resume=auto"]


def make_reference(model: str, folder: Path) -> Reference:
    """Trains once in peace, and once stopped by SIGTERM and resumed, which must come to the same."""
    reference = Reference(model, folder)
    folder.mkdir()
    began = time.monotonic()
    code, _ = observe(reference.command(reference.path), reference.path)
    reference.seconds = time.monotonic() - began
    stopped = folder / "stopped"
    stop_code, reference.first = observe(reference.command(stopped), stopped, SAVES_BEFORE_STOP)
    done = len(reference.first)
    end_code, operations = observe(reference.command(stopped), stopped)
    reference.then = operations[done:]
    if (code, stop_code, end_code) != (0, STOPPED, 0):
        reference.problems = [f"{folder}: exit codes {code}, {stop_code}, {end_code}, not 0, {STOPPED}, 0"]
    else:
        reference.problems = [f"{stopped}: {line}" for line in differences(reference.path, stopped)]
    return reference


class Soak:
    """Runs of one kind that are killed until every death has been died.

    Args:
        operations: those to die at.
        num_random: more deaths, half of them at any disk operation, half at any moment.
    """

    def __init__(
        self, reference: Reference, operations: Sequence[str], num_random: int, seed: int, lose: str | None
    ) -> None:
        self.reference, self.lose = reference, lose
        self.random = random.Random(f"{seed} {reference.model}")
        first, then = set(reference.first), set(reference.then)
        # A run that died at its beginning begins again: one death after the other.
        self.beginning = [Death(name) for name in reference.first if name in operations and name not in then]
        self.beginning = list(dict.fromkeys(self.beginning))
        self.after_stop = [Death(name) for name in operations if name not in first]
        often = [name for name in operations if name in first & then]
        self.anywhere = [Death(name, self.random.randint(1, min(3, reference.then.count(name)))) for name in often]
        self.anywhere += [self.any_death(index % 2 == 0) for index in range(num_random)]
        self.random.shuffle(self.anywhere)
        self.kills: list[str] = []
        self.problems: list[str] = []
        self.misses: dict[str, int] = {}
        self.num_runs = 0

    def any_death(self, is_timed: bool) -> Death:
        if is_timed:
            return Death(seconds=self.random.uniform(0, self.reference.seconds))
        return Death(ANY, self.random.randint(1, len(self.reference.then)))

    def go(self) -> Soak:
        while (self.beginning or self.after_stop or self.anywhere or not self.num_runs) and not self.problems:
            self.num_runs += 1
            run = self.reference.folder / f"run-{self.num_runs}"
            try:
                self.one_run(run)
            except TimeoutError as error:
                self.problems.append(f"{run}: {error}")
        return self

    def one_run(self, run: Path) -> None:
        command = self.reference.command(run)
        first, self.beginning = self.beginning, []
        if not first and self.after_stop:
            first = [self.after_stop.pop()]
            code, _ = observe(command, run, SAVES_BEFORE_STOP)
            if code != STOPPED:
                self.problems.append(f"{run}: exit code {code}, not {STOPPED}")
                return
        while True:
            death = first.pop(0) if first else self.anywhere.pop() if self.anywhere else Death()
            short = ["train", f"resume={run}"]
            is_short = (run / "config.yaml").exists() and self.random.random() < 0.5
            code = live(short if is_short else command, run, death, self.lose)
            if code == KILLED:
                self.kills.append(str(death))
                continue
            if code:
                log = run.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
                told = " / ".join(log.strip().splitlines()[-4:])
                self.problems.append(f"{run}: lost after {', '.join(self.kills[-2:])}: exit code {code}: {told}")
                return
            if death != Death():
                self.miss(death)
            self.beginning = first
            self.problems += [f"{run}: {line}" for line in differences(self.reference.path, run)]
            return

    def miss(self, death: Death) -> None:
        """Another run, another try."""
        if death.operation in (None, ANY):
            self.anywhere.append(self.any_death(death.operation is None))
            return
        name = str(death.operation)
        self.misses[name] = self.misses.get(name, 0) + 1
        if self.misses[name] == MAX_MISSES:
            self.problems.append(f"{self.reference.folder}: {name} did not come up in {MAX_MISSES} runs")
        (self.anywhere if name in self.reference.first else self.after_stop).append(replace(death, count=1))


def shared_out(references: Sequence[Reference], pattern: str) -> list[list[str]]:
    """Every disk operation in whose name the pattern is, once: to one of the kinds of runs that make it, the one with
    the fewest.
    """
    shares: list[list[str]] = [[] for _ in references]
    made = [list(dict.fromkeys([*each.first, *each.then])) for each in references]
    for name in dict.fromkeys(name for names in made for name in names if re.search(pattern, name)):
        min((share for share, names in zip(shares, made, strict=True) if name in names), key=len).append(name)
    return shares


def soak(models: Sequence[str], folder: Path, given: argparse.Namespace) -> tuple[list[str], list[Soak]]:
    """The problems, and what was done."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(given.jobs, context) as pool:
        references = list(pool.map(make_reference, models, [folder / model for model in models]))
        problems = [line for each in references for line in each.problems]
        if problems:
            return problems, []
        shares = shared_out(references, given.operations)
        soaks = [
            Soak(each, share, given.random, given.seed, given.lose)
            for each, share in zip(references, shares, strict=True)
        ]
        done = list(pool.map(Soak.go, soaks))
    return [line for each in done for line in each.problems], done


def warm() -> None:
    """Does once what each life would begin with."""
    for name in HEAVY:
        importlib.import_module(name)
    import torch

    torch.empty(1, device="meta").normal_()  # its first use imports much


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=RUNS, default=list(RUNS), help="default: all")
    parser.add_argument("--random", type=int, default=10, help="kills at random per model (default: %(default)s)")
    parser.add_argument(
        "--operations", default="", help="a regular expression that is in their names; '$^': random kills alone"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time (default: %(default)s)")
    parser.add_argument("--lose", choices=("position", "optimizer"), help="negative control: what a resume forgets")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch loads: forked processes must not share threads
    began = time.monotonic()
    warm()
    folder = Path(tempfile.mkdtemp(prefix="attnfocus-soak-"))
    os.chdir(folder)
    problems, done = soak(given.models, folder, given)
    for each in done:
        print(f"{each.reference.model}: {len(each.kills)} kills, {each.num_runs} runs")
        print("\n".join(f"  {kill}" for kill in each.kills))
    kills, runs = sum(len(each.kills) for each in done), sum(each.num_runs for each in done)
    for line in problems:
        print(line, file=sys.stderr)
    print(f"{kills} kills, {runs} runs, {len(problems)} problems, {time.monotonic() - began:.0f} s")
    if problems:
        print(f"everything is in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
