"""The folders of YAML files: groups, their choices, and the one-line description at the head of each file."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from attnfocus.config.yaml_files import check_folder, read_yaml
from attnfocus.errors import ConfigError


def shipped_folder() -> Path:
    """The project's own `configs/`: inside the package when installed, at the top level in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def config_folders(extra: str | None) -> list[Path]:
    """The shipped folder, after the user's own (`--config-dir`), which is looked at first."""
    if extra is None:
        return [shipped_folder()]
    folder = Path(extra).expanduser().resolve()
    if not folder.is_dir():
        raise ConfigError(f"--config-dir: no folder at {folder}.")
    check_folder(folder)
    return [folder, shipped_folder()]


def groups(folders: Sequence[Path]) -> dict[str, dict[str, Path]]:
    """Group (`attention`, `attention/score`) -> choice -> file. Names that start with `_` are parts, not choices."""
    found: dict[str, dict[str, Path]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            parts = path.relative_to(folder).with_suffix("").parts
            if len(parts) > 1 and not any(part.startswith("_") for part in parts):
                found.setdefault("/".join(parts[:-1]), {}).setdefault(parts[-1], path)
    return dict(sorted(found.items()))


@cache
def optional_groups() -> frozenset[str]:
    """The groups of which train.yaml chooses nothing; they take several choices: `tracker=[wandb,mlflow]`."""
    entries = read_yaml(shipped_folder() / "train.yaml")["defaults"]
    return frozenset(
        name for entry in entries if isinstance(entry, dict) for name, choice in entry.items() if not choice
    )


def description(path: Path) -> str:
    """The first comment line of a YAML file that is not an instruction to Hydra."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            text = line.strip()
            if text.startswith("#") and not text[1:].strip().startswith("@"):
                return text[1:].strip()
            if text and not text.startswith("#"):
                break
    return ""
