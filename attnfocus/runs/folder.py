"""The run directory: its unique name, its summary, what it remembers of its data (other tools rely on these)."""

import json
import platform
import shlex
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attnfocus.config.folder import shipped_folder
from attnfocus.data.preparation import Prepared
from attnfocus.errors import CheckpointError
from attnfocus.files import write_json_atomically
from attnfocus.layout import DATA_FOLDER, FINGERPRINTS_FILE
from attnfocus.records import to_value
from attnfocus.redaction import hide_override
from attnfocus.regular_files import is_there, read_file
from attnfocus.threads import waiting
from attnfocus.version import __version__

WITH_NAMES = " with names"  # after the name of a split: what runs of before have under the name alone
MAX_FINGERPRINTS_BYTES = 1_000_000


def made_by(verb: str, overrides: Sequence[str], config_dir: str | None = None) -> dict[str, str]:
    """When a command began, by UTC, and the line that it was, without secrets; for the summary."""
    words = ["--config-dir", config_dir] if config_dir else []
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"started": started, "command": command_line(verb, [*words, *overrides])}


def command_line(verb: str, words: Sequence[str]) -> str:
    """A command as it is typed, without secrets."""
    return " ".join(["attnfocus", verb, *(shlex.quote(hide_override(text)) for text in words)])


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


# Asking must run no program that a configuration of git names, and write nothing: `status` would refresh the index.
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def _git() -> dict[str, Any] | None:
    """Commit and whether files differ from it, of the checkout that the code comes from; None when installed."""
    folder = shipped_folder().parent
    if not (folder / ".git").exists():
        return None

    def answer(*arguments: str) -> str:
        done = subprocess.run([*_GIT, *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        return {"commit": answer("rev-parse", "HEAD"), "dirty": bool(answer("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def save_fingerprints(run_dir: Path, prepared: Prepared) -> None:
    """Remembers which data the run has seen; of test also as runs of before do, to be compared with them."""
    named = {f"{split}{WITH_NAMES}": mark for split, mark in prepared.named_fingerprints.items() if split == "test"}
    write_json_atomically(run_dir / DATA_FOLDER / FINGERPRINTS_FILE, {**prepared.fingerprints, **named})


def load_fingerprints(run_dir: Path) -> dict[str, str]:
    """Split -> what `save_fingerprints` remembered of its rows.

    Raises:
        CheckpointError: the file is not there or is damaged.
    """
    path = run_dir / DATA_FOLDER / FINGERPRINTS_FILE
    if not is_there(path):
        raise CheckpointError(f"{path}: not there, so the data of this run cannot be compared with those of today.")
    try:
        marks = to_value(json.loads(read_file(path, MAX_FINGERPRINTS_BYTES)), dict[str, str], "fingerprints")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}. Use an undamaged copy.") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged: {error}. Use an undamaged copy.") from None
    return dict(marks)


def check_fingerprints(run_dir: Path, prepared: Prepared) -> None:
    """Compares the data with those that the run has seen.

    Raises:
        CheckpointError: a split has other rows now.
    """
    marks = load_fingerprints(run_dir)
    known, as_before = prepared.fingerprints, prepared.named_fingerprints
    differing = [split for split in known if marks.get(split) not in (known[split], as_before.get(split, known[split]))]
    if differing:
        raise CheckpointError(
            f"{run_dir}: the rows of {', '.join(differing)} are not those that this run has seen. "
            "Give it the same files (paths.data, dataset.*). To test on other data: attnfocus evaluate run=... "
            "dataset.test=FILE."
        )
