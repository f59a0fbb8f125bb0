"""Metrics of a split's answers, besides those of its task. Each file is one; a `metric=` YAML names its class.

Each is imported when it is first asked for: code of our own imports from the modules.
"""

import importlib
from typing import Any

_MODULE_OF = {
    "Answer": "base",
    "CalibrationError": "calibration_error",
    "MatthewsCorrelation": "matthews_correlation",
    "Metric": "base",
    "TranslationEditRate": "translation_edit_rate",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULE_OF]
