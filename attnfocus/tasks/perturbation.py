"""What training does to a batch before a model sees it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from attnfocus.data.batches import Batch
from attnfocus.errors import ConfigError
from attnfocus.special import PAD, UNK
from attnfocus.tasks.evaluation import at_least_float32


def seen_in_training(batch: Batch, *, word_dropout: float, r_drop: float) -> Batch:
    """The batch itself if both rates are 0; else twice if R-Drop compares two passes, and with words left out."""
    seen = twice(batch) if r_drop else batch
    return drop_words(seen, word_dropout) if word_dropout else seen


def twice(batch: Batch) -> Batch:
    """Every example two times: one pass over it is two passes with different dropout (Liang et al. 2021, sec. 2.3)."""
    lengths = batch.target_lengths
    return replace(
        batch,
        ids=batch.ids * 2,
        rows=batch.rows * 2,
        inputs=torch.cat((batch.inputs, batch.inputs)),
        input_lengths=torch.cat((batch.input_lengths, batch.input_lengths)),
        targets=torch.cat((batch.targets, batch.targets)),
        target_lengths=None if lengths is None else torch.cat((lengths, lengths)),
        num_words=2 * batch.num_words,
        target_counts=batch.target_counts * 2,
        packing=None if batch.packing is None else batch.packing.twice(),
    )


def drop_words(batch: Batch, rate: float) -> Batch:
    """Each input token becomes UNK with probability `rate`, by itself.

    Word tokens are drawn as in Iyyer et al. 2015 (P15-1162, sec. 3.1), which leaves them out; UNK in their place, as in
    Bowman et al. 2016 (arXiv:1511.06349, sec. 3.1), keeps positions and lengths, and trains the vector of UNK. Not the
    word types of Gal & Ghahramani 2016.

    Raises:
        ConfigError: the inputs are vectors.
    """
    if batch.inputs.is_floating_point():
        raise ConfigError("trainer.word_dropout: the inputs of this dataset are vectors, not tokens. Use 0.")
    is_dropped = torch.rand(batch.inputs.shape, device=batch.inputs.device) < rate
    return replace(batch, inputs=batch.inputs.masked_fill(is_dropped & (batch.inputs != PAD), UNK))


def r_drop_loss(losses: Tensor, logits: Tensor, alpha: float) -> Tensor:
    """1/2 sum over targets of L_1 + L_2 + alpha/2 [KL(P_1 || P_2) + KL(P_2 || P_1)], a scalar.

    Liang et al. 2021 (arXiv:2106.14448), eq. 4, halved: alpha weighs what it does there, and the loss stays as large as
    that of one pass.

    Args:
        losses: of the targets of a batch made by `twice`, all of the first pass before all of the second, (2N,).
        logits: what P_1 and P_2 are the softmax of, (2N, C).
    """
    first, second = at_least_float32(logits).log_softmax(dim=-1).chunk(2)
    divergences = ((first.exp() - second.exp()) * (first - second)).sum(dim=-1)  # both directions at once, (N,)
    return (losses.sum() + alpha / 2 * divergences.sum()) / 2
