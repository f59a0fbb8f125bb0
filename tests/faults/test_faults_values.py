"""Cases 49 and 50: values of a wrong type or out of range in the files of a run, and absurd sizes."""

import errno
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests_support import Command, assert_polite

from attnfocus.training.checkpoints.checkpoint import fingerprint, manifest_of

SAVED = Path(__file__).parents[1] / "runs" / "fixtures" / "run-format-1"
LAST = "checkpoints/step-00000020"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A run of an older version, to be damaged."""
    return Path(shutil.copytree(SAVED, tmp_path / "run"))


def seal(checkpoint: Path, **sizes: int) -> None:
    """Writes the manifest anew, so that whatever is in a checkpoint counts as what was saved."""
    paths = [path for path in sorted(checkpoint.iterdir()) if path.name != "manifest.json"]
    files = {path.name: fingerprint(path.read_bytes()) for path in paths if path.name.partition(".")[0] not in sizes}
    for name, size in sizes.items():
        files[f"{name}.safetensors"] = {"bytes": size, "sha256": "0" * 64}
    (checkpoint / "manifest.json").write_bytes(manifest_of(files))


def change(path: Path, keys: str, value: Any) -> None:
    """Sets one value in a JSON file."""
    content = json.loads(path.read_bytes())
    *outer, last = keys.split(".")
    inner = content
    for key in outer:
        inner = inner[key]
    inner[last] = value
    path.write_text(json.dumps(content), encoding="utf-8")


def reword(run: Path, pattern: str, value: str) -> None:
    """Sets one value in config.yaml."""
    path = run / "config.yaml"
    text, count = re.subn(pattern, value, path.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("pattern", "value", "key"),
    [
        (r"  beam_size: 1\n", "  beam_size: 1000000000\n", "decoding.beam_size"),
        (r"  max_length: 1000\n", "  max_length: 1000000000000\n", "decoding.max_length"),
        (r"  embed_dim: \d+\n", "  embed_dim: 10000000\n", "model.embed_dim"),
        (r"  num_workers: 0\n", "  num_workers: 1000000\n", "trainer.num_workers"),
        (r"  length: \d+\n", "  length: 100000000\n", "dataset.length"),
    ],
)
def test_50_an_absurd_size_is_refused_with_the_reason(
    attnfocus: Command, saved: Path, pattern: str, value: str, key: str
) -> None:
    reword(saved, pattern, value)
    done = attnfocus("evaluate", f"run={saved}")
    assert_polite(done, 2)
    assert re.search(rf"{key}: must be .* <= [\d,]+ \(.+\), got", done.stderr), done.stderr


def test_50_layers_have_a_limit(attnfocus: Command) -> None:
    done = attnfocus("train", "model=transformer_seq2seq", "model.num_encoder_layers=1000000")
    assert_polite(done, 2)
    assert "<= 1,000 (each layer is built one by one)" in done.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("verb", "key"), [("evaluate", "run"), ("train", "resume")])
def test_50_a_size_that_is_not_that_of_the_tensors_is_refused_before_anything_is_built(
    attnfocus: Command, saved: Path, monkeypatch: pytest.MonkeyPatch, verb: str, key: str
) -> None:
    def built(*_: Any, **__: Any) -> None:
        raise AssertionError("the model was built")

    monkeypatch.setattr("attnfocus.models.PoolingClassifier.to", built)
    reword(saved, r"  embed_dim: \d+\n", "  embed_dim: 65536\n")
    done = attnfocus(verb, f"{key}={saved}")
    assert_polite(done, 3)
    assert "the checkpoint is of another model" in done.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["model", "optimizer", "average"])
def test_50_tensors_beyond_the_model_are_not_read(attnfocus: Command, saved: Path, name: str) -> None:
    for folder in saved.glob("checkpoints/step-*"):
        size = 2**40
        head = json.dumps({"x": {"dtype": "U8", "shape": [size - 100], "data_offsets": [0, size - 100]}}).encode()
        with open(folder / f"{name}.safetensors", "wb") as file:
            file.write(struct.pack("<Q", len(head)) + head)
            file.truncate(size)
        seal(folder, **{name: size})
    for verb, key in (("evaluate", "run"), ("train", "resume")):
        done = attnfocus(verb, f"{key}={saved}")
        assert_polite(done, 3)
        assert f"{name}.safetensors: holds 1,099,511,627,776 bytes" in done.stderr


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("state.json", "run.step", "20"),
        ("state.json", "run.step", 30),
        ("state.json", "run.epoch", -1),
        ("state.json", "run.position", 10**9),
        ("state.json", "run.parts", 10**9),
        ("state.json", "run.dropped", [[1]]),
        ("state.json", "run.losses", ["a"]),
        ("state.json", "run.best.value", float("nan")),
        ("state.json", "run.window", []),
        ("state.json", "run.more", 1),
        ("state.json", "run", None),
        ("state.json", "scheduler", [1]),
        ("optimizer.json", "numbers", {"a/b": "c"}),
        ("optimizer.json", "kind", 3),
    ],
)
def test_49_a_value_of_a_checkpoint_is_refused_with_file_and_key(
    attnfocus: Command, saved: Path, name: str, keys: str, value: Any
) -> None:
    for folder in saved.glob("checkpoints/step-*"):
        change(folder / name, keys, value)
        seal(folder)
    done = attnfocus("train", f"resume={saved}", "trainer.max_steps=21")
    assert_polite(done, 3)
    assert f"{name}: {keys}" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "damage",
    [
        lambda files: [1],
        lambda files: {**files, "../../../../../../dev/zero": files["state.json"]},
        lambda files: {**files, "state.json": {"bytes": -1, "sha256": "0"}},
        lambda files: {**files, "state.json": {"bytes": "2", "sha256": "0"}},
    ],
)
def test_49_so_is_one_of_a_manifest(attnfocus: Command, saved: Path, damage: Callable[[Any], Any]) -> None:
    for folder in saved.glob("checkpoints/step-*"):
        files = json.loads((folder / "manifest.json").read_bytes())["files"]
        (folder / "manifest.json").write_bytes(manifest_of(damage(files)))
    for verb, key in (("evaluate", "run"), ("train", "resume")):
        done = attnfocus(verb, f"{key}={saved}")
        assert_polite(done, 3)
        assert "manifest.json: files" in done.stderr


@pytest.mark.parametrize(
    ("keys", "value"), [("input_dim", "4"), ("input_dim", 10**12), ("labels", [1, 2]), ("kind", None), ("kind", [1])]
)
def test_49_so_is_one_of_a_codec(attnfocus: Command, saved: Path, keys: str, value: Any) -> None:
    change(saved / "data/codec.json", keys, value)
    done = attnfocus("predict", f"run={saved}", input="[1,2,3,4]\n")
    assert_polite(done, 3)
    assert "codec.json: " in done.stderr
    assert keys in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        {"step": -1, "epoch": 1, "split": "valid", "seconds": 1.0},
        {"step": 20, "epoch": 1, "split": 7, "seconds": 1.0},
        {"step": 20, "epoch": 1, "split": "valid", "seconds": 1.0, "accuracy": "high"},
        {"step": 20, "epoch": 1, "split": "valid", "seconds": 1.0, "accuracy": [1]},
        {"step": True, "epoch": 1, "split": "valid", "seconds": 1.0},
        [1],
    ],
)
def test_49_so_is_one_of_the_metrics(attnfocus: Command, saved: Path, line: Any) -> None:
    lines = (saved / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    (saved / "metrics.jsonl").write_text("\n".join([*lines[:3], json.dumps(line), *lines[3:], ""]), encoding="utf-8")
    done = attnfocus("train", f"resume={saved}", "trainer.max_steps=21")
    assert_polite(done, 3)
    assert "metrics.jsonl:4: " in done.stderr
    done = attnfocus("compare", f"runs=[{saved},{SAVED}]")
    assert done.returncode == 0, done.stderr
    assert "metrics.jsonl:4: " in done.stderr


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("status", 3),
        ("best", [1]),
        ("best.value", "high"),
        ("best.step", -1),
        ("test", "none"),
        ("seconds", "1"),
        ("parameters", -5),
        ("versions", 3),
        ("git", [1]),
        ("directions", {"accuracy": 3}),
    ],
)
def test_49_so_is_one_of_the_summary_which_compare_leaves_out(
    attnfocus: Command, saved: Path, keys: str, value: Any
) -> None:
    change(saved / "summary.json", keys, value)
    done = attnfocus("compare", f"runs=[{saved},{SAVED}]")
    assert done.returncode == 0, done.stderr
    assert f"summary.json is damaged: {keys}" in done.stderr
    assert str(SAVED.name) in done.stdout or "1" in done.stdout


@pytest.mark.parametrize("how", ["private", "damaged", "empty", "a pipe", "of another verb"])
def test_54_one_bad_run_among_many_is_left_out_by_name(
    attnfocus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    good, bad = tmp_path / "runs" / "good", tmp_path / "runs" / "bad"
    shutil.copytree(SAVED, good)
    shutil.copytree(SAVED, bad)
    if how == "private":
        look = os.lstat

        def private(path: Any) -> os.stat_result:
            if Path(path).parent == bad:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return look(path)

        monkeypatch.setattr("attnfocus.regular_files.os.lstat", private)
    elif how == "a pipe":
        (bad / "config.yaml").unlink()
        os.mkfifo(bad / "config.yaml")
    else:
        text = {
            "damaged": "{[",
            "empty": "",
            "of another verb": "runs: [a]\n",
        }
        (bad / "config.yaml").write_text(text[how], encoding="utf-8")
    done = attnfocus("compare", "runs", "format=json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert [len(section["configurations"]) for section in facts["sections"]] == [1]
    assert list(facts["left_out"]) == ["runs/bad"]


@pytest.mark.parametrize("name", ["attention", "trainer", "dataset", "paths", "decoding"])
def test_49_so_is_a_section_of_the_configuration(attnfocus: Command, saved: Path, name: str) -> None:
    for value in (f"{name}: 3\n", "" if name != "paths" else "paths: [a]\n"):
        run = Path(shutil.copytree(SAVED, saved.with_name("again"), dirs_exist_ok=True))
        text = (run / "config.yaml").read_text(encoding="utf-8")
        text, count = re.subn(rf"^{name}:\n(  .*\n)+", value, text, flags=re.MULTILINE)
        assert count == 1
        (run / "config.yaml").write_text(text, encoding="utf-8")
        for verb in (("evaluate", f"run={run}"), ("train", f"resume={run}", "trainer.max_steps=21")):
            done = attnfocus(*verb)
            assert_polite(done, 3)
            assert f"config.yaml: {name}: is " in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks processes that have loaded torch")
def test_every_damage_gets_a_polite_answer(tmp_path: Path) -> None:
    """scripts/fuzz_runs.py has 500 of them."""
    root = SAVED.parents[3]
    command = [sys.executable, str(root / "scripts" / "fuzz_runs.py"), str(SAVED), "--count", "20"]
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 damaged files, 0 problems" in done.stdout


@pytest.mark.parametrize("value", [1e308, "x", [], None, "gone"])
@pytest.mark.parametrize("key", ["attention.score", "decoding"])
def test_49_a_section_of_the_configuration_that_is_none_is_named(
    key: str, value: Any, tmp_path: Path, attnfocus: Command
) -> None:
    """Found by scripts/fuzz_runs.py."""
    run = Path(shutil.copytree(SAVED, tmp_path / "run"))
    values = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    *above, name = key.split(".")
    section = values[above[0]] if above else values
    section[name] = value
    if value == "gone":
        del section[name]
    (run / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    done = attnfocus("evaluate", f"run={run}")
    assert done.returncode == (0 if (key, value) == ("decoding", "gone") else 2), done.stderr
    assert "Error:" not in done.stderr
