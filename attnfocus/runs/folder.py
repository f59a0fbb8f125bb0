"""The run directory: its unique name, its configuration, its summary (the contract that other tools rely on)."""

import json
import platform
import secrets
import subprocess
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attnfocus.config.folder import shipped_folder
from attnfocus.config.read import load_yaml, yaml_text
from attnfocus.data.preparation import Prepared
from attnfocus.errors import CheckpointError, ConfigError
from attnfocus.files import replace_file, write_json_atomically
from attnfocus.redaction import redact, redacted_keys, restore
from attnfocus.version import __version__

CONFIG_FILE = "config.yaml"
BENCH_FILE = "bench.yaml"  # in place of config.yaml in the folder of a bench, which is no run to go on with
COMPARE_FILE = "compare.yaml"  # ... and of a comparison
SUMMARY_FILE = "summary.json"
DATA_FOLDER = "data"  # tokenizers and labels
FILE_OPTIONS = (
    "train",
    "train_target",
    "valid",
    "valid_target",
    "test",
    "test_target",
)  # of sources
VECTOR_OPTIONS = ("vectors", "target_vectors")  # of model.embedding
FINGERPRINTS_FILE = "fingerprints.json"
LEFT_OUT = (
    "resume",
    "run_dir",
    "sweep",
    "trust",
    "config_dir",
    "distributed",
    "tracker",
)  # of config.yaml: what changes no result


def new_run_dir(given: str | None, outputs: str, name: str, inner: str = DATA_FOLDER) -> Path:
    """An empty folder of this run's own.

    Args:
        given: `run_dir`, None for <outputs>/<date>/<time>_<name>_<4 hex>.
        outputs: `paths.outputs`.
        name: model, attention and dataset, joined by `_`.
        inner: a folder to make inside it; empty for none.

    Raises:
        ConfigError: the folder holds a run already, or cannot be written.
    """
    key, folder = ("run_dir", Path(given)) if given else ("paths.outputs", _fresh_path(Path(outputs), name))
    folder = folder.expanduser().resolve()
    if (folder / CONFIG_FILE).exists():
        raise ConfigError(f"run_dir: {folder} already holds a run. To go on with it: resume={folder}.")
    for name in (BENCH_FILE, COMPARE_FILE):
        if (folder / name).exists():
            raise ConfigError(f"run_dir: {folder} already holds results ({name}). Name another folder.")
    try:
        (folder / inner).mkdir(parents=True, exist_ok=given is not None)
        probe = folder / ".write-test"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"{key}: cannot write to {folder}: {error.strerror or error}.") from error
    return folder


def _fresh_path(outputs: Path, name: str) -> Path:
    now = datetime.now()
    return outputs / now.strftime("%Y-%m-%d") / f"{now.strftime('%H-%M-%S')}_{name}_{secrets.token_hex(2)}"


def save_config(run_dir: Path, values: Mapping[str, Any]) -> None:
    """config.yaml: see `config_to_save`."""
    replace_file(run_dir / CONFIG_FILE, yaml_text(config_to_save(values)).encode())  # a kill leaves the old one whole


def config_to_save(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fully resolved, with secrets redacted and what belongs to one command alone left out."""
    kept = {key: value for key, value in values.items() if key not in LEFT_OUT}
    return redact(_with_absolute_paths(kept), with_references=True)


def saved_config(key: str, run_dir: Path) -> dict[str, Any]:
    """The configuration that `save_config` wrote. `key` is the option that named the folder, for the message.

    Without trackers, if somebody has written some into it: what sends or writes is named on a command line.

    Raises:
        ConfigError: `run_dir` is no run directory, or a variable that the run took from the environment is not set.
    """
    if not (run_dir / CONFIG_FILE).is_file():
        raise ConfigError(f"{key}: {run_dir} is not a run directory (it has no {CONFIG_FILE}).")
    values = load_yaml(run_dir / CONFIG_FILE)
    values.pop("tracker", None)
    return restore(values)


def require_whole(run_dir: Path, values: Mapping[str, Any]) -> None:
    """Refuses to read data or to train with a value that was redacted when the run was saved.

    Raises:
        ConfigError: there is one; names the key.
    """
    problems = [
        f"{key}: a secret, which is not saved with a run. Write ${{oc.env:NAME}} in its place in "
        f"{run_dir / CONFIG_FILE}, and set NAME in the environment."
        for key in redacted_keys(values)
    ]
    if problems:
        raise ConfigError(problems)


def _with_absolute_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same run from whatever folder it is evaluated: its files and folders by their whole paths."""
    dataset = {
        name: _absolute(value) if _is_file_option(name, value) else value for name, value in values["dataset"].items()
    }
    paths = {name: _absolute(value) for name, value in values["paths"].items()}
    model = dict(values["model"])
    if isinstance(model.get("embedding"), Mapping):
        files = {name: _absolute(model["embedding"].get(name)) for name in VECTOR_OPTIONS if name in model["embedding"]}
        model["embedding"] = {**model["embedding"], **files}
    return {**values, "dataset": dataset, "paths": paths, "model": model}


def _is_file_option(name: str, value: Any) -> bool:
    """Whether an option of a dataset names a file or folder here; `path` may also name a set of the hub."""
    is_path = name in FILE_OPTIONS or (name == "path" and isinstance(value, str) and Path(value).expanduser().exists())
    return is_path and isinstance(value, str)


def _absolute(path: str | None) -> str | None:
    return path and str(Path(path).expanduser().resolve())


def write_summary(run_dir: Path, facts: Mapping[str, Any]) -> None:
    write_json_atomically(run_dir / SUMMARY_FILE, redact(facts))


def environment(device: str) -> dict[str, Any]:
    """Versions, device and git state, for the summary."""
    return {
        "versions": {
            "attnfocus": __version__,
            "python": platform.python_version(),
            "torch": version("torch"),
            "hydra": version("hydra-core"),
            "tokenizers": version("tokenizers"),
        },
        "device": device,
        "git": _git(),
    }


def _git() -> dict[str, Any] | None:
    """Commit and whether files differ from it, of the checkout that the code comes from; None when installed."""
    folder = shipped_folder().parent
    if not (folder / ".git").exists():
        return None

    def answer(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        return {"commit": answer("rev-parse", "HEAD"), "dirty": bool(answer("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def save_fingerprints(run_dir: Path, prepared: Prepared) -> None:
    """Remembers which data the run has seen."""
    write_json_atomically(run_dir / DATA_FOLDER / FINGERPRINTS_FILE, prepared.fingerprints)


def check_fingerprints(run_dir: Path, prepared: Prepared) -> None:
    """Compares the data with those that the run has seen.

    Raises:
        CheckpointError: a split has other rows now.
    """
    path = run_dir / DATA_FOLDER / FINGERPRINTS_FILE
    if not path.exists():
        raise CheckpointError(f"{path}: not there, so the data of this run cannot be compared with those of today.")
    try:
        saved = json.loads(path.read_bytes())
        marks = {split: saved[split] for split in prepared.fingerprints if split in saved}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged ({type(error).__name__}). Use an undamaged copy.") from error
    differing = [split for split, mark in prepared.fingerprints.items() if marks.get(split) != mark]
    if differing:
        raise CheckpointError(
            f"{run_dir}: the rows of {', '.join(differing)} are not those that this run has seen. "
            "Give it the same files (paths.data, dataset.*)."
        )
