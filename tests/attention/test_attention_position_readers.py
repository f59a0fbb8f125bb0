"""Positions that read the inputs or the scores: what they are in cases that are known.

Shapes: B items, H heads, K keys, D sizes. float64.
"""

import pytest
import torch
from position_trials import filled, random

from attnfocus.attention import (
    AlibiPosition,
    Attention,
    CausalPattern,
    ContextualPosition,
    ForgettingPosition,
    FullPattern,
    Places,
    ScaledDotScore,
    TransformerXLAttention,
)

B, K, D, H = 2, 7, 12, 3


def attention_with(position, pattern):
    return filled(Attention(D, D, score=ScaledDotScore, num_heads=H, position=position, pattern=pattern))


@pytest.mark.parametrize("pattern", [FullPattern, CausalPattern])
@torch.no_grad()
def test_gates_that_never_change_are_alibi(pattern):
    """Of 3 heads, whose slopes are m_h: f = exp(-m_h) wherever, so that the sum of n logarithms is -m_h n."""
    forgetting, alibi = (attention_with(position, pattern) for position in (ForgettingPosition, AlibiPosition))
    slopes = alibi.position.slopes(torch.device("cpu"), torch.float64).flatten()
    own = {name: each for name, each in forgetting.state_dict().items() if not name.startswith("position.")}
    alibi.load_state_dict(own)
    forgetting.position.gate.weight.zero_()
    forgetting.position.gate.bias.copy_(-torch.log(torch.expm1(slopes)))  # sigmoid of it is exp(-slope)
    sequence = random(B, K, D)
    for one, other in zip(*(each(sequence, sequence, None, None, True) for each in (forgetting, alibi)), strict=True):
        torch.testing.assert_close(one, other)


@torch.no_grad()
def test_scores_far_below_zero_count_nothing_and_far_above_count_every_key():
    """Scores of 40: each key between counts 1, the positions of the paper's "relative" case; of -40: none counts."""
    scores, offsets = torch.full((1, 1, K, K), 40.0), Places.of(K, K, torch.device("cpu")).offsets
    counted = ContextualPosition.counts(scores, None, offsets)[0, 0]
    torch.testing.assert_close(counted, offsets.abs() + 1.0)
    assert ContextualPosition.counts(-scores, None, offsets).max() < 1e-9
    assert ContextualPosition.counts(scores, offsets == 1, offsets)[0, 0, 0].tolist() == [0.0, *(K - 1) * [1.0]]


def test_what_transformer_xl_cannot_take_is_refused():
    with pytest.raises(ValueError, match="no gradient into those of an earlier segment: use attention/position="):
        TransformerXLAttention(D, D, score=ScaledDotScore, position=ForgettingPosition)
