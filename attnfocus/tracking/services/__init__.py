"""Trackers outside of the run directory, each with a package of its own. Each file is one; a `tracker=` YAML names it.

A new one is a file here, a name below, and a YAML under configs/tracker/.
"""

from attnfocus.late_names import late_names

_NAMES = {"mlflow": ("MLflow",), "wandb": ("WandB",)}

__all__, __getattr__, __dir__ = late_names(__name__, _NAMES)
