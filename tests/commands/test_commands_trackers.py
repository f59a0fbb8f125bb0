"""`tracker=` and `metric=`: ours, one's own as docs/tracking.md shows them, and what goes wrong in them."""

import json
import re
from pathlib import Path

import pytest
from tests_support import TINY_DATES, Command, assert_polite, only_run, summary_of

from attnfocus.cli import main

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tracking.md"
SMALL = [*TINY_DATES, "trainer.evaluate_every_steps=3"]
FAULTS = ("on_start", "on_progress", "on_evaluation", "on_end", "stop_request")

FAULTY = """
from attnfocus.events import Listener

class Faulty(Listener):
    def __init__(self, where: str = "on_progress") -> None:
        self.where = where
        self.closed = 0
        if where == "__init__":
            raise KeyError("no such thing")

    def __getattribute__(self, name):
        if name == object.__getattribute__(self, "__dict__").get("where"):
            raise ZeroDivisionError("division by zero")
        return object.__getattribute__(self, name)

    def close(self) -> None:
        print("closed")

class Other:
    pass
"""


@pytest.fixture
def own(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, its code where Python finds it."""
    text = PAGE.read_text(encoding="utf-8")
    for name, code in re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        (here / name).write_text(code, encoding="utf-8")
    for name, content in re.findall(r"^```yaml\n# ([\w/]+\.yaml): (.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {content}", encoding="utf-8")
    (here / "my_faults.py").write_text(FAULTY, encoding="utf-8")
    for where in FAULTS:
        faulty = f"faulty_{where}:\n  _target_: my_faults.Faulty\n  where: {where}\n"
        (here / "my_groups" / "tracker" / f"faulty_{where}.yaml").write_text(f"# fails\n{faulty}", encoding="utf-8")
    monkeypatch.syspath_prepend(here)
    return here


def train(*arguments: str, trust: str = "my_trackers") -> int:
    return main(["train", "--config-dir", "my_groups", *SMALL, f"trust=[{trust}]", *arguments])


def test_a_tracker_of_ones_own_hears_the_test_after_the_end(own: Path) -> None:
    assert train("tracker=lines", "tracker.lines.file=x.txt") == 0
    lines = (only_run(own) / "x.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("lr=")
    assert [line.split(" loss")[0] for line in lines[1:]] == ["valid 3", "valid 6", "max_steps reached", "test 6"]


def test_a_metric_of_ones_own_is_everywhere(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choices = ("metric=[length_ratio,ter]", "trainer.monitor=length_ratio")
    assert train(*choices, trust="my_metrics") == 0
    run = only_run(own)
    summary = summary_of(run)
    assert summary["best"]["metric"] == "length_ratio"
    assert {"length_ratio", "ter", "bleu"} <= summary["test"].keys()
    assert {name: summary["directions"][name] for name in ("length_ratio", "ter")} == {
        "length_ratio": "max",
        "ter": "min",
    }
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["split"] for line in lines if "length_ratio" in line] == ["valid", "valid", "test"]
    capsys.readouterr()
    assert main(["evaluate", f"run={run}", "format=json", "trust=[my_metrics]"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["length_ratio"] == summary["test"]["length_ratio"]
    assert main(["evaluate", f"run={run}"]) == 2
    assert "trust=[my_metrics]" in capsys.readouterr().err
    assert main(["compare", str(run)]) == 0
    said = capsys.readouterr().out
    assert "length ratio ↑" in said
    assert "ter ↓" in said


def test_a_run_is_gone_on_with_whatever_its_trackers(own: Path) -> None:
    """They are no part of the run: neither saved, nor a difference for resume=auto, nor gone on with unasked."""
    assert train("tracker=lines", "resume=auto") == 0
    run = only_run(own)
    assert "tracker" not in (run / "config.yaml").read_text(encoding="utf-8")
    (run / "lines.txt").unlink()
    assert train("resume=auto", "trainer.max_steps=9") == 0
    assert not (run / "lines.txt").exists()
    assert train(f"resume={run}", "tracker=lines", "tracker.lines.file=later.txt", "trainer.max_steps=12") == 2
    again = ["train", "--config-dir", "my_groups", "trust=[my_trackers]", f"resume={run}", "trainer.max_steps=12"]
    assert main([*again, "tracker=lines", "tracker.lines.file=later.txt"]) == 0
    assert only_run(own) == run
    assert (run / "later.txt").exists()


def test_trackers_that_fail_are_left_alone_after_one_warning_each(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"faulty_{where}" for where in FAULTS]
    trackers = f"tracker=[{','.join(names)},lines]"
    assert train(trackers, "trainer.log_every_steps=1", trust="my_faults,my_trackers") == 0
    said = capsys.readouterr()
    for name in names:
        warning = f"tracker.{name} stopped: ZeroDivisionError: division by zero. The run goes on without it."
        assert (said.err + said.out).count(warning) == 1
    assert said.out.count("closed") == len(names)
    run = only_run(own)
    assert summary_of(run)["status"] == "completed"
    assert "Traceback" in (run / "train.log").read_text(encoding="utf-8")
    assert "test 6" in (run / "lines.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tracker.faulty_on_start.where=__init__"], "tracker.faulty_on_start: KeyError: 'no such thing'"),
        (["tracker.faulty_on_start._target_=my_faults.Other"], "unknown option of Other"),
        (["tracker.faulty_on_start.where=3"], "tracker.faulty_on_start.where: must be a text, got 3"),
    ],
)
def test_a_tracker_that_cannot_be_made_is_an_error_before_data_are_read(
    arguments: list[str], said: str, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("tracker=faulty_on_start", *arguments, trust="my_faults") == 2
    assert said in capsys.readouterr().err
    assert not (own / "outputs").exists()


def test_what_sends_something_away_is_typed(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "my_groups" / "tracker" / "team.yaml").write_text(
        "# away\nteam:\n  _target_: attnfocus.tracking.services.WandB\n  mode: online\n", encoding="utf-8"
    )
    assert train("tracker=team") == 2
    assert "tracker.team.mode: may only be given on the command line" in capsys.readouterr().err


def test_several_choices_are_for_groups_that_take_several(attnfocus: Command) -> None:
    done = attnfocus("train", "model=[seq2seq,transformer]")
    assert_polite(done, 2)
    assert "takes one choice" in done.stderr
    done = attnfocus("train", "tracker=[wandb,mlfow]")
    assert "tracker=mlfow: no such choice. Did you mean mlflow?" in done.stderr
    done = attnfocus("train", "tracker.wandb.project=x")
    assert "wandb is not chosen. Add tracker=wandb" in done.stderr
    done = attnfocus("train", "tracker=[wandb,mlflow]", "tracker.wandb.projct=x")
    assert "Did you mean tracker.wandb.project?" in done.stderr
    assert attnfocus("train", "tracker=null", "metric=null", "experiment=null", "--cfg", "job").returncode == 0


def test_metrics_that_do_not_fit_are_refused_before_data_are_read(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("train", "metric=mcc", "trainer.monitor=ece")
    assert_polite(done, 2)
    assert "metric.mcc: is for classification, and the dataset is for translation" in done.stderr
    done = attnfocus("train", "metric=ter", "trainer.monitor=ece")
    assert "trainer.monitor: must be one of" in done.stderr
    assert "ter, got ece" in done.stderr
    assert list(tmp_path.iterdir()) == []
