"""What `soak.py` kills, and the same left in peace to compare with: a run, or a sweep of runs."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from soak_compare import differences
from soak_life import STOPPED, Death, live, observe

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
SWEEP, RANKS = "sweep", "ddp"
JOBS = {"model": "pooling_classifier", "scheduler": "constant,plateau", "seed": "1,2", "trainer.max_steps": "9"}
RESULTS_TIMES = {"seconds"}  # columns of results.csv


@dataclass
class Reference:
    """A run that nothing interrupted, and what runs of its kind do.

    Attributes:
        first: disk operations of a run up to a stop.
        then: those of the same run from there on; with what a second save of one step does.
    """

    kind: str
    folder: Path
    seconds: float = 0.0
    first: list[str] = field(default_factory=list)
    then: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "reference"

    def command(self, run: Path) -> list[str]:
        """What begins a run in that folder, and goes on with it."""
        options = {"model": self.kind, **COMMON, **RUNS[self.kind]}
        return ["train", *(f"{key}={value}" for key, value in options.items()), f"run_dir={run}", "resume=auto"]

    def short_command(self, run: Path) -> list[str] | None:
        """What goes on with it by its folder alone; None where the folder does not say yet what it is."""
        return ["train", f"resume={run}"] if (run / "config.yaml").exists() else None

    def differences(self, run: Path) -> list[str]:
        return differences(self.path, run)

    def make(self) -> Reference:
        """Trains once in peace, and once stopped by SIGTERM and resumed, which must come to the same."""
        self.folder.mkdir()
        began = time.monotonic()
        code, _ = observe(self.command(self.path), self.path)
        self.seconds = time.monotonic() - began
        stopped = self.folder / "stopped"
        stop_code, self.first = observe(self.command(stopped), stopped, SAVES_BEFORE_STOP)
        done = len(self.first)
        end_code, operations = observe(self.command(stopped), stopped)
        self.then = operations[done:]
        if (code, stop_code, end_code) != (0, STOPPED, 0):
            self.problems = [f"{self.folder}: exit codes {code}, {stop_code}, {end_code}, not 0, {STOPPED}, 0"]
        else:
            self.problems = [f"{stopped}: {line}" for line in self.differences(stopped)]
        return self


class SweepReference(Reference):
    """Four jobs in one process: what a sweep writes beside its runs, and each run, however often it was killed."""

    def command(self, run: Path) -> list[str]:
        if (run / "multirun.yaml").exists():  # its own command would begin another sweep
            return ["train", "-m", f"sweep.resume={run}"]
        options = {**RUNS["pooling_classifier"], **COMMON, **JOBS}
        return ["train", "-m", *(f"{key}={value}" for key, value in options.items()), f"hydra.sweep.dir={run}"]

    def short_command(self, run: Path) -> list[str] | None:
        return None

    def differences(self, run: Path) -> list[str]:
        jobs, killed = _jobs(self.path), _jobs(run)
        if sorted(jobs) != sorted(killed):
            return [f"jobs {sorted(killed)}, not {sorted(jobs)}"]
        found = [f"{name}: {line}" for name in sorted(jobs) for line in differences(jobs[name], killed[name])]
        if _results(self.path) != _results(run):
            found.append("results.csv: differs")
        return found

    def make(self) -> Reference:
        self.folder.mkdir()
        began = time.monotonic()
        code, self.first = observe(self.command(self.path), self.path)
        self.seconds, self.then = (
            time.monotonic() - began,
            self.first,
        )  # a kill may come to a job, or to what is between
        num_jobs = len(_jobs(self.path))
        if code or num_jobs != 4:
            self.problems = [f"{self.folder}: exit code {code}, {num_jobs} jobs, not 0 and 4"]
        return self


class RanksReference(Reference):
    """Two processes with the whole model each."""

    def command(self, run: Path) -> list[str]:
        options = {"model": "seq2seq", **COMMON, **RUNS["seq2seq"], "distributed": "ddp", "device": "cpu"}
        given = [f"{key}={value}" for key, value in options.items()]
        return ["train", *given, "distributed.num_processes=2", f"run_dir={run}", "resume=auto"]

    def short_command(self, run: Path) -> list[str] | None:
        """How many processes share the work is no part of a run."""
        short = super().short_command(run)
        return short and [*short, "distributed=ddp", "distributed.num_processes=2", "device=cpu"]

    def make(self) -> Reference:
        self.folder.mkdir()
        began = time.monotonic()
        code = live(self.command(self.path), self.path, Death())
        self.seconds = time.monotonic() - began
        self.problems = [f"{self.folder}: exit code {code}"] if code else []
        return self


def new_reference(kind: str, folder: Path) -> Reference:
    kinds: dict[str, type[Reference]] = {SWEEP: SweepReference, RANKS: RanksReference}
    return kinds.get(kind, Reference)(kind, folder / kind)


def make(reference: Reference) -> Reference:
    return reference.make()


def _jobs(sweep: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sweep.glob("*/overrides.json")}


def _results(sweep: Path) -> Sequence[dict[str, str]]:
    """The rows of results.csv without times and without the folder that the sweep lies in."""
    with (sweep / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {key: value.replace(str(sweep), "") for key, value in row.items() if key not in RESULTS_TIMES} for row in rows
    ]
