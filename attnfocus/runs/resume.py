"""The configuration of a run that goes on: what was saved, with the few changes that leave its past true."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from attnfocus.config.key_table import KeyTable, flat
from attnfocus.errors import CheckpointError, ConfigError, Problem
from attnfocus.layout import CONFIG_FILE
from attnfocus.marks import Mark
from attnfocus.redaction import redacted_keys
from attnfocus.regular_files import is_regular, is_there
from attnfocus.runs.claim import AUTO
from attnfocus.runs.config import RunConfig


def run_to_resume(config: RunConfig, overrides: Sequence[str] = ()) -> Path | None:
    """The run directory that `resume` names; None to start a new run.

    `resume=auto` is for jobs that a cluster starts again with the same command: the run in `run_dir` if there is one,
    else the newest below `paths.outputs` with the same configuration, finished or not, else none. `overrides` are those
    of this command line.

    Raises:
        ConfigError: `run_dir` holds a run of another configuration.
    """
    values = config.values
    wanted = values.get("resume")
    if wanted != AUTO:
        return Path(wanted).expanduser().resolve() if wanted else None
    if values.get("run_dir"):
        given = Path(values["run_dir"]).expanduser().resolve()
        if not is_there(given / CONFIG_FILE):
            return None
        differing = config.differences(given, typed_keys(overrides))
        if differing:
            raise ConfigError(
                f"resume=auto: {given} holds another run; different are {', '.join(differing[:5])}. "
                "Name another run_dir, or give the options of that run."
            )
        return given
    outputs = Path(values["paths"]["outputs"]).expanduser().resolve()
    runs = {path.parent.resolve() for path in outputs.glob(f"*/*/{CONFIG_FILE}") if is_regular(path)}
    same = [path for path in runs if _is_same(config, path, typed_keys(overrides))]
    return max(same, key=lambda path: (path / CONFIG_FILE).stat().st_mtime, default=None)


def typed_keys(overrides: Sequence[str]) -> list[str]:
    return [text.lstrip("+").split("=", 1)[0] for text in overrides]


def _is_same(config: RunConfig, run_dir: Path, typed: Sequence[str]) -> bool:
    """Whether a folder among many holds a run of this configuration; one that is damaged or not ours does not."""
    try:
        return not config.differences(run_dir, typed)
    except (ConfigError, CheckpointError):
        return False


def resumed(run_dir: Path, given: RunConfig, overrides: Sequence[str]) -> RunConfig:
    """The saved configuration with the overrides of this command line that a resumed run may take.

    With `resume=auto` the command line is that of the run, and so says everything again; of a key whose default has
    changed since the run began only what is typed counts.

    Raises:
        ConfigError: `run_dir` is no run directory, or an override would change the model, the data or the past.
    """
    config = RunConfig.load("resume", run_dir, given.trusted)
    typed = typed_keys(overrides)
    if given.values.get("resume") == AUTO:
        changed = [key for key in flat(given.values) if given.keys.has(key, Mark.RESUMABLE)]
        secrets = redacted_keys(config.values)  # not saved, but given again
        kept = [key for key in given.keys.before if key not in typed]
        keys = [key for key in changed if not key.startswith("paths.") and key not in kept] + secrets
    else:
        keys = [key for key in typed if not _is_same_choice(key, given, config)]
        refused = [key for key in keys if not (config.keys.has(key, Mark.RESUMABLE) or _names_data(key, config))]
        if refused:
            raise ConfigError([*(_refusal(key) for key in refused[:-1]), _refusal(refused[-1], config.keys)])
    values = deepcopy(dict(config.values))
    for key in keys:
        _copy(key.split("."), given.values, values)
    whole = config.changed(**values)
    whole.require_whole(run_dir)
    return whole


def _is_same_choice(key: str, given: RunConfig, config: RunConfig) -> bool:
    """Whether a group is chosen as the run has it, so that keys of that choice can be given."""
    choices = [values.get("choices") or {} for values in (given.values, config.values)]
    return key in choices[0] and choices[0][key] == choices[1].get(key)


def _names_data(key: str, config: RunConfig) -> bool:
    """Whether a key names files of the data, which may have moved: their rows are compared with those of then."""
    return key.startswith("dataset.") and config.keys.has(key, Mark.FILE, Mark.FILE_OR_NAME)


def _refusal(key: str, keys: KeyTable | None = None) -> Problem:
    """What is said of a key that a run keeps; the last of them with what can change."""
    out = f"To go on with the run as it is, leave out {key}=. For a new run, leave out resume=."
    text = f"{key}: a resumed run keeps its {key}. {out}"
    return Problem(text if keys is None else f"{text} What can change: {_resumable_text(keys)}.", key, [])


def _resumable_text(keys: KeyTable) -> str:
    files = [key for mark in (Mark.FILE, Mark.FILE_OR_NAME) for key in keys.with_mark(mark)]
    moved = [key for key in files if key.startswith("dataset.")]
    return ", ".join([*(key for key in keys.with_mark(Mark.RESUMABLE) if key != "resume"), *moved])


def _copy(parts: Sequence[str], source: Any, target: Any) -> None:
    for part in parts[:-1]:
        source, target = source[part], target.setdefault(part, {})
    target[parts[-1]] = source[parts[-1]]
