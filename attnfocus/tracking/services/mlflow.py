"""The run in MLflow."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock

from attnfocus.errors import ConfigError
from attnfocus.events import TrainingEnded, TrainingStarted
from attnfocus.marks import FilePath
from attnfocus.tracking.scalars import ScalarTracker

MAX_PARAMETERS = 100  # that the client sends at once
MAX_CHARACTERS = 500  # of a parameter's value, which some stores cut
RUN_DIR = "attnfocus.run_dir"  # the tag by which a resumed run is found again


class MLflow(ScalarTracker):
    """Writes into a local store, an SQLite file that many runs share; `mlflow ui` shows it.

    The figures have the names that they have in TensorBoard. A resumed run goes on as the same run.

    Args:
        store: the file; its folder is made.
        tracking_uri: a server or store of another kind, in place of the file.
        experiment: where the run is filed.
        run_name: None: that of the run directory.
        tags: name -> text, to filter by.

    Raises:
        ConfigError: a package is missing.
    """

    only_typed: ClassVar[tuple[str, ...]] = ("tracking_uri",)

    def __init__(
        self,
        store: FilePath = "mlflow.db",
        tracking_uri: str | None = None,
        experiment: str = "attnfocus",
        run_name: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        self._new_client = _client(needs_database=tracking_uri is None)
        self._store, self._tracking_uri = Path(store).expanduser().resolve(), tracking_uri
        self._experiment, self._run_name, self._tags = experiment, run_name, tags or {}
        self._client: Any = None
        self._run_id = ""
        self._has_ended = False

    def on_start(self, event: TrainingStarted) -> None:
        if self._tracking_uri is not None:
            self._begin(event, self._tracking_uri, None)
            return
        self._store.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self._store}.lock"):  # runs that start together would all make its tables
            self._begin(event, f"sqlite:///{self._store}", (self._store.parent / "mlflow-artifacts").as_uri())

    def on_end(self, event: TrainingEnded) -> None:
        self._has_ended = True
        self._client.set_tag(self._run_id, "attnfocus.reason", event.reason)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.set_terminated(self._run_id, status="FINISHED" if self._has_ended else "FAILED")

    def _begin(self, event: TrainingStarted, uri: str, artifacts: str | None) -> None:
        from mlflow.entities import Param

        client = self._new_client(tracking_uri=uri)
        experiment = client.get_experiment_by_name(self._experiment)
        number = experiment.experiment_id if experiment else client.create_experiment(self._experiment, artifacts)
        known = self._known_run(client, number, event) if event.resumed_from is not None else None
        if known is not None:
            self._run_id = known
            client.update_run(known, status="RUNNING")
        else:
            tags = {**self._tags, RUN_DIR: str(event.run_dir)}
            name = self._run_name or event.run_dir.name
            self._run_id = client.create_run(number, tags=tags, run_name=name).info.run_id
            options = [Param(key, str(value)[:MAX_CHARACTERS]) for key, value in event.facts.options.items()]
            for start in range(0, len(options), MAX_PARAMETERS):
                client.log_batch(self._run_id, params=options[start : start + MAX_PARAMETERS])
        self._client = client

    def _known_run(self, client: Any, number: str, event: TrainingStarted) -> str | None:
        """The run of this directory, by its tag; compared here, since a filter cannot hold every path."""
        for run in client.search_runs([number], order_by=["attributes.start_time DESC"]):
            if run.data.tags.get(RUN_DIR) == str(event.run_dir):
                return str(run.info.run_id)
        return None

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for name, value in scalars.items()]
        self._client.log_batch(self._run_id, metrics=metrics)


def _client(needs_database: bool) -> Any:
    """The class of clients, which keeps nothing in the process but its loggers."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # else it tells its makers of each run
    try:
        if needs_database:
            import alembic  # noqa: F401
            import sqlalchemy  # noqa: F401
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise ConfigError("needs an extra: pip install 'attnfocus[mlflow]'.") from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient
