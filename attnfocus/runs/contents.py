"""What a run directory holds, and the one look at it that every verb has before it reads anything there."""

from collections.abc import Iterator
from pathlib import Path

from attnfocus.errors import CheckpointError, ConfigError
from attnfocus.layout import (
    ANSWERS_FILE,
    CHECKPOINTS,
    CLASSES_FILE,
    CONFIG_FILE,
    CONFUSION_FIGURE,
    DATA_FOLDER,
    EVENT_FILES,
    FAITHFULNESS_FIGURE,
    FAITHFULNESS_FILE,
    HEADS_FILE,
    LOG_FILE,
    MAPS_FOLDER,
    METRICS_FILE,
    OF_JOB,
    PAGES_FOLDER,
    REPORT_FILE,
    SUMMARY_FILE,
    TRAIN_LOCK,
)
from attnfocus.regular_files import (
    UnusableFileError,
    is_folder,
    is_there,
    require_folder,
    require_regular,
)

OF_TEST = (ANSWERS_FILE, CLASSES_FILE, CONFUSION_FIGURE)
FILES = (
    TRAIN_LOCK,
    CONFIG_FILE,
    SUMMARY_FILE,
    METRICS_FILE,
    LOG_FILE,
    *OF_TEST,
    FAITHFULNESS_FILE,
    FAITHFULNESS_FIGURE,
    HEADS_FILE,
    REPORT_FILE,
    *OF_JOB,
)
LATER = {
    METRICS_FILE,
    *OF_TEST,
    FAITHFULNESS_FILE,
    FAITHFULNESS_FIGURE,
    HEADS_FILE,
    REPORT_FILE,
    CHECKPOINTS,
    MAPS_FOLDER,
    PAGES_FOLDER,
}  # than a configuration
WRITTEN_BY_TRAINING = {CONFIG_FILE, SUMMARY_FILE, METRICS_FILE, LOG_FILE, *OF_TEST, HEADS_FILE, REPORT_FILE}
FOLDERS = (DATA_FOLDER, CHECKPOINTS, MAPS_FOLDER)


def require_run(key: str, run_dir: Path) -> None:
    """Refuses a folder that holds no run. `key` is the option that named it, for the message.

    Raises:
        ConfigError: it has no config.yaml.
        CheckpointError: as `require_own`.
    """
    if not is_there(run_dir / CONFIG_FILE):
        raise ConfigError(f"{key}: {run_dir} is not a run directory (it has no {CONFIG_FILE}).")
    require_own(run_dir)


def require_own(run_dir: Path) -> None:
    """Refuses a run with a link, a pipe, a device or a folder in place of a file, or a link in place of a folder.

    Raises:
        CheckpointError: names the first.
    """
    try:
        for path in (*(run_dir / name for name in FILES), *run_dir.glob(EVENT_FILES)):
            require_regular(path)
        for name in (*FOLDERS, PAGES_FOLDER):
            require_folder(run_dir / name, is_needed=False)
        for path in _inner(run_dir):
            require_regular(path)
    except UnusableFileError as error:
        raise CheckpointError(f"{error.filename}: {error.strerror}. Use an undamaged copy of the run.") from None
    except OSError as error:
        raise CheckpointError(f"{error.filename or run_dir}: cannot be read: {error.strerror}.") from None


def _inner(run_dir: Path) -> Iterator[Path]:
    """What should be the files in the folders of a run and of its checkpoints."""
    for name in FOLDERS:
        folder = run_dir / name
        for path in _entries(folder):
            if name == CHECKPOINTS and path.name.startswith("step-") and is_folder(path):
                yield from _entries(path)
            elif name != CHECKPOINTS or path.name.startswith(("step-", "best", "last")):
                yield path


def _entries(folder: Path) -> list[Path]:
    """Sorted; none of a folder that is not there, or that a save beside us has just removed."""
    try:
        return sorted(folder.iterdir()) if is_folder(folder) else []
    except FileNotFoundError:
        return []
