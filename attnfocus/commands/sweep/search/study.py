"""An Optuna study over the folders of a sweep: which trial comes next, and what became of it.

Trial n is the sweep's job n. What is in the storage and in the folders is all that there is: a search that was killed
at any moment goes on from there, and proposes what it would have proposed.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attnfocus.commands.sweep.folders import JOB_FILE, is_running, summary_of, to_note
from attnfocus.commands.sweep.search.options import FACTS, SearchPlan
from attnfocus.commands.sweep.search.samplers import distribution_of, sampler_of
from attnfocus.commands.sweep.search.storage import open_storage
from attnfocus.display.console import open_console, say
from attnfocus.errors import CheckpointError, ConfigError
from attnfocus.layout import METRICS_FILE
from attnfocus.locks import HeldError, locked
from attnfocus.redaction import hide
from attnfocus.tracking.metrics_file import logged_metrics

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LOCK_FILE = ".search.lock"
MAX_STARTS = 3  # of one trial, by searches that were killed or jobs that were; then it counts as failed


def folder_of(sweep_dir: Path, number: int) -> Path:
    """The folder of a trial's run, which its job has made."""
    found = [path.parent for path in sweep_dir.glob(f"{number}_*/{JOB_FILE}")]
    return found[0] if found else sweep_dir / str(number)


def numbers_of(folder: Path) -> dict[str, float]:
    """What a finished run can be judged by: the metrics of valid at its best checkpoint, and `FACTS`."""
    summary = summary_of(folder)
    metrics = None
    if summary.best is not None:
        with suppress(CheckpointError):  # damaged: then there is no number to judge it by
            metrics = logged_metrics(folder / METRICS_FILE, summary.best.step, "valid")
    facts = {name: getattr(summary, name) for name in FACTS}
    return {**(metrics or {}), **{name: float(value) for name, value in facts.items() if value is not None}}


class Search:
    """The study of one sweep's folder.

    Args:
        wait_seconds: between two looks at whether a trial of another process has ended.

    Raises:
        ConfigError: the study that is there varies or seeks something else.
    """

    def __init__(self, plan: SearchPlan, sweep_dir: Path, wait_seconds: float = 1.0) -> None:
        import optuna

        self.plan, self.sweep_dir, self.wait_seconds = plan, sweep_dir, wait_seconds
        storage = open_storage(plan.options, sweep_dir)
        directions: list[Literal["maximize", "minimize"]] = [
            "maximize" if each.direction == "max" else "minimize" for each in plan.objectives
        ]
        self.study = optuna.create_study(
            storage=storage, study_name=plan.options.study_name, directions=directions, load_if_exists=True
        )
        self._remember()

    def _remember(self) -> None:
        """Notes in a new study what it is; holds it against what is there in one that goes on."""
        plan = self.plan
        facts = {
            "objectives": [asdict(objective) for objective in plan.objectives],
            "space": {each.key: each.text for each in plan.space},
            "fixed": to_note(plan.fixed),
        }
        known = self.study.user_attrs
        problems = [
            f"hydra.sweeper.study_name: the study {plan.options.study_name} that is there has other {name}: "
            f"{_shown(known[name])}, not {_shown(value)}. Give the same command, or another study_name or storage."
            for name, value in facts.items()
            if name in known and known[name] != value
        ]
        if problems:
            raise ConfigError(problems)
        for name, value in facts.items():
            self.study.set_user_attr(name, value)
        self.study.set_user_attr("folder", str(self.sweep_dir))
        self.study.set_metric_names([objective.name for objective in plan.objectives])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While entered, no other search works in the folder. A killed process lets go by itself.

        Raises:
            ConfigError: another one does.
        """
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.sweep_dir / LOCK_FILE))
            except HeldError as error:
                raise ConfigError(
                    f"sweep.resume: another search is working in {self.sweep_dir} ({error}). Wait for it."
                ) from error
            yield

    def trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def num_finished(self) -> int:
        return sum(trial.state.is_finished() and self._is_whole(trial) for trial in self.trials())

    def _is_whole(self, trial: FrozenTrial) -> bool:
        """False for one that a kill has left without all its values: it never was a job."""
        return len(trial.params) == len(self.plan.space)

    def overrides(self, number: int) -> list[str]:
        """The command line of a trial."""
        return self.plan.overrides(self.trials()[number].params)

    def next_trials(self) -> list[int]:
        """Numbers of the trials to launch now: those that a kill has left, then new ones; none when all are done.

        One that another process is at, such as a job of a cluster whose search was killed, is among the `n_jobs`. Where
        that leaves room for no other, this waits.
        """
        options = self.plan.options
        while True:
            free, held = self._unfinished()
            room = min(options.n_jobs, options.n_trials - self.num_finished())
            if room <= len(held) and room > 0:
                self._wait_for(held)
                continue
            numbers = free[: max(0, room - len(held))]
            while len(numbers) + len(held) < room:
                numbers.append(self._ask())
            for number in numbers:
                self._set(number, "starts", self._starts(number) + 1)
            return numbers

    def _unfinished(self) -> tuple[list[int], list[int]]:
        """The trials that nobody is at, and those that another process is at."""
        for trial in self.trials():
            if not trial.state.is_finished():
                self.settle(trial.number)
        numbers = [trial.number for trial in self.trials() if not trial.state.is_finished()]
        held = [number for number in numbers if is_running(folder_of(self.sweep_dir, number))]
        return [number for number in numbers if number not in held], held

    def _wait_for(self, held: Sequence[int]) -> None:
        """Returns when another process has left one of these trials."""
        names = ", ".join(map(str, held))
        say(open_console(), f"waiting for other processes, which are at trial {names}", style="yellow")
        folders = [folder_of(self.sweep_dir, number) for number in held]
        while all(map(is_running, folders)):
            time.sleep(self.wait_seconds)

    def _ask(self) -> int:
        self.study.sampler = sampler_of(self.plan.options, len(self.trials()))
        return self.study.ask({each.key: distribution_of(each) for each in self.plan.space}).number

    def _starts(self, number: int) -> int:
        return int(self.trials()[number].user_attrs.get("starts", 0))

    def _set(self, number: int, name: str, value: object) -> None:
        storage = (
            self.study._storage
        )  # by which a study answers; a trial that another process asked for has no other way
        trial_id = storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)
        storage.set_trial_user_attr(trial_id, name, value)

    def settle(self, number: int) -> None:
        """Tells the study what became of a trial's run, if it has ended: a value, pruned, or failed."""
        from optuna.trial import TrialState

        folder = folder_of(self.sweep_dir, number)
        if is_running(folder):
            return  # its summary is of another attempt, or not its last word
        summary = summary_of(folder)
        status = summary.status
        if status == "completed":
            numbers = numbers_of(folder)
            values = [numbers.get(objective.name, math.nan) for objective in self.plan.objectives]
            self._note(number, folder, numbers)
            if all(map(math.isfinite, values)):
                self.study.tell(number, values)
                return
            bad = [
                each.name for each, value in zip(self.plan.objectives, values, strict=True) if not math.isfinite(value)
            ]
            error = f"{', '.join(bad)}: not a finite number"
        elif status == "pruned":
            self._note(number, folder, numbers_of(folder))
            self.study.tell(number, state=TrialState.PRUNED)
            return
        elif status == "failed":
            error = summary.error or "unknown error"
        elif not self._is_whole(self.trials()[number]):
            error = "killed while its values were proposed"
        elif self._starts(number) >= MAX_STARTS:
            error = f"started {MAX_STARTS} times, and killed each time"
        else:
            return
        self._set(number, "error", hide(error).splitlines()[0])
        self.study.tell(number, state=TrialState.FAIL)

    def _note(self, number: int, folder: Path, numbers: Mapping[str, float]) -> None:
        """For those who look at the study: where the run lies, and all its numbers."""
        self._set(number, "folder", str(folder))
        self._set(number, "numbers", dict(numbers))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."
