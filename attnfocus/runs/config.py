"""The configuration of a run as one object: composed or saved, checked, written, compared."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from attnfocus.config.key_table import KeyTable, KeyTables, flat
from attnfocus.config.read import load_yaml, save_yaml
from attnfocus.errors import CheckpointError, ConfigError
from attnfocus.layout import CONFIG_FILE
from attnfocus.marks import Mark
from attnfocus.redaction import redact, redacted_keys, restore
from attnfocus.runs.assembly import Setup, check_train
from attnfocus.runs.contents import require_run
from attnfocus.runs.schema import TrainConfig


@dataclass(frozen=True, eq=False)
class RunConfig:
    """Never changed in place: `changed` gives another.

    Attributes:
        values: every key, resolved, as plain containers.
        trusted: packages, besides our own, whose classes the values may name.
        tables: what each key is, made once for many configurations; None: made for this one.
    """

    values: Mapping[str, Any]
    trusted: Sequence[str] = ()
    tables: KeyTables | None = None

    @classmethod
    def load(cls, key: str, run_dir: Path, trusted: Sequence[str] = ()) -> "RunConfig":
        """The configuration that `save` wrote. `key` is the option that named the folder, for the message.

        What belongs to one command alone (trust, trackers, resume, ...) counts only where it is typed: if somebody has
        written some of it into the file, it is left out. A key that is younger than the run and whose default has
        changed since is what it was then.

        Raises:
            CheckpointError: something else stands in place of a file of the run, or a section is missing or none.
            ConfigError: `run_dir` is no run directory, or a variable that the run took from the environment is not set.
        """
        require_run(key, run_dir)
        saved = cls(restore(_sections(run_dir / CONFIG_FILE)), trusted)
        values = {key: value for key, value in saved.values.items() if not saved.keys.has(key, Mark.OF_COMMAND)}
        return cls(_as_before(values, saved.keys.before), trusted)

    def changed(self, **sections: Any) -> "RunConfig":
        """With other values of top-level keys."""
        return RunConfig({**self.values, **sections}, self.trusted, self.tables)

    @cached_property
    def setup(self) -> Setup:
        """The configuration, checked and ready to build from; once, however often it is asked for.

        Raises:
            ConfigError: every problem at once.
        """
        return check_train(self.values, self.trusted)

    @cached_property
    def keys(self) -> KeyTable:
        """What each key is."""
        return (self.tables or KeyTables(TrainConfig, self.trusted)).of(self.values)

    def saved(self) -> dict[str, Any]:
        """What config.yaml holds: secrets redacted, whole paths, and nothing that belongs to one command alone."""
        kept = {key: value for key, value in self.values.items() if not self.keys.has(key, Mark.OF_COMMAND)}
        return redact(self._with_whole_paths(kept), with_references=True)

    def save(self, run_dir: Path) -> None:
        """Writes config.yaml; a kill leaves the old one whole."""
        save_yaml(run_dir / CONFIG_FILE, self.saved())

    def require_whole(self, run_dir: Path, section: str | None = None) -> None:
        """Refuses to read data or to train with a value that was redacted when the run was saved.

        Args:
            section: the only one that is needed; None: all.

        Raises:
            ConfigError: there is such a value; names the key.
        """
        problems = [
            f"{key}: a secret, which is not saved with a run. Write ${{oc.env:NAME}} in its place in "
            f"{run_dir / CONFIG_FILE}, and set NAME in the environment."
            for key in redacted_keys(self.values if section is None else {section: self.values[section]})
        ]
        if problems:
            raise ConfigError(problems)

    def compared(self) -> dict[str, Any]:
        """Dotted key -> value, of all that makes this another configuration for `compare`."""
        leaves = self.keys.completed(flat(self.values))
        if leaves.get("trainer.loss", "") is None:  # the task's own, which older runs name
            leaves["trainer.loss"] = "mse" if leaves.get("dataset.task") == "regression" else "cross_entropy"
        without = (Mark.NO_EFFECT, Mark.OF_COMMAND)
        return {key: value for key, value in sorted(leaves.items()) if not self.keys.has(key, *without)}

    def differences(self, run_dir: Path, typed: Collection[str] = ()) -> list[str]:
        """The keys in which a saved run differs, apart from those that may change when a run goes on.

        A key that the saved run does not have, because it is younger, counts as its default. One whose default has
        changed since (`marks.Before`) is no difference where each run has the default of its time: the saved run keeps
        it, unless the key is typed.
        """
        ours, theirs = (self.keys.completed(flat(each)) for each in (self.saved(), load_yaml(run_dir / CONFIG_FILE)))
        keys = [
            key
            for key in {**theirs, **ours}
            if ours.get(key) != theirs.get(key)
            and (key in typed or not self.keys.is_of_before(key, ours.get(key), theirs.get(key)))
        ]
        return sorted(key for key in keys if not self.keys.has(key, Mark.RESUMABLE))

    def _with_whole_paths(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same run from whatever folder it is evaluated."""
        return {name: self._with_whole_path(name, value) for name, value in values.items()}

    def _with_whole_path(self, key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._with_whole_path(f"{key}.{name}", inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._with_whole_path(f"{key}.{index}", inner) for index, inner in enumerate(value)]
        if not value or not isinstance(value, str):
            return value
        path = Path(value).expanduser()
        is_path = self.keys.has(key, Mark.FILE) or (self.keys.has(key, Mark.FILE_OR_NAME) and path.exists())
        return str(path.resolve()) if is_path else value


def _as_before(values: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a saved run with those that its missing keys had; sections that are not there stay away."""
    for key, value in before.items():
        section, _, name = key.rpartition(".")
        node: Any = values
        for part in section.split(".") if section else ():
            node = node.get(part) if isinstance(node, Mapping) else None
        if isinstance(node, dict):
            node.setdefault(name, value)
    return values


def _sections(path: Path) -> dict[str, Any]:
    """The saved configuration, which has all sections that a run needs. What is in them is checked later.

    Raises:
        CheckpointError: one is missing, or is no section.
    """
    values = load_yaml(path)
    needed = [field.name for field in fields(TrainConfig) if field.default is field.default_factory is MISSING]
    for name in (*(name for name in needed if name != "max_jobs"), "paths"):
        if not isinstance(values.get(name, None if name in needed else {}), Mapping):
            problem = "is no section of options" if name in values else "is missing"
            raise CheckpointError(f"{path}: {name}: {problem}. Use an undamaged copy.")
    return values
