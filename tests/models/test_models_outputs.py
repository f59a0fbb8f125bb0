"""Scores without a gradient are those of a plain output layer, laid out for a CPU's matrix products."""

import pytest
import torch
from torch.nn import functional as F

from attnfocus.models.outputs import untracked_scores


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("vocab_size", [1, 16, 37])
@pytest.mark.parametrize("num_rows", [0, 5])
def test_scores_equal_those_of_a_linear_layer(num_rows, vocab_size, has_bias):
    readout, weight = torch.randn(num_rows, 8), torch.randn(vocab_size, 8)
    bias = torch.randn(vocab_size) if has_bias else None
    with torch.no_grad():
        scores = untracked_scores(readout, weight, bias)
    torch.testing.assert_close(scores, F.linear(readout, weight, bias))
    assert scores.stride(0) * scores.element_size() % 64 == 0 or num_rows == 0


def test_scores_have_the_type_of_autocast():
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert untracked_scores(torch.randn(2, 8), torch.randn(5, 8), None).dtype == torch.bfloat16


def test_scores_keep_a_gradient_where_one_is_followed():
    weight = torch.randn(5, 8, requires_grad=True)
    untracked_scores(torch.randn(2, 8), weight, None).sum().backward()
    assert weight.grad is not None
