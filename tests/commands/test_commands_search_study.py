"""A study over folders that are written by hand: no model is trained."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from attnfocus.cli.sweeps.sweeper import SearchSweeper, consecutive
from attnfocus.commands.sweep.folders import LOCK_FILE, owned
from attnfocus.commands.sweep.search.figure import draw_search
from attnfocus.commands.sweep.search.options import Objective, SearchOptions, SearchPlan, check_options, objectives_of
from attnfocus.commands.sweep.search.pruning import Pruning
from attnfocus.commands.sweep.search.samplers import pruner_of, sampler_of
from attnfocus.commands.sweep.search.storage import study_folder
from attnfocus.commands.sweep.search.study import MAX_STARTS, Search, folder_of
from attnfocus.commands.sweep.search.study_run import finish_search, result_of, running_search
from attnfocus.commands.sweep.search.table import SearchResult, Trial, tells_apart
from attnfocus.commands.sweep.sweep import update_results
from attnfocus.config.search_space import split_overrides
from attnfocus.errors import ConfigError, RunError
from attnfocus.events import Evaluated
from attnfocus.locks import is_locked

SPACE = ["optimizer.lr=tag(log,interval(1e-4,1e-1))", "model.dropout=range(0,0.5,0.1)", "attention=additive,dot"]
LOSS = Objective("loss", "min")


def plan(*objectives: Objective, space: list[str] | None = None, **options: Any) -> SearchPlan:
    fixed, dimensions = split_overrides(["seed=3", *(SPACE if space is None else space)], {}, {"attention"})
    chosen = SearchOptions(**{"n_trials": 4, "startup_trials": 2, **options})
    return SearchPlan(chosen, tuple(dimensions), tuple(fixed), objectives or (LOSS,), tuple(fixed))


def write_run(search: Search, number: int, metrics: Mapping[str, float], **summary: Any) -> Path:
    """The folder that the job of a trial leaves."""
    folder = search.sweep_dir / f"{number}_x"
    folder.mkdir(exist_ok=True)
    (folder / "overrides.json").write_text("[]")
    line = {"step": 10, "epoch": 1, "split": "valid", "seconds": 1.0, **metrics}
    (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    best = {"metric": "loss", "value": metrics.get("loss", 0.0), "step": 10}
    facts = {"status": "completed", "seconds": 2.0, "parameters": 7, "words_per_second": 5.0, "best": best, **summary}
    (folder / "summary.json").write_text(json.dumps(facts))
    return folder


def train(search: Search, number: int) -> None:
    """A run whose loss is least at a learning rate of 0.01, whatever else."""
    params = search.trials()[number].params
    write_run(search, number, {"loss": abs(math.log10(params["optimizer.lr"]) + 2)})


def drive(search: Search, job: Callable[[Search, int], None] = train, most: int = 100) -> None:
    """The loop of the sweeper."""
    for _ in range(most):
        numbers = search.next_trials()
        if not numbers:
            return
        for number in numbers:
            job(search, number)
            search.settle(number)


def outcome(search: Search) -> list[tuple[dict[str, Any], list[float] | None]]:
    return [(trial.params, trial.values) for trial in search.trials()]


@pytest.mark.slow
def test_a_search_that_is_killed_anywhere_ends_as_one_that_is_not(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    whole = Search(plan(), folders[0])
    drive(whole)
    drive(Search(plan(), folders[1]), most=2)
    killed = Search(plan(), folders[1])
    killed.next_trials()  # killed while its job was running
    killed = Search(plan(), folders[1])
    (number,) = killed.next_trials()
    assert number == 2
    train(killed, number)  # killed after the job, before its end was told
    drive(Search(plan(), folders[1]))
    assert outcome(Search(plan(), folders[1])) == outcome(whole)
    assert len(whole.trials()) == 4
    assert len({params["optimizer.lr"] for params, _ in outcome(whole)}) == 4  # no draw comes twice


@pytest.mark.slow
def test_a_longer_search_goes_on_where_the_shorter_one_ended(tmp_path: Path) -> None:
    drive(Search(plan(n_trials=1), tmp_path))
    longer = Search(plan(n_trials=3), tmp_path)
    assert longer.num_finished() == 1
    drive(longer)
    assert len(longer.trials()) == 3


def test_trials_have_values_of_few_digits_inside_their_ranges(tmp_path: Path) -> None:
    search = Search(plan(n_trials=4, sampler="random"), tmp_path)
    drive(search)
    for params, _ in outcome(search):
        assert 1e-4 <= params["optimizer.lr"] <= 1e-1
        assert len(repr(params["optimizer.lr"]).replace("e-0", "").replace(".", "").lstrip("0")) <= 5
        assert str(params["model.dropout"]) in ("0.0", "0.1", "0.2", "0.3", "0.4")


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "nsgaii"])
def test_every_sampler_proposes_after_its_random_start(sampler: Any, tmp_path: Path) -> None:
    search = Search(plan(n_trials=3, sampler=sampler), tmp_path)
    drive(search)
    assert search.num_finished() == 3


def test_trials_at_once_are_asked_together(tmp_path: Path) -> None:
    search = Search(plan(n_jobs=3), tmp_path)
    first = search.next_trials()
    assert first == [0, 1, 2]
    for number in first:
        train(search, number)
    assert search.next_trials() == [3]  # no more than there are to be


def test_jobs_are_launched_under_the_numbers_of_their_trials() -> None:
    """A launcher counts on from the first number that it is given."""
    assert list(consecutive([2, 5, 6, 8])) == [[2], [5, 6], [8]]
    assert list(consecutive([])) == []


def test_what_became_of_a_run_is_told(tmp_path: Path) -> None:
    search = Search(plan(n_trials=4), tmp_path)
    jobs: list[Callable[[Search, int], Any]] = [
        lambda search, number: write_run(search, number, {"loss": 0.5}),
        lambda search, number: write_run(search, number, {}, best=None),
        lambda search, number: write_run(search, number, {"loss": 0.9}, status="failed", error="no memory\nmore"),
        lambda search, number: write_run(search, number, {"loss": 0.9}, status="pruned"),
    ]
    drive(search, lambda search, number: jobs[number](search, number))
    result = result_of(search)
    assert [trial.status for trial in result.trials] == ["completed", "failed", "failed", "pruned"]
    assert [trial.error for trial in result.trials] == [None, "loss: not a finite number", "no memory", None]
    assert result.trials[0].values == (0.5,)
    assert result.trials[0].run_dir == "0_x"
    assert result.best == (0,)


def test_a_trial_that_is_killed_again_and_again_counts_as_failed(tmp_path: Path) -> None:
    for _ in range(MAX_STARTS):
        assert Search(plan(n_trials=1), tmp_path).next_trials() == [0]
    search = Search(plan(n_trials=1), tmp_path)
    assert search.next_trials() == []
    assert result_of(search).trials[0].error == "started 3 times, and killed each time"


def test_a_trial_that_another_process_is_at_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = Search(plan(n_trials=2), tmp_path, wait_seconds=0.01)
    folder = write_run(search, *search.next_trials(), {"loss": 0.5}, status="running")
    has_begun, has_slept = threading.Event(), threading.Event()

    def other() -> None:
        with owned(folder):
            has_begun.set()
            time.sleep(0.3)  # longer than some looks, none of which may count as a start
            has_slept.set()
            write_run(search, 0, {"loss": 0.5})

    process = threading.Thread(target=other)
    process.start()
    has_begun.wait()
    search.settle(0)
    assert search.next_trials() == [1]
    assert has_slept.is_set()
    process.join()
    assert search.trials()[0].values == [0.5]
    assert search.trials()[0].user_attrs["starts"] == 1
    assert capsys.readouterr().err.count("waiting for other processes, which are at trial 0") == 1


def test_beside_a_trial_of_another_process_others_are_launched(tmp_path: Path) -> None:
    search = Search(plan(n_trials=4, n_jobs=3), tmp_path)
    assert search.next_trials() == [0, 1, 2]
    with owned(write_run(search, 0, {}, status="running")):
        train(search, 1)
        assert search.next_trials() == [2, 3]
    assert [search.trials()[number].user_attrs["starts"] for number in range(4)] == [1, 1, 2, 1]


class FreeSweeper(SearchSweeper):
    """Lets its launcher compose the jobs, if it does."""

    def validate_batch_is_legal(self, batch: object) -> None:
        pass


def sweeper(chosen: SearchPlan, sweep_dir: Path, *, task: list[str]) -> SearchSweeper:
    made = FreeSweeper()
    made.checked = chosen
    storage = "hydra.sweeper.storage=postgresql://me:sesame@host/x"
    section = {"sweep": {"dir": str(sweep_dir)}, "launcher": {"_target_": "joblib"}}
    made.config = OmegaConf.create({"hydra": {**section, "overrides": {"task": task, "hydra": [storage]}}})
    return made


@pytest.mark.slow
def test_a_search_without_a_job_to_start_writes_no_secret_either(tmp_path: Path) -> None:
    chosen = plan(n_trials=1)
    drive(Search(chosen, tmp_path))
    sweeper(chosen, tmp_path, task=["seed=3", "optimizer.api_key=sesame"]).sweep([])
    text = (tmp_path / "multirun.yaml").read_text(encoding="utf-8")
    assert "optimizer.api_key=<redacted>" in text
    assert "seed=3" in text
    assert "sesame" not in text


def test_a_search_that_is_refused_leaves_the_one_that_is_there_as_it_was(tmp_path: Path) -> None:
    Search(plan(), tmp_path)
    (tmp_path / "multirun.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="has other fixed"):
        sweeper(replace(plan(), fixed=("seed=4",)), tmp_path, task=["seed=4"]).sweep([])
    assert (tmp_path / "multirun.yaml").read_text() == "mine"


def test_a_search_that_is_stopped_launches_no_more_and_fails_no_trial(tmp_path: Path) -> None:
    """Under joblib the signal reaches the jobs by their own processes, and the launcher returns as ever."""
    made = sweeper(plan(), tmp_path, task=[])

    def launch(overrides: object, initial_job_idx: int) -> list[object]:
        signal.raise_signal(signal.SIGTERM)
        return []

    launcher: Any = SimpleNamespace(launch=launch)
    made.launcher = launcher
    with pytest.raises(KeyboardInterrupt, match="143"):
        made.sweep([])
    assert [(trial.status, trial.error) for trial in result_of(Search(plan(), tmp_path)).trials] == [("running", None)]


def test_a_damaged_summary_ends_no_search(tmp_path: Path) -> None:
    search = Search(plan(n_trials=1), tmp_path)
    (write_run(search, *search.next_trials(), {}) / "summary.json").write_text('{"status": "comp')
    assert search.next_trials() == [0]


def test_a_search_that_goes_on_may_be_given_trust_in_another_place(tmp_path: Path) -> None:
    Search(replace(plan(), fixed=("trust=[torch]", "seed=3")), tmp_path)
    Search(replace(plan(), fixed=("seed=3", "trust=[torch]")), tmp_path)


def test_a_trial_that_was_killed_while_it_was_proposed_is_no_job(tmp_path: Path) -> None:
    search = Search(plan(n_trials=1), tmp_path)
    search.study.ask()
    assert search.next_trials() == [1]
    assert result_of(search).trials[0].status == "failed"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (plan(space=["optimizer.lr=interval(0,1)"]), "space"),
        (plan(Objective("loss", "max")), "objectives"),
        (replace(plan(), fixed=("seed=4",)), "fixed"),
    ],
)
def test_a_study_does_not_go_on_as_another_one(changed: SearchPlan, name: str, tmp_path: Path) -> None:
    Search(plan(), tmp_path)
    with pytest.raises(ConfigError, match=f"has other {name}"):
        Search(changed, tmp_path)


HOLDER = """
import sys, time
from pathlib import Path
from attnfocus.locks import locked
with locked(Path(sys.argv[1]) / ".search.lock"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_searches_do_not_work_in_one_folder_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match="another search"), running_search(plan(), tmp_path):
            pass
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    with running_search(plan(), tmp_path) as search:
        assert search.num_finished() == 0


def test_a_study_in_a_storage_of_its_own_knows_its_folder(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/mine.db"
    options = SearchOptions(n_trials=2, storage=storage)
    assert study_folder(options) is None
    sweep_dir = tmp_path / "sweep"
    sweep_dir.mkdir()
    Search(replace(plan(), options=options), sweep_dir)
    assert study_folder(options) == sweep_dir
    assert study_folder(replace(options, study_name="other")) is None
    assert not (sweep_dir / "study.db").exists()


@pytest.mark.parametrize("storage", ["foo://x", "sqlite:////nowhere/x.db", "sqlite:///:memory:", "nonsense"])
def test_a_storage_that_cannot_be_used_is_named(storage: str) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.storage") as caught:
        study_folder(SearchOptions(n_trials=1, storage=storage))
    assert len(str(caught.value).splitlines()) == 1


def evaluated(step: int, loss: float) -> Evaluated:
    return Evaluated(step, 1, "valid", 1.0, {"loss": loss, "bleu": 3.0})


def test_a_run_that_is_worse_than_the_median_is_asked_to_stop(tmp_path: Path) -> None:
    chosen = plan(startup_trials=1)
    search = Search(chosen, tmp_path)

    def reported(number: int, losses: list[float]) -> Pruning:
        listener = Pruning(chosen.options, tmp_path / f"{number}_x", number)
        for index, loss in enumerate(losses):
            listener.on_evaluation(evaluated(10 * (index + 1), loss))
        return listener

    (first,) = search.next_trials()
    assert reported(first, [1.0, 0.5]).stop_request() is None
    write_run(search, first, {"loss": 0.5})
    (second,) = search.next_trials()
    assert reported(second, [0.9]).stop_request() is None
    again = reported(second, [0.9, 0.7])  # resumed: what was reported before is not told twice
    request = again.stop_request()
    assert request is not None
    assert (request.status, request.reason) == ("pruned", "pruned at step 20: loss 0.7")
    write_run(search, second, {"loss": 0.7}, status="pruned")
    search.settle(second)
    assert result_of(search).trials[1].reports == {10: 0.9, 20: 0.7}


def test_an_objective_that_the_evaluation_lacks_ends_the_run(tmp_path: Path) -> None:
    chosen = plan(Objective("focus/nothing", "min"))
    Search(chosen, tmp_path).next_trials()
    with pytest.raises(RunError, match="gave no focus/nothing, but bleu, loss"):
        Pruning(chosen.options, tmp_path / "0", 0).on_evaluation(evaluated(1, 0.1))


def test_with_several_objectives_nothing_is_pruned_and_the_best_are_the_pareto_front(tmp_path: Path) -> None:
    chosen = plan(LOSS, Objective("seconds", "min"), n_trials=3)
    search = Search(chosen, tmp_path)
    runs = [(1.0, 5.0), (2.0, 4.0), (3.0, 6.0)]

    def job(search: Search, number: int) -> None:
        listener = Pruning(chosen.options, tmp_path / f"{number}_x", number)
        listener.on_evaluation(evaluated(10, 9.0))
        assert listener.stop_request() is None
        loss, seconds = runs[number]
        write_run(search, number, {"loss": loss}, seconds=seconds)

    drive(search, job)
    result = result_of(search)
    assert result.best == (0, 1)
    assert [trial.values for trial in result.trials] == runs


def test_the_figure_shows_one_objective_and_several() -> None:
    trials = (
        Trial(0, "completed", {"lr": 0.1, "kind": "a"}, (0.5, 9.0), {5: 0.7}),
        Trial(1, "pruned", {"lr": 0.2, "kind": "b"}, (), {5: 40.0}),
        Trial(2, "completed", {"lr": 0.3, "kind": "b"}, (0.4, 10.0), {5: 0.6}),
    )
    both = SearchResult(("loss", "seconds"), ("min", "min"), trials, (0, 2), ({"lr": 0.7, "kind": 0.3}, {"lr": 1.0}))
    one = replace(both, objectives=("loss",), directions=("min",), best=(2,), importances=both.importances[:1])
    history, importances = draw_search(one).axes
    assert [list(line.get_ydata()) for line in history.lines] == [[0.5, 0.4], [40.0], [0.5, 0.4, 0.4]]
    assert history.get_yscale() == "log"
    assert [label.get_text() for label in importances.get_yticklabels()] == ["lr", "kind"]
    front = draw_search(both).axes[0]
    assert list(front.lines[-1].get_xdata()) == [0.4, 0.5]
    assert front.get_xlabel() == "loss (min)"


@pytest.mark.parametrize(
    ("values", "importances", "why"),
    [
        ([(0.5,), (0.5,)], (), "all trials are equal"),
        ([(0.5,), (0.4,)], (), "too few completed trials"),
        ([(0.5,), (0.5,), (0.5,), (0.4,)], ({},), "most trials are equally good"),
        ([(0.5,), (0.6,), (0.7,), (0.4,)], ({"lr": 1.0},), ""),
    ],
)
def test_the_figure_says_why_no_key_is_important(
    values: list[tuple[float, ...]], importances: tuple[dict[str, float], ...], why: str
) -> None:
    trials = tuple(Trial(number, "completed", {"lr": 0.1}, each, {}) for number, each in enumerate(values))
    result = SearchResult(("loss",), ("max",), trials, (0,), importances)
    assert [text.get_text() for text in draw_search(result).axes[1].texts] == ([why] if why else [])


@pytest.mark.slow
def test_the_results_tell_what_decided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = plan(n_trials=8, sampler="random")
    drive(Search(chosen, tmp_path))
    finish_search(chosen, tmp_path)
    facts = json.loads((tmp_path / "search.json").read_text())
    shares = facts["importances"]["loss"]
    assert max(shares, key=shares.get) == "optimizer.lr"
    assert math.isclose(sum(shares.values()), 1.0)
    best = min(facts["trials"], key=lambda trial: trial["values"][0])
    assert facts["best"] == [best["number"]]
    assert facts["command"].startswith("attnfocus train seed=3 optimizer.lr=")
    assert f"optimizer.lr={best['params']['optimizer.lr']!r}" in facts["command"]
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "8 trials: 8 completed" in printed
    assert facts["command"] in printed


def test_equal_trials_are_said_to_be_equal_and_nothing_is_said_to_have_decided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = plan(n_trials=5, sampler="random")
    drive(Search(chosen, tmp_path), lambda search, each: write_run(search, each, {"loss": 2.5}))  # type: ignore[arg-type,return-value]
    finish_search(chosen, tmp_path)
    printed = capsys.readouterr().out
    assert "all 5 trials are equal: loss 2.500. None is the best" in printed
    assert "importance" not in printed
    assert "\nbest " not in printed
    facts = json.loads((tmp_path / "search.json").read_text())
    assert (facts["best"], facts["command"], facts["importances"]) == ([], None, {})


def test_trials_that_are_equally_good_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = plan(n_trials=3, sampler="random")
    drive(Search(chosen, tmp_path), lambda search, each: write_run(search, each, {"loss": min(2.0, 1.0 + each)}))  # type: ignore[arg-type,return-value]
    finish_search(chosen, tmp_path)
    assert "equally good" not in capsys.readouterr().out
    drive(Search(plan(n_trials=4), tmp_path), lambda search, each: write_run(search, each, {"loss": 1.0}))  # type: ignore[arg-type,return-value]
    finish_search(plan(n_trials=4), tmp_path)
    assert "2 trials are equally good (0, 3); the command is that of trial 0" in capsys.readouterr().out


@pytest.mark.parametrize("number", [0, 1])
def test_a_search_without_completed_trials_has_results_too(number: int, tmp_path: Path) -> None:
    chosen = plan(n_trials=max(1, number))
    search = Search(chosen, tmp_path)
    if number:
        drive(search, lambda search, each: write_run(search, each, {}, status="failed", error="no"))  # type: ignore[arg-type,return-value]
    finish_search(chosen, tmp_path)
    facts = json.loads((tmp_path / "search.json").read_text())
    assert (facts["best"], facts["command"], facts["importances"]) == ([], None, {})
    assert folder_of(tmp_path, 0).name == ("0_x" if number else "0")


def test_trials_most_of_which_are_equally_good_decide_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not tells_apart([1.0, 1.0, 1.0, 0.5], "max")
    assert not tells_apart([0.3, 0.1 + 0.2, 0.3], "max")  # rounding
    assert tells_apart([1.0, 1.0, 0.7, 0.5], "max")
    chosen = plan(n_trials=5, sampler="random")
    drive(Search(chosen, tmp_path), lambda search, each: write_run(search, each, {"loss": 1.0 + (each == 2)}))  # type: ignore[arg-type,return-value]
    finish_search(chosen, tmp_path)
    assert "importance for loss: none, as most trials are equally good" in capsys.readouterr().out
    assert json.loads((tmp_path / "search.json").read_text())["importances"] == {"loss": {}}


def test_results_have_the_values_of_every_objective(tmp_path: Path) -> None:
    objectives = (LOSS, Objective("seconds", "min"))
    chosen = plan(*objectives, n_trials=3, sampler="random")
    drive(
        Search(chosen, tmp_path),
        lambda search, each: write_run(search, each, {"loss": 1.0 + each}, seconds=3.0 - each),  # type: ignore[arg-type,return-value]
    )
    for _ in range(2):  # also where it is done again
        update_results(tmp_path)
        finish_search(chosen, tmp_path)
        rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
        assert [(row["number"], row["objective/loss"], row["objective/seconds"], row["best"]) for row in rows] == [
            ("0", "1.0", "3.0", "best"),
            ("1", "2.0", "2.0", "best"),
            ("2", "3.0", "1.0", "best"),
        ]

    update_results(tmp_path)  # a job that is done again afterwards
    assert list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines())) == rows


def test_the_results_of_a_search_are_written_while_no_job_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = plan(n_trials=1, sampler="random")
    drive(Search(chosen, tmp_path), lambda search, each: write_run(search, each, {"loss": 1.0}))  # type: ignore[arg-type,return-value]
    held: list[bool] = []
    note = lambda path, _: held.append(is_locked(path.parent / LOCK_FILE))  # noqa: E731
    monkeypatch.setattr("attnfocus.commands.sweep.search.study_run.write_objectives", note)
    finish_search(chosen, tmp_path)
    assert held == [True]
    assert not is_locked(tmp_path / LOCK_FILE)


METRICS: Any = {"loss": "min", "bleu": "max"}


def test_objectives_have_the_directions_of_their_metrics() -> None:
    options = SearchOptions(n_trials=1, objectives=["bleu", "parameters"])
    assert objectives_of(options, METRICS, "loss") == (Objective("bleu", "max"), Objective("parameters", "min"))
    assert objectives_of(SearchOptions(n_trials=1), METRICS, "loss") == (LOSS,)
    focus = replace(options, objectives=["focus/entropy"], directions=["min"])
    assert objectives_of(focus, METRICS, "loss") == (Objective("focus/entropy", "min"),)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objectives": ["lose"]}, "no lose"),
        ({"objectives": ["test/loss"]}, "test split"),
        ({"objectives": ["focus/entropy"]}, "which way focus/entropy is better"),
        ({"objectives": ["loss", "loss"]}, "each objective once"),
        ({"objectives": []}, "each objective once"),
        ({"objectives": ["loss", "bleu"], "directions": ["min"]}, "needs 2"),
        ({"objectives": ["loss", "bleu"], "pruner": "median"}, "one objective"),
        ({"objectives": ["seconds"], "pruner": "hyperband"}, "when a run has ended"),
    ],
)
def test_objectives_that_cannot_be_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        objectives_of(SearchOptions(n_trials=1, **options), METRICS, "loss")
    assert "hydra.sweeper." in str(caught.value)


def test_options_are_typed() -> None:
    with pytest.raises(ConfigError) as caught:
        check_options({"_target_": "x", "n_trials": 0, "sampler": "tpee", "nothing": 1})
    problems = "\n".join(caught.value.problems)
    for said in ("hydra.sweeper.n_trials: must be > 0", "Did you mean tpe?", "hydra.sweeper.nothing: unknown option"):
        assert said in problems


def test_pruners_go_by_name_and_auto_fits_the_objectives(tmp_path: Path) -> None:
    def name(pruner: Any, *objectives: Objective) -> str:
        return type(pruner_of(SearchOptions(n_trials=1, pruner=pruner), objectives)).__name__

    assert name("auto", LOSS) == "MedianPruner"
    assert name("auto", Objective("seconds", "min")) == "NopPruner"
    assert name("auto", LOSS, Objective("seconds", "min")) == "NopPruner"
    assert name("hyperband", LOSS) == "HyperbandPruner"
    assert name("none", LOSS) == "NopPruner"


def test_the_sampler_of_a_trial_depends_on_seed_and_number_alone() -> None:
    from optuna.distributions import FloatDistribution

    def drawn(seed: int, number: int) -> float:
        import optuna

        study = optuna.create_study()
        study.sampler = sampler_of(SearchOptions(n_trials=1, seed=seed), number)
        return float(study.ask({"x": FloatDistribution(0.0, 1.0)}).params["x"])

    assert drawn(1, 4) == drawn(1, 4)
    assert len({drawn(1, 4), drawn(1, 5), drawn(2, 4)}) == 3
