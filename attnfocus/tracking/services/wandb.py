"""The run in Weights & Biases."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from attnfocus.errors import ConfigError
from attnfocus.events import TrainingEnded, TrainingStarted
from attnfocus.files import short_path
from attnfocus.tracking.scalars import ScalarTracker


class WandB(ScalarTracker):
    """Writes below the run directory (`wandb/`), to be sent later by `wandb sync`; with mode=online it sends at once.

    The figures have the names that they have in TensorBoard, over `step`. A resumed run goes on as the same run.

    Args:
        project: where the run is filed.
        name: of the run; None: that of the run directory.
        group: of runs that belong together, such as the seeds of one configuration.
        tags: words to filter by.
        entity: the user or team; None: the one that is logged in.
        mode: `online` needs a login (`wandb login`, or WANDB_API_KEY), and is never asked for one here.

    Raises:
        ConfigError: the package is missing, or nobody is logged in.
    """

    only_typed: ClassVar[tuple[str, ...]] = ("mode",)

    def __init__(
        self,
        project: str = "attnfocus",
        name: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
        entity: str | None = None,
        mode: Literal["offline", "online"] = "offline",
    ) -> None:
        self._wandb = _package()
        if mode == "online" and not self._wandb.api.api_key:
            raise ConfigError("mode=online: nobody is logged in. Run wandb login, or use mode=offline.")
        self._filed: dict[str, Any] = {"project": project, "group": group, "tags": tags, "entity": entity, "mode": mode}
        self._name = name
        self._run: Any = None
        self._has_ended = False

    def on_start(self, event: TrainingStarted) -> None:
        folder, facts = event.run_dir, event.facts
        with _settings_from_here(folder):
            self._run = self._wandb.init(
                dir=str(folder),
                id=re.sub(r"[^\w-]", "-", folder.name, flags=re.ASCII)[-64:],
                name=self._name or folder.name,
                config={**facts.options, "run_dir": short_path(folder)},
                resume="allow" if self._filed["mode"] == "online" else None,
                settings=self._wandb.Settings(
                    silent=True, console="off", save_code=False, disable_git=True, disable_job_creation=True
                ),
                **self._filed,
            )
        # Own steps: the test split is evaluated at the best one, and a run may go back.
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")
        for metric, direction in facts.directions.items():
            for split in ("valid", "test"):
                self._run.define_metric(f"{split}/{metric}", step_metric="step", summary=f"last,{direction}")

    def on_end(self, event: TrainingEnded) -> None:
        self._has_ended = True
        self._run.summary["reason"] = event.reason

    def close(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.finish(exit_code=0 if self._has_ended else 1)

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        self._run.log({"step": step, **scalars})


def _package() -> Any:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else its own faults are sent to its makers
    try:
        import wandb
    except ImportError:
        wandb = None
    if not hasattr(wandb, "init"):  # also a folder `wandb` here, which Python takes for a package
        raise ConfigError("needs an extra: pip install 'attnfocus[wandb]'.")
    return wandb


@contextmanager
def _settings_from_here(folder: Any) -> Iterator[None]:
    """Its caches and logs go below the run directory too, unless the user has said where."""
    names = [name for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR") if name not in os.environ]
    os.environ.update(dict.fromkeys(names, str(folder)))  # in which it makes the folder wandb
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
