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
from attnfocus.focus import shares, token_f1
from attnfocus.tasks.looks import Look

DIRECTIONS: Mapping[str, Direction] = {"plausibility/auprc": "max", "plausibility/token_f1": "max"}


def token_weights(looks: Sequence[Look], num_prepended: int) -> Tensor | None:
    """How the answer weighs each token, (B, L): the mean over heads and queries of the last pooling; without one the
    mean over heads of the last layer's row of cls; None where the model has neither.
    """
    weights = {look.place.kind: look.weights for look in looks}  # of each kind the last
    if "pooling" in weights:
        return weights["pooling"].mean(dim=(1, 2))[:, num_prepended:]
    return weights["self"][:, :, 0, num_prepended:].mean(dim=1) if "self" in weights and num_prepended else None


class Plausibility:
    """AUPRC and token F1 of attention weights against rationales, means over the examples that have one.

    DeYoung et al. 2020 (arXiv:1911.03429, sec. 5). `auprc`: average precision of the tokens ranked by weight; a random
    ranking gets about the share of tokens in rationales. `token_f1`: of the k tokens with most weight, where k is that
    share, mean over the examples, of the input's length.
    """

    def __init__(self, codec: Codec, examples: list[tuple[Tensor, Tensor]] | None = None) -> None:
        self._codec = codec
        self.examples = [] if examples is None else examples  # weights (L,), bool (L,)

    def add(self, rows: Sequence[Row], lengths: Tensor, looks: Sequence[Look], num_prepended: int) -> None:
        """Rows with their inputs' lengths (B,), and where the model looked."""
        if not any(row.rationale for row in rows):
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
        return {
            "plausibility/auprc": math.fsum(precisions) / count,
            "plausibility/token_f1": math.fsum(matches) / count,
        }
