"""Trackers outside of the run directory, each with a package of its own. Each file is one; a `tracker=` YAML names it.

A new one is a file here, a name below, and a YAML under configs/tracker/.
"""

import importlib
from typing import Any

_MODULE_OF = {"MLflow": "mlflow", "WandB": "wandb"}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULE_OF]
