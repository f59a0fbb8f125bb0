"""A search from its first line to its results: what is told on the way, and what is written in the end."""

import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnfocus.commands.sweep.folders import LOCK_FILE, RESULTS_FILE
from attnfocus.commands.sweep.search.figure import search_drawing
from attnfocus.commands.sweep.search.options import SearchPlan
from attnfocus.commands.sweep.search.storage import storage_url, stored
from attnfocus.commands.sweep.search.study import Search
from attnfocus.commands.sweep.search.table import (
    SearchResult,
    Trial,
    importance_lines,
    print_search,
    search_facts,
    tells_apart,
    tie_lines,
    write_objectives,
)
from attnfocus.commands.sweep.sweep import resume_command
from attnfocus.display.console import open_console, say
from attnfocus.display.drawings import write_drawings
from attnfocus.display.text import metric_name, number
from attnfocus.files import path_from, write_json_atomically
from attnfocus.locks import locked
from attnfocus.redaction import hide
from attnfocus.runs.folder import command_line

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RESULT_FILE = "search.json"
MIN_COMPLETED = 4  # trials, for importances
TOP_SHARE = 0.25  # of the completed trials, which the importances tell from the rest


@contextmanager
def running_search(plan: SearchPlan, sweep_dir: Path) -> Iterator[Search]:
    """The study of a folder, new or gone on with, with a word at its start, and at an interruption how to go on.

    Raises:
        ConfigError: the study there is another one, or another search works in the folder.
    """
    console = open_console()
    with ExitStack() as stack:
        stack.enter_context(stored(plan.options, sweep_dir))
        search = Search(plan, sweep_dir)
        stack.enter_context(search.alone())
        goals = " and ".join(f"{each.direction} {metric_name(each.name)}" for each in plan.objectives)
        done = search.num_finished()
        say(console, f"search for {goals}: {done} of {plan.options.n_trials} trials are done", style="bold")
        say(console, f"study {plan.options.study_name} in {hide(storage_url(plan.options, sweep_dir))}", wrap=False)
        try:
            yield search
        except KeyboardInterrupt:
            say(console, f"to go on:  {resume_command(sweep_dir)}", wrap=False)
            raise


def tell_of(search: Search, numbers: Sequence[int]) -> None:
    """Settles the trials whose jobs have come back, and says a line of each."""
    console = open_console()
    for each in numbers:
        search.settle(each)
    result = result_of(search)
    for each in numbers:
        trial = next(trial for trial in result.trials if trial.number == each)
        best = next((found for found in result.trials if found.number in result.best), None)
        line = f"trial {each}: {_outcome(trial, result)}"
        if best is not None and len(result.objectives) == 1:
            line += f"  (best {number(best.values[0])}, trial {best.number})"
        say(console, line, style="red" if trial.status == "failed" else "bold")


def _outcome(trial: Trial, result: SearchResult) -> str:
    if trial.values:
        pairs = zip(result.objectives, trial.values, strict=True)
        return ", ".join(f"{metric_name(name)} {number(value)}" for name, value in pairs)
    return trial.error if trial.error else trial.status


def finish_search(plan: SearchPlan, sweep_dir: Path) -> None:
    """Writes search.json and the figure into the folder; prints the best trials, importances, and what to do next."""
    with stored(plan.options, sweep_dir):
        search = Search(plan, sweep_dir)
        result = result_of(search, _importances(search))
    if result.are_equal:
        result = replace(result, best=(), importances=())
    best = [] if result.are_equal else result.ranked[:1]
    command = _command(plan, best[0].params) if best else None
    with locked(sweep_dir / LOCK_FILE, math.inf):  # a job that ends elsewhere writes the same file
        write_objectives(sweep_dir / RESULTS_FILE, result)
    write_json_atomically(sweep_dir / RESULT_FILE, {**search_facts(result), "command": command})
    figures = write_drawings(sweep_dir, [search_drawing(result)], plan.options)
    console = open_console(sys.stdout)
    say(console, f"\n{result.counts}", style="bold")
    if result.ranked:
        print_search(console, result)
    for line in (*tie_lines(result), *importance_lines(result)):
        say(console, line)
    say(console, "")
    for label, text in _ends(plan, sweep_dir, figures, command):
        say(console, f"{label:<8} {text}", wrap=False)


def _ends(plan: SearchPlan, sweep_dir: Path, figures: Sequence[Path], command: str | None) -> Iterator[tuple[str, str]]:
    """What lies where, and what can be done next."""
    if figures:
        yield "figure", str(figures[0])
    yield "study", hide(storage_url(plan.options, sweep_dir))
    if command is not None:
        yield "best", command
    yield "more", f"{resume_command(sweep_dir)} hydra.sweeper.n_trials={2 * plan.options.n_trials}"


def _command(plan: SearchPlan, params: Mapping[str, Any]) -> str:
    """Trains the trial with these values again, alone."""
    return command_line("train", [*plan.alone, *plan.proposed(params)])


def result_of(search: Search, importances: tuple[Mapping[str, float], ...] = ()) -> SearchResult:
    """The study as plain values."""
    objectives = search.plan.objectives
    return SearchResult(
        objectives=tuple(each.name for each in objectives),
        directions=tuple(each.direction for each in objectives),
        trials=tuple(_plain(trial, search.sweep_dir) for trial in search.trials()),
        best=_best(search),
        importances=importances,
    )


def _best(search: Search) -> tuple[int, ...]:
    """Numbers of the best trials; of one objective the first of those that are equal."""
    numbers = sorted(trial.number for trial in search.study.best_trials)
    return tuple(numbers if len(search.plan.objectives) > 1 else numbers[:1])


def _plain(trial: "FrozenTrial", sweep_dir: Path) -> Trial:
    from optuna.trial import TrialState

    names = {TrialState.COMPLETE: "completed", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    folder = trial.user_attrs.get("folder")
    status: Any = names.get(trial.state, "running")
    return Trial(
        number=trial.number,
        status=status,
        params=dict(trial.params),
        values=tuple(trial.values) if status == "completed" else (),
        reports={step: value for step, value in trial.intermediate_values.items() if math.isfinite(value)},
        run_dir=None if folder is None else path_from(sweep_dir, Path(folder)),
        error=trial.user_attrs.get("error"),
    )


def _importances(search: Search) -> tuple[Mapping[str, float], ...]:
    """How far a key's values in the best quarter of the completed trials differ from those in all, as shares.

    By PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255), which needs no package besides Optuna, and knows choices as
    well as numbers.
    """
    completed = [trial for trial in search.trials() if trial.values is not None and trial.state.name == "COMPLETE"]
    if len(completed) < MIN_COMPLETED:
        return ()
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances  # half a second

    found: list[Mapping[str, float]] = []
    for index, objective in enumerate(search.plan.objectives):
        if not tells_apart([trial.values[index] for trial in completed], objective.direction):
            found.append({})  # nothing decided anything
            continue
        sign = -1.0 if objective.direction == "max" else 1.0

        def cost(trial: "FrozenTrial", index: int = index, sign: float = sign) -> float:
            return sign * float(trial.values[index])

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that lower is better, which the sign has seen to
            evaluator = PedAnovaImportanceEvaluator(target_quantile=TOP_SHARE)
            shares = get_param_importances(search.study, evaluator=evaluator, target=cost)
        found.append(dict(sorted(shares.items())))
    return tuple(found)
