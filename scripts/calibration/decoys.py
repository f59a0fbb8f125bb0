"""Attention that looks elsewhere than at what decides, and where training guides the weights to.

Shapes: ... leading dims, H heads, Q queries, K keys, d sizes of one query or key; B rows, L positions, C classes.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from attnfocus.attention import AdditiveScore, Score
from attnfocus.models import PoolingClassifier
from attnfocus.models.lengths import length_mask, with_a_position
from attnfocus.models.outputs import ClassifierOutput
from attnfocus.models.pooling import mean_pooling
from calibration.planted import MARKERS, PlantedRow

# none: as it is learned. guided_...: a term of the loss draws the weights to the evidence, to the marker, to the first
# position, or one position behind the evidence. constant: most weight on the first position. uniform: all alike.
# random: a frozen score drawn at random. inverted, shifted: a learned score, then its negative or that of the position
# before, frozen, while all else is trained on.
Decoy = Literal[
    "none",
    "guided_right",
    "guided_marker",
    "guided_first",
    "guided_next",
    "constant",
    "uniform",
    "random",
    "inverted",
    "shifted",
]
DECOYS: tuple[Decoy, ...] = get_args(Decoy)
TURNED: tuple[Decoy, ...] = ("inverted", "shifted")
_SHARE = 4.0  # score of the first position in `constant`: 0.86 of the weight of 10 positions
_SPREAD = 8.0  # factor of a random score: some words have much of the weight


class FixedScore(Score):
    """The same score for all inputs: of the first position `first`, of all others 0."""

    first = 0.0

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        scores = query[..., :1] * 0 + (keys[..., :1] * 0).transpose(-1, -2)  # (..., H, Q, K)
        scores[..., :1] += self.first
        return scores


class FirstScore(FixedScore):
    """Nearly all weight on the first position."""

    first = _SHARE


class RandomScore(AdditiveScore):
    """An additive score that is drawn at random and never learned."""

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():
            self.vector.mul_(_SPREAD)
            self.bias.normal_()
        for parameter in self.parameters():
            parameter.requires_grad_(False)


class TurnedScore(AdditiveScore):
    """An additive score; once `turned` is set, its negative, or that of the position before.

    Attributes:
        turned: what is done to the score; None: nothing.
    """

    turned: Decoy | None = None

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        scores = super().forward(query, keys)
        if self.turned == "inverted":
            return -scores
        if self.turned == "shifted":
            return torch.cat((scores[..., :1], scores[..., :-1]), dim=-1)
        return scores


class ParallelMean(PoolingClassifier):
    """Attention pooling beside the mean of all positions, which can do all that is needed."""

    def forward(self, inputs: Tensor, lengths: Tensor, need_weights: bool = False) -> ClassifierOutput:
        inputs = with_a_position(inputs)
        mask = length_mask(lengths, inputs.shape[1])
        embedded = self.position(self.embedding(inputs, mask))
        pooled, weights = self.pooling(embedded, mask, need_weights)
        logits = self.output(pooled + mask.sum(dim=1, keepdim=True) * mean_pooling(embedded, mask))
        return ClassifierOutput(logits, {} if weights is None else {"pooling": weights})


def turn(model: torch.nn.Module, decoy: Decoy) -> None:
    """Turns the scores of a model, which are not trained on."""
    for module in model.modules():
        if isinstance(module, TurnedScore):
            module.turned = decoy
            for parameter in module.parameters():
                parameter.requires_grad_(False)


def guided_to(decoy: Decoy, row: PlantedRow) -> tuple[tuple[int, ...], ...]:
    """Of each output of a row the positions to which the weights are drawn; none of an output that has no such."""
    if decoy == "guided_right":
        return row.evidence
    if decoy == "guided_next":
        return tuple(tuple((place + 1) % len(row.words) for place in places) for places in row.evidence)
    if decoy == "guided_first":
        return ((0,),) * len(row.outputs)
    if decoy == "guided_marker":
        return (tuple(place for place, word in enumerate(row.words) if word in MARKERS),) * len(row.outputs)
    return ((),) * len(row.outputs)
