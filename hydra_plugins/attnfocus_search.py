"""Hydra makes sweepers that are classes of this package alone; all of this one is in `attnfocus.cli.sweeper`."""

from attnfocus.cli.sweeper import SearchSweeper


class OptunaSweeper(SearchSweeper):
    """`hydra/sweeper=optuna`."""
