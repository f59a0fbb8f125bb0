"""What measuring focus costs: the share of the training time that the measures of each evaluation add.

`python scripts/focus_cost.py model=transformer`: two epochs of `attnfocus train`. After each, valid is evaluated by
turns as usual and without measures (no weights asked for, so that fused kernels may run; no alignment error rate, no
plausibility). Prints the difference of the medians in CPU seconds, which other programs on the machine hardly change,
and its share of the second epoch with its evaluation.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from torch import nn

from attnfocus.cli import main as attnfocus
from attnfocus.commands.train import command as train
from attnfocus.focus import AlignmentCounts
from attnfocus.models import Model
from attnfocus.runs import evaluation
from attnfocus.tasks import Evaluation
from attnfocus.tasks.measures.focus import FocusTable

MEASURING = (
    "translation.FocusMeans",
    "translation.AlignmentErrors",
    "classification.FocusMeans",
    "measures.plausibility.Plausibility",
)


class Nothing:
    """In the place of what measures weights."""

    parts: ClassVar[dict[str, Any]] = {}
    examples: ClassVar[list[Any]] = []
    counts = AlignmentCounts()

    def __init__(self, *_: object) -> None: ...
    def add(self, *_: object) -> None: ...
    def table(self) -> FocusTable:
        return FocusTable(())

    def metrics(self) -> dict[str, float]:
        return {}


@contextlib.contextmanager
def unmeasured(model: nn.Module) -> Iterator[None]:
    """Evaluations ask this model for no weights, and measure none."""
    forward = model.forward

    def without_weights(*inputs: Any, need_weights: bool = False) -> Any:
        return forward(*inputs)

    with contextlib.ExitStack() as stack:
        for name in MEASURING:
            stack.enter_context(patch(f"attnfocus.tasks.{name}", Nothing))
        stack.enter_context(patch.object(model, "forward", without_weights))
        yield


class Clock:
    """In the place of `validate`: evaluates by turns with and without measures, and notes CPU seconds."""

    def __init__(self, pairs: int) -> None:
        self.usual = evaluation.validate
        self.pairs = pairs
        self.measured: list[float] = []
        self.bare: list[float] = []
        self.epochs: list[float] = []
        self.left_at: float | None = None

    def __call__(self, setup: Any, task: Any, model: Model, prepared: Any, processes: Any = None) -> Evaluation:
        if self.left_at is not None:
            self.epochs.append(time.process_time() - self.left_at)
        evaluation = self.usual(setup, task, model, prepared)  # the first loads what evaluations need
        for _ in range(self.pairs):
            with unmeasured(model):
                self.bare.append(self.seconds(setup, task, model, prepared))
            self.measured.append(self.seconds(setup, task, model, prepared))
        self.left_at = time.process_time()
        return evaluation

    def seconds(self, *arguments: Any) -> float:
        began = time.process_time()
        self.usual(*arguments)
        return time.process_time() - began


def measure(overrides: Sequence[str], pairs: int, run: Path) -> tuple[float, float, float]:
    """CPU seconds of an epoch's training, of an evaluation without measures, and of what measures add to it.

    Raises:
        SystemExit: the run failed, and has said why.
    """
    clock = Clock(pairs)
    with contextlib.redirect_stdout(sys.stderr), patch.object(train, "validate", clock):
        code = attnfocus(["train", *overrides, "trainer.max_epochs=2", "trainer.max_steps=null", f"run_dir={run}"])
    if code:
        raise SystemExit(code)
    bare = statistics.median(clock.bare)
    added = statistics.median(one - other for one, other in zip(clock.measured, clock.bare, strict=True))
    return clock.epochs[0], bare, added


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--pairs", type=int, default=3, help="evaluations of each kind per epoch (default: %(default)s)"
    )
    parser.add_argument("overrides", nargs="*", help="as for attnfocus train")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="attnfocus-cost-") as folder:
        epoch, bare, added = measure(given.overrides, given.pairs, Path(folder, "run"))
    print(f"CPU seconds: {epoch:.1f} of training an epoch, {bare:.2f} of an evaluation, {added:+.2f} of its measures")
    print(f"measuring focus adds {added / (epoch + bare):+.2%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
