"""The run directory: its unique name, its summary, what it remembers of its data (other tools rely on these)."""

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
from attnfocus.data.preparation import Prepared
from attnfocus.errors import CheckpointError, ConfigError
from attnfocus.files import make_fresh_folder, write_json_atomically
from attnfocus.redaction import redact
from attnfocus.regular_files import is_there, read_file
from attnfocus.threads import waiting
from attnfocus.version import __version__

CONFIG_FILE = "config.yaml"
BENCH_FILE = "bench.yaml"  # in place of config.yaml in the folder of a bench, which is no run to go on with
COMPARE_FILE = "compare.yaml"  # ... and of a comparison
SUMMARY_FILE = "summary.json"
DATA_FOLDER = "data"  # tokenizers and labels
FINGERPRINTS_FILE = "fingerprints.json"
MAX_FINGERPRINTS_BYTES = 1_000_000
MAX_SUMMARY_BYTES = 2**24


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
    if not given:
        return _fresh_run_dir(Path(outputs).expanduser().resolve(), name, inner)
    folder = Path(given).expanduser().resolve()
    if (folder / CONFIG_FILE).exists():
        raise ConfigError(f"run_dir: {folder} already holds a run. To go on with it: resume={folder}.")
    for name in (BENCH_FILE, COMPARE_FILE):
        if (folder / name).exists():
            raise ConfigError(f"run_dir: {folder} already holds results ({name}). Name another folder.")
    try:
        (folder / inner).mkdir(parents=True, exist_ok=True)
        probe = folder / ".write-test"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"run_dir: cannot write to {folder}: {error.strerror or error}.") from error
    return folder


def _fresh_run_dir(outputs: Path, name: str, inner: str) -> Path:
    now = datetime.now()
    parent = outputs / now.strftime("%Y-%m-%d")
    try:
        folder = make_fresh_folder(parent, f"{now.strftime('%H-%M-%S')}_{name}_{secrets.token_hex(2)}")
        (folder / inner).mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(f"paths.outputs: cannot write to {parent}: {error.strerror or error}.") from error
    return folder


def write_summary(run_dir: Path, facts: Mapping[str, Any]) -> None:
    write_json_atomically(run_dir / SUMMARY_FILE, redact(facts))


def environment(device: str) -> dict[str, Any]:
    """Versions, device, threads and git state, for the summary."""
    import torch

    return {
        "versions": {
            "attnfocus": __version__,
            "python": platform.python_version(),
            "torch": version("torch"),
            "hydra": version("hydra-core"),
            "tokenizers": version("tokenizers"),
        },
        "device": device,
        "threads": {"torch": torch.get_num_threads(), "waiting": waiting()},
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
    if not is_there(path):
        raise CheckpointError(f"{path}: not there, so the data of this run cannot be compared with those of today.")
    try:
        saved = json.loads(read_file(path, MAX_FINGERPRINTS_BYTES))
        marks = {split: saved[split] for split in prepared.fingerprints if split in saved}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged ({type(error).__name__}). Use an undamaged copy.") from error
    differing = [split for split, mark in prepared.fingerprints.items() if marks.get(split) != mark]
    if differing:
        raise CheckpointError(
            f"{run_dir}: the rows of {', '.join(differing)} are not those that this run has seen. "
            "Give it the same files (paths.data, dataset.*)."
        )
