"""Several hypotheses of a sentence, side by side, share its memory.

Shapes: B sentences, k hypotheses of each, K keys, D sizes.
"""

import pytest
import torch

B, COPIES, K, D, STEPS = 3, 4, 7, 8, 3


def random(*shape, seed):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("need_weights", [False, True])
@torch.no_grad()
def test_hypotheses_get_from_a_shared_memory_what_each_gets_from_its_own(preset, build, need_weights):
    attention = build(preset)
    if attention.same_sequence_only:
        pytest.skip("its queries have places in the sequence of the keys")
    keys, mask = random(B, K, D, seed=1), (torch.arange(K) < torch.tensor([[7], [4], [1]])).unsqueeze(1)
    shared = attention.prepare(keys, mask=mask)
    own = attention.prepare(keys.repeat_interleave(COPIES, 0), mask=mask.repeat_interleave(COPIES, 0))
    history = expected_history = attention.start(own)
    for number in range(STEPS):
        query = random(B * COPIES, 1, D, seed=2 + number)
        context, weights, history = attention.advance(query, shared, history, need_weights)
        expected, expected_weights, expected_history = attention.advance(query, own, expected_history, need_weights)
        torch.testing.assert_close(context, expected)
        torch.testing.assert_close(weights, expected_weights)
    torch.testing.assert_close(history, expected_history)
