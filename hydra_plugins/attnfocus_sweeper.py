"""The sweeper of `attnfocus train -m`. It stands here because Hydra makes sweepers of this package alone."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser


class AttnfocusSweeper(BasicSweeper):
    """Hydra's basic sweeper, which writes every job down before the first starts, and leaves out those that are done.

    Its options are those of Hydra's own (`max_batch_size`, `params`).
    """

    def sweep(self, arguments: list[str]) -> Any:
        """Launches every combination of the overrides whose folder holds no finished run."""
        from attnfocus.cli.sweeps.jobs import announce_launch, launching, plan_jobs

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        loader = self.hydra_context.config_loader
        overrides = OverridesParser.create(config_loader=loader).parse_overrides([*self._parse_config(), *arguments])
        batches = self.split_arguments(overrides, None)
        jobs = plan_jobs(self.config, [job for batch in batches for job in batch])
        returned: list[Sequence[Any]] = []
        announce_launch(self.config)
        for batch in self.split_overrides_to_chunks(jobs, self.max_batch_size) if jobs else ():
            with launching(self.config):
                results = self.launcher.launch(batch, initial_job_idx=sum(map(len, returned)))
                for result in results:
                    _ = result.return_value  # raises what a job could not write down
            returned.append(results)
        return returned
