"""The products of an attention under the rules of AttnLRP, for gradients times inputs that are relevances.

Shapes: ... leading dims, H heads, Q queries, K keys, d, dv sizes of one head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from attnfocus.attention.algebra import Attention
from attnfocus.attention.base import BaseAttention
from attnfocus.attention.memory_changes import changed_memory
from attnfocus.attention.replacement import replaced_weights
from attnfocus.attention.scores.additive import AdditiveScore
from attnfocus.attention.scores.inner_product import DotScore, GeneralScore, NormableScore, ScaledDotScore
from attnfocus.attention.value_norms import output_is_weighed_values

_SCORES = (DotScore, ScaledDotScore, GeneralScore)


def relevance_problem(attention: BaseAttention) -> str | None:
    """Why `halved_products` has no rule for it; None: it has."""
    name = type(attention).__name__
    if not isinstance(attention, Attention) or not output_is_weighed_values(attention) or attention.uses_history:
        return f"{name} does not make its output of weights and values alone"
    if attention.has_own_weights:
        return f"{name} makes its weights in a way of its own"
    score, position = attention.score, attention.position
    if not isinstance(score, (*_SCORES, AdditiveScore)):
        return f"{type(score).__name__} is no plain inner product of query and key"
    if isinstance(score, NormableScore) and (score.qk_norm != "none" or score.soft_cap is not None):
        return f"{type(score).__name__} with qk_norm or soft_cap is no plain inner product"
    if position.reads_inputs or position.reads_scores:
        return f"{type(position).__name__} makes a bias of the inputs"
    return None if attention.normalizer.num_hints == 0 else f"{type(attention.normalizer).__name__} reads the queries"


@contextmanager
def halved_products(attention: BaseAttention) -> Iterator[None]:
    """Within, each factor of weights times values, and of query times key, gets half of the product's gradient.

    The rule of AttnLRP for a product of two inputs: half of its relevance to each   (Achtibat et al. 2024, prop. 3.3,
    arXiv:2402.05602). The normalizer's own gradient is the rule for softmax already (prop. 3.1). An additive score is
    no product of the two, and its tanh passes on all that it gets (eq. 9).

    For a copy of a model (`tasks.probe.own_copy`). `relevance_problem` must be None.
    """
    assert isinstance(attention, Attention)
    score = attention.score
    is_product = not isinstance(score, AdditiveScore)
    of_query = attention.placed

    def halve(keys: Tensor, values: Tensor, first_position: int) -> tuple[Tensor, Tensor]:
        return halved(keys) if is_product else keys, halved(values)

    def placed(query: Tensor, first_position: int) -> Tensor:
        query = of_query(query, first_position)
        return halved(query) if is_product else query

    if isinstance(score, AdditiveScore):
        score.forward = _additive(score)  # type: ignore[assignment,method-assign]
    attention.placed = placed  # type: ignore[method-assign]
    try:
        with changed_memory(attention, halve), replaced_weights(attention, halved):
            yield
    finally:
        del attention.placed
        if not is_product:
            del score.forward


def _additive(score: AdditiveScore) -> Callable[[Tensor, Tensor], Tensor]:
    """The score, whose tanh has the gradient tanh(a) / a. Holds all hidden units at once."""

    def forward(query: Tensor, keys: Tensor) -> Tensor:
        hidden = score.prepare_query(query).unsqueeze(-2) + keys.unsqueeze(-3)  # (..., H, Q, K, h)
        return (passed_on(torch.tanh, hidden) * score.vector[:, None, None]).sum(dim=-1)

    return forward


def passed_on(activation: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """f(x) with the gradient f(x) / x: of relevance x g all is passed on. At 0, which has none, the gradient is 0."""
    with torch.no_grad():
        ratio = torch.where(inputs == 0, 0.0, activation(inputs) / torch.where(inputs == 0, 1.0, inputs))
    return inputs * ratio


def halved(values: Tensor) -> Tensor:
    """The same numbers, with half of their gradient."""
    half = 0.5 * values
    return half + half.detach()
