"""Cases 1 to 12, 37 and 38: mistakes on the command line and in configurations. (9 and 10: tests/security.)"""

import csv
import time
from pathlib import Path

import pytest
import torch
from faults_runs import VECTORS, Run
from tests_support import assert_polite

from attnfocus.training.device import cpu_lstms_take

# Were it read, this file would be the first thing to complain about.
UNREADABLE = ("dataset=parallel_text", "dataset.train=unreadable.tsv")


@pytest.fixture(autouse=True)
def unreadable(tmp_path: Path) -> None:
    (tmp_path / "unreadable.tsv").write_bytes(b"\0\0")


def refused(run: Run, *arguments: str, **how: str) -> str:
    done = run("train", *arguments, **how)
    assert_polite(done, 2)
    assert done.stdout == ""
    return done.stderr


def test_01_a_mistyped_group_gets_the_nearest(run: Run) -> None:
    assert "atention: unknown key. Did you mean attention?" in refused(run, "atention=dot")


def test_02_a_mistyped_option_gets_the_options_nearest_first(run: Run) -> None:
    said = refused(run, "attention=additiv")
    assert "Did you mean additive? There are: additive, " in said


def test_03_a_mistyped_key_gets_the_nearest(run: Run) -> None:
    assert "optimizer.learning_rate: unknown key. Did you mean optimizer.lr?" in refused(
        run, "optimizer.learning_rate=1"
    )


def test_04_a_wrong_type_is_named_before_any_data_is_read(run: Run) -> None:
    said = refused(run, *UNREADABLE, "trainer.max_steps=abc")
    assert "trainer.max_steps: must be a whole number or null (not set), got 'abc'" in said
    assert "unreadable" not in said.partition("Try:")[0]


@pytest.mark.skipif(cpu_lstms_take(torch.bfloat16), reason="this CPU computes LSTMs in bfloat16")
def test_04_a_precision_that_the_cpu_has_not_is_named_before_any_data_is_read(run: Run, tmp_path: Path) -> None:
    said = refused(run, "dataset=dates", "device=cpu", "trainer.precision=bf16")
    assert "trainer.precision: got bf16, but this CPU computes no LSTM in bfloat16. Here it must be float32" in said
    assert said.endswith("Try:\n  attnfocus train dataset=dates device=cpu trainer.precision=float32\n")
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["optimizer.lr=-1", "optimizer.eps=nan"], ["lr: must be > 0, got -1", "eps: must be > 0, got nan"]),
        (["model.dropout=1.5"], ["model.dropout: must be >= 0 and < 1, got 1.5"]),
        (["model=transformer", "model.num_heads=5", "dataset=labelled_text"], ["model: ", "num_heads", "5"]),
        (
            ["attention=local", "attention.pattern.window=0"],
            ["attention.pattern.window: must be > 0 and <= 1,048,576, got 0"],
        ),
    ],
)
def test_05_out_of_range_names_the_range_before_any_data_is_read(run: Run, given: list[str], said: list[str]) -> None:
    shown = refused(run, *UNREADABLE, *given)
    for text in said:
        assert text in shown
    assert "unreadable" not in shown.partition("Try:")[0]


@pytest.mark.parametrize("given", ["+foo=1", "++seed=3", "+attention._target_=os.getcwd", "~model"])
def test_06_adding_and_removing_is_refused_by_name(run: Run, given: str) -> None:
    said = refused(run, given)
    assert given in said
    assert ("leave out the +" if given.startswith("+") else "keys cannot be removed with ~") in said


def test_07_several_errors_are_one_message(run: Run) -> None:
    said = refused(run, "attention=dto", "trainer.max_steps=-5", "optimizer.lrr=2")
    assert "3 problems in the configuration:" in said
    for key in ("attention=dto", "trainer.max_steps", "optimizer.lrr"):
        assert key in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("_target_: attnfocus.attention.Attention\ndropout: [1,\n", 3),
        ("_target_: attnfocus.attention.Attention\n\tdropout: 1\n", 2),
        ("dropout: 1\n# again\ndropout: 2\n", 3),
    ],
    ids=["broken", "tab", "duplicate key"],
)
def test_08_broken_yaml_is_placed(run: Run, tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "mine" / "attention" / "own.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    assert f"{path}: line {line}" in refused(run, "attention=own", "--config-dir", "mine")


@pytest.mark.slow
def test_11_a_missing_variable_and_a_loop_are_named(run: Run) -> None:
    said = refused(run, "paths.outputs=${oc.env:ATTNFOCUS_NO_SUCH}")
    assert "paths.outputs" in said
    assert "ATTNFOCUS_NO_SUCH" in said
    assert "run_dir: refers to itself in a circle" in refused(run, "run_dir=${resume}", "resume=${run_dir}")


def test_12_a_sweep_beyond_max_jobs_is_refused_at_once(run: Run, tmp_path: Path) -> None:
    began = time.monotonic()
    said = refused(run, "-m", "optimizer.lr=range(1,100000000)")
    assert time.monotonic() - began < 20
    assert "99999999 jobs, more than max_jobs=1000" in said
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_37_a_device_that_is_not_there_is_said(run: Run, name: str) -> None:
    said = refused(run, *UNREADABLE, f"device={name}", CUDA_VISIBLE_DEVICES="")
    assert f"device: {name}: this PyTorch " in said
    assert said.endswith("device=cpu\n")


@pytest.mark.slow
def test_38_a_failed_job_of_a_sweep_leaves_the_others(run: Run) -> None:
    done = run("train", "-m", *VECTORS, "trainer.max_steps=1", "model.dropout=0,2")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    shown, _, path = done.stdout.rpartition("results  ")
    assert "1 of 2 jobs failed" in shown
    rows = list(csv.DictReader(Path(path.strip()).read_text(encoding="utf-8").splitlines()))
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert rows[1]["run_dir"] in shown
    assert "must be >= 0 and < 1, got 2" in shown
