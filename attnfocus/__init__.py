"""attnfocus: train attention models from composed configuration, and look at where they look.

    run = attnfocus.train(model="seq2seq", attention="additive", overrides=["trainer.max_epochs=5"])
    run = attnfocus.load("outputs/DATE/RUN")
    run.evaluate("test").metrics
    run.predict("May 3, 1999").text

`docs/python.md` shows it all. The attention classes are in `attnfocus.attention`, the measures of focus in
`attnfocus.focus`; both work on their own.
"""

from typing import TYPE_CHECKING

from attnfocus.late_names import late_names
from attnfocus.local_packages import find_named
from attnfocus.version import __version__

find_named()

if TYPE_CHECKING:
    from attnfocus.cli.library import train as train
    from attnfocus.runs.frames import to_pandas as to_pandas
    from attnfocus.runs.loader import load as load
    from attnfocus.runs.run import Run as Run

# Late, so that the command line answers `--help` without torch.
_late, __getattr__, __dir__ = late_names(
    __name__, {"cli.library": ["train"], "runs.frames": ["to_pandas"], "runs.run": ["Run"], "runs.loader": ["load"]}
)
__all__ = ["__version__", *_late]
