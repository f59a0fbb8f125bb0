"""Cases 27 to 29: checkpoints that are damaged, of another run, or of a later version. (30: tests/security.)"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from faults_runs import Run
from tests_support import assert_polite, summary_of

pytestmark = pytest.mark.slow


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (truncate, "model.safetensors"),
        (empty, "optimizer.safetensors"),
        (flip_a_bit, "model.safetensors"),
        (remove, "manifest.json"),
    ],
)
def test_27_a_damaged_newest_is_named_once_and_the_one_before_used(
    run: Run, copied: Path, damage: Callable[[Path], None], name: str
) -> None:
    path = copied / "checkpoints/step-00000008" / name
    damage(path)
    done = run("train", f"resume={copied}")
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    warnings = [line for line in warnings if "too much to tell models apart" not in line]  # of its small splits
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    assert "using" in warnings[0]
    assert "resumed from step 6" in done.stderr
    assert summary_of(copied)["steps"] == 8


def test_27_without_any_whole_checkpoint_there_is_nothing_to_resume(run: Run, copied: Path) -> None:
    for path in copied.glob("checkpoints/step-*/model.safetensors"):
        flip_a_bit(path)
    for verb, key in (("train", "resume"), ("evaluate", "run"), ("predict", "run")):
        done = run(verb, f"{key}={copied}", input="May 3, 1999\n")
        assert_polite(done, 3)
        assert "model.safetensors" in done.stderr


def test_28_a_checkpoint_of_another_architecture_names_what_differs(run: Run, copied: Path) -> None:
    config = copied / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("hidden_size: 16", "hidden_size: 24").replace("lstm", "gru"), encoding="utf-8")
    for verb, key in (("train", "resume"), ("evaluate", "run")):
        done = run(verb, f"{key}={copied}")
        assert_polite(done, 3)
        assert "the checkpoint is of another model" in done.stderr
        assert " is " in done.stderr
        assert ", here " in done.stderr


def test_28_other_data_than_those_of_the_run_are_refused(run: Run, copied: Path) -> None:
    config = copied / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("num_train: 200", "num_train: 201"), encoding="utf-8")
    done = run("train", f"resume={copied}")
    assert_polite(done, 3)
    assert "the rows of train are not those that this run has seen" in done.stderr


def test_29_a_newer_format_says_which_version_made_it(run: Run, copied: Path) -> None:
    for path in copied.glob("checkpoints/step-*/manifest.json"):
        manifest = {**json.loads(path.read_text(encoding="utf-8")), "format": 99, "attnfocus": "77.1"}
        manifest.pop("seal")
        seal = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
        path.write_text(json.dumps({**manifest, "seal": seal}), encoding="utf-8")
    for verb, key in (("train", "resume"), ("evaluate", "run")):
        done = run(verb, f"{key}={copied}")
        assert_polite(done, 3)
        assert "format 99, written by attnfocus 77.1" in done.stderr
        assert "this is attnfocus" in done.stderr
