"""Hydra makes sweepers that are classes of this package alone; all of this one is in `attnfocus.cli.sweeps.sweeper`."""

from attnfocus.cli.sweeps.sweeper import SearchSweeper


class OptunaSweeper(SearchSweeper):
    """`hydra/sweeper=optuna`."""
