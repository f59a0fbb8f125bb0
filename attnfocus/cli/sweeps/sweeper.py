"""The loop of a search: asks the study for trials, has Hydra's launcher run them as jobs, tells what became of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from attnfocus.cli.sweeps.jobs import announce_launch, as_composed, launching

if TYPE_CHECKING:
    from attnfocus.commands.sweep.search.options import SearchPlan


class SearchSweeper(Sweeper):
    """A thin sweeper on Optuna's ask and tell; `hydra_plugins` makes it known to Hydra.

    The command line has checked its options and made the plan before Hydra makes the sweeper.
    """

    checked: "SearchPlan | None" = None  # carried past Hydra, which has no way for it

    def __init__(self, **options: Any) -> None:
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Runs trials until the study has `n_trials` that have ended; the plan knows the command line's `arguments`."""
        from attnfocus.commands.sweep.search.study_run import running_search, tell_of
        from attnfocus.commands.sweep.sweep import write_composed

        plan = self.checked
        if plan is None:
            raise RuntimeError("this sweeper is a part of `attnfocus train -m`")
        assert self.config is not None
        sweep_dir = Path(self.config.hydra.sweep.dir)
        sweep_dir.mkdir(parents=True, exist_ok=True)
        with running_search(plan, sweep_dir) as search:
            write_composed(sweep_dir, as_composed(self.config))  # of no search that was refused
            announce_launch(self.config)
            while numbers := search.next_trials():
                for batch in consecutive(numbers):
                    self.launch([search.overrides(number) for number in batch], batch[0])
                    tell_of(search, batch)

    def launch(self, overrides: Sequence[Sequence[str]], first: int) -> None:
        assert self.launcher is not None
        assert self.config is not None
        self.validate_batch_is_legal(overrides)
        with launching(self.config):
            for result in self.launcher.launch(overrides, initial_job_idx=first):
                _ = result.return_value  # raises what the job could not record itself


def consecutive(numbers: Sequence[int]) -> Iterator[list[int]]:
    """[2, 5, 6] -> [2], [5, 6]: a launcher counts its jobs on from the first."""
    batch: list[int] = []
    for number in numbers:
        if batch and number != batch[-1] + 1:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
