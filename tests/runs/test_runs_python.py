"""`attnfocus.train` and the run that it gives: the command's names and checks, and nothing left in the process."""

import json
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from tests_support import TINY_DATES, only_run, summary_of

import attnfocus
from attnfocus.cli import main
from attnfocus.errors import CheckpointError, ConfigError, DataError

LABELLED = ("dataset.train=mine.tsv", "model.embed_dim=8", "model.hidden_size=8", "trainer.max_steps=2")
LABELLED += ("focus.num_samples=0",)


def write_labelled(folder: Path, num_rows: int = 100) -> None:
    """Rows of `good 3<TAB>yes`, three in four of them `yes`."""
    lines = [
        f"{'bad' if number % 4 == 0 else 'good'} {number}\t{'no' if number % 4 == 0 else 'yes'}"
        for number in range(num_rows)
    ]
    (folder / "mine.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A run that was trained from Python on texts with labels."""
    folder, before = tmp_path_factory.mktemp("python"), Path.cwd()
    write_labelled(folder)
    os.chdir(folder)
    try:
        yield attnfocus.train(model="rnn_classifier", dataset="labelled_text", overrides=LABELLED)
    finally:
        os.chdir(before)


def state_of_process() -> dict[str, Any]:
    return {
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)],
        "handlers": {
            name: list(logger.handlers)
            for name, logger in [("root", logging.root), *logging.root.manager.loggerDict.items()]
            if isinstance(logger, logging.Logger) and logger.handlers
        },
        "level": (logging.root.level, logging.getLogger("attnfocus").level, logging.getLogger("attnfocus").propagate),
        "hydra": GlobalHydra.instance().is_initialized(),
        "argv": list(sys.argv),
        "environment": dict(os.environ),
        "random": (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()),
    }


@pytest.mark.slow
def test_a_run_is_trained_twice_and_leaves_the_process_as_it_was(here: Path) -> None:
    train = attnfocus.train  # what is loaded with it may draw random numbers
    before = state_of_process()
    runs = [train(model="seq2seq", attention="dot", overrides=TINY_DATES) for _ in range(2)]
    assert state_of_process() == before
    assert runs[0].path != runs[1].path
    first, second = (attnfocus.to_pandas(run).drop(columns="seconds") for run in runs)
    assert first.equals(second)
    assert runs[0].config.values["choices"]["attention"] == "dot"
    assert runs[0].evaluate("test").metrics["loss"] == summary_of(runs[0].path)["test"]["loss"]


@pytest.mark.slow
def test_the_function_trains_what_the_command_trains(here: Path) -> None:
    assert main(["train", "model=seq2seq", "attention=dot", *TINY_DATES]) == 0
    [command] = (path.parent for path in here.glob("outputs/*/*/config.yaml"))
    run = attnfocus.train("seq2seq", "dot", overrides=TINY_DATES)
    assert (run.path / "config.yaml").read_bytes() == (command / "config.yaml").read_bytes()
    assert summary_of(run.path)["test"] == summary_of(command)["test"]


@pytest.mark.slow
def test_a_thread_trains_too_and_sets_no_signal_handler(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_labelled(here)
    runs: list[Any] = []

    def train() -> None:
        monkeypatch.setattr(signal, "signal", lambda *given: pytest.fail("a handler outside the main thread"))
        runs.append(attnfocus.train("rnn_classifier", dataset="labelled_text", overrides=LABELLED))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert runs[0].step == 2


@pytest.mark.slow
def test_ctrl_c_saves_the_run_and_is_a_keyboard_interrupt(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from attnfocus.training.step import Stepper

    apply = Stepper.apply

    def apply_and_press(self: Any, *given: Any) -> None:
        apply(self, *given)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Stepper, "apply", apply_and_press)
    write_labelled(here)
    with pytest.raises(KeyboardInterrupt):
        attnfocus.train("rnn_classifier", dataset="labelled_text", overrides=LABELLED)
    run = only_run(here)
    assert summary_of(run)["status"] == "interrupted"
    monkeypatch.undo()
    os.chdir(here)
    assert attnfocus.train(overrides=[f"resume={run}"]).step == 2


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"model": "seq2sq"}, ConfigError, "model=seq2sq: no such choice. Did you mean seq2seq?"),
        ({"overrides": ["modle=x", "trainer.max_steps=a"]}, ConfigError, "2 problems"),
        ({"overrides": ["optimizer.lr=-1"]}, ConfigError, "optimizer.lr: must be > 0"),
        ({"overrides": "seed=1"}, ConfigError, r"must be a list of texts. Write overrides=\['seed=1'\]"),
        ({"overrides": ["hydra/launcher=joblib"]}, ConfigError, "are for the command line"),
        ({"overrides": ["distributed=ddp"]}, ConfigError, "run in one process"),
        ({"dataset": "parallel_text", "overrides": ["dataset.train=no.tsv"]}, DataError, "does not exist"),
        ({"config_dir": "nowhere"}, ConfigError, "nowhere"),
    ],
)
def test_mistakes_are_raised_as_the_command_says_them(
    here: Path, given: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        attnfocus.train(**given)


@pytest.mark.slow
def test_own_groups_and_trusted_packages_work_as_on_the_command_line(here: Path) -> None:
    write_labelled(here)
    (here / "groups" / "experiment").mkdir(parents=True)
    recipe = "# @package _global_\n# Mine\ntrainer:\n  max_steps: 1\n"
    (here / "groups" / "experiment" / "mine.yaml").write_text(recipe, encoding="utf-8")
    options = [*LABELLED[:3], "experiment=mine", "trust=[nothing_here]"]
    run = attnfocus.train("rnn_classifier", dataset="labelled_text", overrides=options, config_dir="groups")
    assert run.step == 1
    assert "ATTNFOCUS_LOCAL_PACKAGES" not in os.environ


@pytest.mark.slow
def test_one_text_has_one_answer_and_a_list_has_one_for_each(classifier: Any) -> None:
    one = classifier.predict("good 3")
    assert one.text in ("yes", "no")
    assert one.probability == pytest.approx(one.probabilities[one.text])
    assert sum(one.probabilities.values()) == pytest.approx(1)
    assert set(one.probabilities) == {"yes", "no"}
    assert [answer.probability for answer in classifier.predict(["good 3", "bad 4"])] == pytest.approx(
        [one.probability, classifier.predict("bad 4").probability]
    )
    assert classifier.predict("").skipped == "empty input"
    assert classifier.predict("good 3", need_weights=True).weights


@pytest.mark.slow
def test_an_answer_says_how_much_of_the_input_it_did_not_know(classifier: Any) -> None:
    assert classifier.predict("good").unknown == 0
    assert classifier.predict("xyzzy good").unknown == 0.5
    assert classifier.predict("xyzzy plugh").unknown == 1


@pytest.mark.slow
def test_what_is_printed_of_a_run_and_an_answer_tells(classifier: Any) -> None:
    shown = repr(classifier)
    for part in (str(classifier.path), "model='rnn_classifier'", "attention=", "dataset='labelled_text'", "accuracy="):
        assert part in shown
    shown = repr(classifier.predict("xyzzy good"))
    assert shown.startswith("Prediction(id='1', text=")
    assert "probability=0." in shown
    assert "unknown=0.5" in shown
    assert repr(classifier.predict("")) == "Prediction(id='1', skipped='empty input')"
    (classifier.path / "summary.json").rename(classifier.path / "aside")
    assert "accuracy" not in repr(classifier)
    (classifier.path / "aside").rename(classifier.path / "summary.json")


@pytest.mark.slow
def test_results_are_tables_of_pandas_where_that_is_asked_for(classifier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = attnfocus.to_pandas(classifier)
    assert list(logged["split"]) == ["valid", "test"]
    assert logged["accuracy"].iloc[-1] == summary_of(classifier.path)["test"]["accuracy"]
    tested = attnfocus.to_pandas(classifier.evaluate("test"))
    assert (tested["prediction"] == tested["target"]).mean() == pytest.approx(logged["accuracy"].iloc[-1])
    assert (tested["p(yes)"] + tested["p(no)"]).tolist() == pytest.approx([1] * len(tested))
    assert list(attnfocus.to_pandas(classifier.predict(["good", "bad"]))["source"]) == ["good", "bad"]
    assert len(attnfocus.to_pandas(classifier.predict("good"))) == 1
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="pip install pandas"):
        attnfocus.to_pandas(classifier)


@pytest.mark.slow
def test_answers_are_saved_with_text_probabilities_and_what_was_unknown(classifier: Any) -> None:
    content = (classifier.path / "predictions-test.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in content.splitlines()]
    assert list(lines[0]) == ["id", "source", "prediction", "target", "probability", "probabilities", "unknown"]
    for line in lines:
        assert line["probability"] == max(line["probabilities"].values())
        assert line["unknown"] in (0, 0.5)  # the number may be new
        assert line["source"].split()[0] in ("good", "bad")


@pytest.mark.slow
def test_predict_gives_the_same_and_warns_of_unknown_words(classifier: Any, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(classifier.path.parents[2])
    Path("new.txt").write_text("good 3\nxyzzy plugh\n\n", encoding="utf-8")
    assert main(["predict", f"run={classifier.path}", "input=new.txt", "format=jsonl"]) == 0
    said = capsys.readouterr()
    first, second, third = map(json.loads, said.out.splitlines())
    assert first["probability"] == pytest.approx(classifier.predict("good 3").probability, rel=1e-5)
    assert set(first["probabilities"]) == {"yes", "no"}
    assert (first["unknown"] < 1, second["unknown"], third["skipped"]) == (True, 1, "empty input")
    assert "target" not in first
    assert "1 input has unknown words alone" in said.err


@pytest.mark.slow
def test_a_damaged_log_is_no_table(classifier: Any) -> None:
    path = classifier.path / "metrics.jsonl"
    content = path.read_bytes()
    try:
        path.write_text('{"step": "a"}\n', encoding="utf-8")
        with pytest.raises(CheckpointError, match="undamaged copy"):
            attnfocus.to_pandas(classifier)
    finally:
        path.write_bytes(content)
