"""How focused attention weights are, one number per query, and means that padding cannot fool.

Shapes: ... leading dims (batch and heads), Q queries, K keys. Masks are bool, True = may attend, broadcastable to
the weights themselves, head axis included: a padding mask (batch, 1, K) is passed as (batch, 1, 1, K).

Weights are divided by their sum first, so that the measures also hold for weights that do not sum to 1 (a sigmoid
normalizer) and for rounded ones (half precision). Weights below 0 (differential attention, Linformer) count by
their size: a key that is subtracted is looked at too. A query with nothing to attend measures 0, and should be left out
of a mean: `attends` tells which queries those are.
"""

import torch
from torch import Tensor


def shares(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Weights divided by their sum, what is masked exactly 0; all 0 where nothing is attended. (..., Q, K) -> same."""
    return shares_and_totals(weights, mask)[0]


def shares_and_totals(weights: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`shares` and `total_weight`, in one."""
    visible = _visible(weights, mask)
    total = visible.sum(dim=-1, keepdim=True)
    return visible / torch.where(total > 0, total, 1.0), total.squeeze(-1)


def total_weight(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """sum_j |weight_j|, what is attended at all: 1 where weights are distributions. (..., Q, K) -> (..., Q).

    The one measure that sees what `shares` divides by: the part that a sink keeps, or a stick that is left.
    """
    return _visible(weights, mask).sum(dim=-1)


def num_positions(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """How many keys each query may attend to. weights (..., Q, K) -> (..., Q) float."""
    if mask is None:
        size = float(weights.shape[-1])
        return torch.full(weights.shape[:-1], size, dtype=measured_dtype(weights), device=weights.device)
    return mask.expand(weights.shape).sum(dim=-1, dtype=measured_dtype(weights))


def attends(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Queries whose weights are not all 0. weights (..., Q, K) -> bool (..., Q)."""
    return (_visible(weights, mask) > 0).any(dim=-1)


def entropy(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """-sum_j p_j ln p_j in nats, with 0 ln 0 = 0, from 0 (one key) to ln(num_positions). (..., Q, K) -> (..., Q)."""
    return entropy_of_shares(shares(weights, mask))


def entropy_of_shares(parts: Tensor) -> Tensor:
    """`entropy` of weights that `shares` has made."""
    # Not special.entr, whose slope is infinite at 0: regularizers follow the gradient of this.
    return -(parts * parts.clamp_min(torch.finfo(parts.dtype).tiny).log()).sum(dim=-1)


def normalized_entropy(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """entropy / ln(num_positions): 0 one key, 1 all alike. 0 where there is but one key. (..., Q, K) -> (..., Q)."""
    most = num_positions(weights, mask).log()
    return torch.where(most > 0, entropy(weights, mask) / torch.where(most > 0, most, 1.0), 0.0)


def effective_positions(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """exp(entropy): over how many keys the weight is spread, from 1 to num_positions. (..., Q, K) -> (..., Q).

    Equal weights on n keys measure n. Known as perplexity, and as the Hill number of order 1 (Hill 1973).
    """
    return torch.where(attends(weights, mask), entropy(weights, mask).exp(), 0.0)


def inverse_simpson(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """1 / sum_j p_j^2, from 1 to num_positions; at most effective_positions. (..., Q, K) -> (..., Q).

    The Hill number of order 2 (Simpson 1949; Hill 1973): small weights on many keys hardly count.
    """
    squares = shares(weights, mask).square().sum(dim=-1)
    return torch.where(squares > 0, 1 / torch.where(squares > 0, squares, 1.0), 0.0)


def top_k_mass(weights: Tensor, mask: Tensor | None = None, *, k: int = 1) -> Tensor:
    """Share of the weight on the k keys that have most, from k / num_positions to 1. (..., Q, K) -> (..., Q).

    Raises:
        ValueError: k < 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    parts = shares(weights, mask)
    top = parts.amax(dim=-1) if k == 1 and parts.shape[-1] else parts.topk(min(k, parts.shape[-1]), dim=-1)[0].sum(-1)
    return top.clamp(max=1.0)  # shares add up to 1 but for rounding


def sum_over_queries(measure: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(sum, count) over valid queries, to be added up over batches and divided once at the end.

    Args:
        measure: (..., Q), out of a function above.
        valid: bool, broadcastable to it: False for padded queries, and those that attend to nothing. None: all.
    """
    if valid is None:
        return measure.sum(), torch.tensor(measure.numel(), device=measure.device)
    valid = valid.expand(measure.shape)
    return torch.where(valid, measure, 0.0).sum(), valid.sum()


def mean_over_queries(measure: Tensor, valid: Tensor | None = None) -> Tensor:
    """The mean over valid queries (see `sum_over_queries`), NaN if there are none."""
    total, count = sum_over_queries(measure, valid)
    return total / count


def measured_dtype(weights: Tensor) -> torch.dtype:
    """What weights are measured in: float64 as they are, all others in float32."""
    return torch.float64 if weights.dtype == torch.float64 else torch.float32


def _visible(weights: Tensor, mask: Tensor | None) -> Tensor:
    weights = weights.to(measured_dtype(weights)).abs()
    return weights if mask is None else weights.masked_fill(~mask, 0.0)
