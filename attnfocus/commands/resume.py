"""The configuration of a run that goes on: what was saved, with the few changes that leave its past true."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attnfocus.commands.rundir import saved_config
from attnfocus.errors import ConfigError

# What may differ from the saved run: how long it trains and what it writes, not what it has learned from or how.
CHANGEABLE = (
    "trainer.max_steps",
    "trainer.max_epochs",
    "trainer.max_minutes",
    "trainer.patience",
    "trainer.evaluate_every_steps",
    "trainer.save_every_steps",
    "trainer.log_every_steps",
    "trainer.keep_checkpoints",
    "paths.",
    "decoding.",
    "focus.",
    "device",
    "trust",
    "resume",
)


def resumed_values(run_dir: Path, given: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The saved configuration with the overrides of this command line that a resumed run may take.

    Raises:
        ConfigError: `run_dir` is no run directory, or an override would change the model, the data or the past.
    """
    values = saved_config("resume", run_dir)
    keys = [text.lstrip("+").split("=", 1)[0] for text in overrides]
    refused = [key for key in keys if not any(key == name or key.startswith(name) for name in CHANGEABLE)]
    if refused:
        raise ConfigError(
            [f"{key}: cannot change when resuming; a new run can. What can: {_changeable_text()}." for key in refused]
        )
    for key in keys:
        _copy(key.split("."), given, values)
    return values


def _changeable_text() -> str:
    return ", ".join(name + "*" if name.endswith(".") else name for name in CHANGEABLE[:-1])


def _copy(parts: Sequence[str], source: Any, target: Any) -> None:
    for part in parts[:-1]:
        source, target = source[part], target.setdefault(part, {})
    target[parts[-1]] = source[parts[-1]]
