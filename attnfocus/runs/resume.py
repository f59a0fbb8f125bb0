"""The configuration of a run that goes on: what was saved, with the few changes that leave its past true."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attnfocus.config.read import load_yaml
from attnfocus.errors import ConfigError
from attnfocus.redaction import redacted_keys
from attnfocus.runs.folder import CONFIG_FILE, config_to_save, require_whole, saved_config

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
    "focus.num_samples",
    "device",
    "distributed",
    "distributed.",
    "attention.path",
    "tracker",
    "tracker.",
    "trust",
    "resume",
)


AUTO = "auto"


def run_to_resume(values: Mapping[str, Any]) -> Path | None:
    """The run directory that `resume` names; None to start a new run.

    `resume=auto` is for jobs that a cluster starts again with the same command: the run in `run_dir` if there is one,
    else the newest below `paths.outputs` with the same configuration, finished or not, else none.

    Raises:
        ConfigError: `run_dir` holds a run of another configuration.
    """
    wanted = values.get("resume")
    if wanted != AUTO:
        return Path(wanted).expanduser().resolve() if wanted else None
    if values.get("run_dir"):
        given = Path(values["run_dir"]).expanduser().resolve()
        if not (given / CONFIG_FILE).is_file():
            return None
        differing = _differences(given, values)
        if differing:
            raise ConfigError(
                f"resume=auto: {given} holds another run; different are {', '.join(differing[:5])}. "
                "Name another run_dir, or give the options of that run."
            )
        return given
    outputs = Path(values["paths"]["outputs"]).expanduser().resolve()
    found = [path.parent for path in outputs.glob(f"*/*/{CONFIG_FILE}")]
    same = [path for path in found if not _differences(path, values)]
    return max(same, key=lambda path: (path / CONFIG_FILE).stat().st_mtime, default=None)


def _differences(run_dir: Path, values: Mapping[str, Any]) -> list[str]:
    """The keys in which a saved run differs, apart from those that a resumed run may change."""
    ours, theirs = flat(config_to_save(values)), flat(load_yaml(run_dir / CONFIG_FILE))
    keys = [key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key)]
    return sorted(key for key in keys if not _is_changeable(key))


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one mapping of dotted keys."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _is_changeable(key: str) -> bool:
    return any(key == name or (name.endswith(".") and key.startswith(name)) for name in CHANGEABLE)


def resumed_values(run_dir: Path, given: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The saved configuration with the overrides of this command line that a resumed run may take.

    With `resume=auto` the command line is that of the run, and so says everything again.

    Raises:
        ConfigError: `run_dir` is no run directory, or an override would change the model, the data or the past.
    """
    values = saved_config("resume", run_dir)
    keys = [text.lstrip("+").split("=", 1)[0] for text in overrides]
    secrets: list[str] = []
    if given.get("resume") == AUTO:
        keys = [key for key in flat(given) if _is_changeable(key) and not key.startswith("paths.")]
        secrets = redacted_keys(values)  # not saved, but given again
    refused = [key for key in keys if not _is_changeable(key)]
    if refused:
        raise ConfigError(
            [f"{key}: cannot change when resuming; a new run can. What can: {_changeable_text()}." for key in refused]
        )
    for key in [*keys, *secrets]:
        _copy(key.split("."), given, values)
    require_whole(run_dir, values)
    return values


def _changeable_text() -> str:
    return ", ".join(name + "*" if name.endswith(".") else name for name in CHANGEABLE[:-1])


def _copy(parts: Sequence[str], source: Any, target: Any) -> None:
    for part in parts[:-1]:
        source, target = source[part], target.setdefault(part, {})
    target[parts[-1]] = source[parts[-1]]
