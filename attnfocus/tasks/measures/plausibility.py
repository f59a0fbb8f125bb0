"""Attention weights against human rationales: does the model look where people do?

Shapes: B examples, H heads, Q queries, L tokens of an input.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from attnfocus.data.codecs.base import Codec
from attnfocus.data.rows import Row
from attnfocus.events import Direction
from attnfocus.focus import mass_inside, pointing_game, shares, token_f1
from attnfocus.tasks.looks import Look

MEASURES = ("auprc", "token_f1", "pointing_game", "mass_inside")
DIRECTIONS: Mapping[str, Direction] = {f"plausibility/{name}": "max" for name in MEASURES}


def token_weights(looks: Sequence[Look], num_prepended: int) -> Tensor | None:
    """How the answer weighs each token, (B, L): the mean over heads and queries of the last pooling; without one the
    mean over heads of the last layer's row of cls; None where the model has neither.
    """
    weights = {look.place.kind: look.weights for look in looks}  # of each kind the last
    if "pooling" in weights:
        return weights["pooling"].mean(dim=(1, 2))[:, num_prepended:]
    return weights["self"][:, :, 0, num_prepended:].mean(dim=1) if "self" in weights and num_prepended else None


class Plausibility:
    """Attention weights against rationales, or known regions of an image: means over the examples that have one.

    DeYoung et al. 2020 (arXiv:1911.03429, sec. 5). `auprc`: average precision of the tokens ranked by weight; a random
    ranking gets about the share of tokens in rationales. `token_f1`: of the k tokens with most weight, where k is that
    share, mean over the examples, of the input's length. `pointing_game`, `mass_inside`: see `focus.plausibility`; by
    chance both are about the share of tokens in rationales.
    """

    def __init__(self, codec: Codec, examples: list[tuple[Tensor, Tensor]] | None = None) -> None:
        self._codec = codec
        self.examples = [] if examples is None else examples  # weights (L,), bool (L,)

    def add(self, rows: Sequence[Row], lengths: Tensor, looks: Sequence[Look], num_prepended: int) -> None:
        """Rows with their inputs' lengths (B,), and where the model looked."""
        if not any(row.rationale or row.regions for row in rows):
            return
        of_tokens = token_weights(looks, num_prepended)
        if of_tokens is None:
            return
        scores = shares(of_tokens).cpu()
        for row, length, each in zip(rows, lengths.tolist(), scores, strict=True):
            rationale = self._codec.rationale(row)
            if rationale is not None and any(rationale):
                self.examples.append((each[:length], torch.tensor(rationale)))

    def metrics(self) -> dict[str, float]:
        """Empty where no rationale was known, or no weights to hold against them."""
        if not self.examples:
            return {}
        from torchmetrics.functional.classification import binary_average_precision

        count = len(self.examples)
        share = math.fsum(marked.float().mean().item() for _, marked in self.examples) / count
        precisions = [float(binary_average_precision(scores, marked.long())) for scores, marked in self.examples]
        matches = [token_f1(scores, marked, share=share) for scores, marked in self.examples]
        pointed = [pointing_game(scores, marked) for scores, marked in self.examples]
        inside = [mass_inside(scores, marked) for scores, marked in self.examples]
        found = zip(MEASURES, (precisions, matches, pointed, inside), strict=True)
        return {f"plausibility/{name}": math.fsum(values) / count for name, values in found}
