"""The command line. Importing it loads neither torch nor Hydra: help and version answer at once."""

from attnfocus.cli.main import main

__all__ = ["main"]
