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
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from soak_life import ANY, KILLED, STOPPED, Death, live, observe
from soak_ranks import RanksSoak
from soak_reference import RANKS, RUNS, SAVES_BEFORE_STOP, SWEEP, Reference, make, new_reference
from soak_runs import Runs

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


class Soak(Runs):
    """Runs of one kind that are killed until every death has been died.

    Args:
        operations: those to die at.
        num_random: more deaths, half of them at any disk operation, half at any moment.
    """

    def __init__(
        self, reference: Reference, operations: Sequence[str], num_random: int, seed: int, lose: str | None
    ) -> None:
        super().__init__(reference, seed)
        self.lose = lose
        first, then = set(reference.first), set(reference.then)
        # A run that died at its beginning begins again: one death after the other.
        self.beginning = [Death(name) for name in reference.first if name in operations and name not in then]
        self.beginning = list(dict.fromkeys(self.beginning))
        self.after_stop = [Death(name) for name in operations if name not in first]
        often = [name for name in operations if name in first & then]
        self.anywhere = [Death(name, self.random.randint(1, min(3, reference.then.count(name)))) for name in often]
        self.anywhere += [self.any_death(index % 2 == 0) for index in range(num_random)]
        self.random.shuffle(self.anywhere)
        self.misses: dict[str, int] = {}

    def any_death(self, is_timed: bool) -> Death:
        if is_timed:
            return Death(seconds=self.random.uniform(0, self.reference.seconds))
        return Death(ANY, self.random.randint(1, len(self.reference.then)))

    @property
    def has_more(self) -> bool:
        return bool(self.beginning or self.after_stop or self.anywhere)

    def one_run(self, run: Path) -> None:
        first, self.beginning = self.beginning, []
        if not first and self.after_stop:
            first = [self.after_stop.pop()]
            code, _ = observe(self.reference.command(run), run, SAVES_BEFORE_STOP)
            if code != STOPPED:
                self.problems.append(f"{run}: exit code {code}, not {STOPPED}")
                return
        while True:
            death = first.pop(0) if first else self.anywhere.pop() if self.anywhere else Death()
            code = live(self.next_command(run), run, death, self.lose)
            if code == KILLED:
                self.kills.append(str(death))
                continue
            if not code and death != Death():
                self.miss(death)
            self.beginning = first
            self.end(run, code)
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
    made = [[] if each.kind == RANKS else list(dict.fromkeys([*each.first, *each.then])) for each in references]
    for name in dict.fromkeys(name for names in made for name in names if re.search(pattern, name)):
        min((share for share, names in zip(shares, made, strict=True) if name in names), key=len).append(name)
    return shares


def soak(kinds: Sequence[str], folder: Path, given: argparse.Namespace) -> tuple[list[str], list[Runs]]:
    """The problems, and what was done."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(given.jobs, context) as pool:
        references = list(pool.map(make, [new_reference(kind, folder) for kind in kinds]))
        problems = [line for each in references for line in each.problems]
        if problems:
            return problems, []
        shares = shared_out(references, given.operations)
        soaks: list[Runs] = [
            RanksSoak(each, given.random, given.seed)
            if each.kind == RANKS
            else Soak(each, share, given.random, given.seed, given.lose)
            for each, share in zip(references, shares, strict=True)
        ]
        done = list(pool.map(go, soaks))
    return [line for each in done for line in each.problems], done


def go(soak: Runs) -> Runs:
    return soak.go()


def warm() -> None:
    """Does once what each life would begin with."""
    for name in HEAVY:
        importlib.import_module(name)
    import torch

    torch.empty(1, device="meta").normal_()  # its first use imports much


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = [*RUNS, SWEEP, RANKS]
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds, help="default: all")
    parser.add_argument("--random", type=int, default=10, help="kills at random per kind (default: %(default)s)")
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
    problems, done = soak(given.kinds, folder, given)
    for each in done:
        print(f"{each.reference.kind}: {len(each.kills)} kills, {each.num_runs} runs")
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
