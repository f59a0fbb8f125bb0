"""attnfocus: train attention models from composed configuration, and look at where they look.

    run = attnfocus.load("outputs/DATE/RUN")
    run.evaluate("test").metrics
    [prediction.text for prediction in run.predict(["May 3, 1999"])]

The attention classes are in `attnfocus.attention`, the measures of focus in `attnfocus.focus`; both work on their own.
"""

from typing import TYPE_CHECKING, Any

from attnfocus.local_packages import find_named
from attnfocus.version import __version__

find_named()

if TYPE_CHECKING:
    from attnfocus.runs.run import Run as Run
    from attnfocus.runs.run import load as load

__all__ = ["Run", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # Late, so that the command line answers `--help` without torch.
    if name in ("Run", "load"):
        from attnfocus.runs import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
