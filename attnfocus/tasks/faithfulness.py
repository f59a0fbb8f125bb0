"""How far a run's attention weights can be read as an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Faithfulness:
    """What was measured on a sample of a split, and what it comes to.

    Attributes:
        verdict: one or two sentences in plain words, with the numbers that they rest on.
        metrics: `faithfulness/<measure>` -> number; what could not be measured is not there.
        left_out: what could not be measured, and why.
        attentions: the attentions whose weights were tested.
        split, num_examples, num_outputs, seed: of what it was measured.
    """

    verdict: str
    metrics: dict[str, float]
    left_out: tuple[str, ...] = ()
    attentions: tuple[str, ...] = ()
    split: str = "test"
    num_examples: int = 0
    num_outputs: int = 0
    seed: int = 0

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))
