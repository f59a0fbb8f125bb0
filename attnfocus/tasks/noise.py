"""What training does to a batch before a model sees it."""

from __future__ import annotations

from dataclasses import replace

import torch

from attnfocus.data.batches import Batch
from attnfocus.errors import ConfigError
from attnfocus.special import PAD, UNK


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
        num_targets=2 * batch.num_targets,
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
