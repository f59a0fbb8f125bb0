"""Where a study lies: a database that every job of the search can reach."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attnfocus.commands.sweep.search.options import SearchOptions
from attnfocus.errors import ConfigError, RunError
from attnfocus.redaction import hide

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

STUDY_FILE = "study.db"
SQLITE = "sqlite:///"
SQLITE_SECONDS = 60  # how long one writer waits for another


def require_optuna() -> None:
    """Imports Optuna, and quiets its log: the search tells the same in its own lines.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"hydra/sweeper=optuna: needs a package that is not installed ({error.name}). "
            "Install it: pip install 'attnfocus[search]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def storage_url(options: SearchOptions, sweep_dir: Path) -> str:
    """Where the study lies; a path of SQLite is made absolute, so that every process finds it."""
    url = options.storage or f"{SQLITE}{sweep_dir / STUDY_FILE}"
    if url.startswith(SQLITE) and url != SQLITE and ":memory:" not in url:
        return SQLITE + str(Path(url.removeprefix(SQLITE)).expanduser().resolve())
    return url


def open_storage(options: SearchOptions, sweep_dir: Path) -> RDBStorage:
    """The database of a search, made if it is not there.

    Raises:
        ConfigError: the URL cannot be used.
    """
    require_optuna()
    from optuna.exceptions import OptunaError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    url = storage_url(options, sweep_dir)
    if url == SQLITE or ":memory:" in url:
        problem = "lives in memory, where no job and no later search finds it"
    else:
        try:
            engine = {"connect_args": {"timeout": SQLITE_SECONDS}} if url.startswith(SQLITE) else {}
            return RDBStorage(url, engine_kwargs=engine)
        except (ImportError, RuntimeError, ValueError, OptunaError, SQLAlchemyError) as error:
            problem = str(error).splitlines()[0]
    raise ConfigError(
        f"hydra.sweeper.storage: {hide(url)}: {hide(problem)}. "
        f"Give the URL of a database, such as {SQLITE}study.db, or null."
    )


@contextmanager
def stored(options: SearchOptions, sweep_dir: Path) -> Iterator[None]:
    """Turns what a database says that cannot be written any more into what a user is told.

    Raises:
        RunError: names the key and the database.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = error.__cause__ or error
        said = str(getattr(cause, "orig", None) or cause).splitlines()[0]
        raise RunError(
            f"hydra.sweeper.storage: {hide(storage_url(options, sweep_dir))}: {hide(said)}. Make room, or see that it "
            "can be written; finished trials are not lost."
        ) from error


def study_folder(options: SearchOptions) -> Path | None:
    """The folder of the sweep that a study in a storage of its own belongs to; None for a new study.

    Raises:
        ConfigError: the storage cannot be used.
    """
    if options.storage is None:
        return None
    storage = open_storage(options, Path())
    import optuna

    if options.study_name not in optuna.get_all_study_names(storage):
        return None
    study = optuna.load_study(study_name=options.study_name, storage=storage)
    folder = Path(study.user_attrs.get("folder", ""))
    return folder if study.user_attrs.get("folder") and folder.is_dir() else None
