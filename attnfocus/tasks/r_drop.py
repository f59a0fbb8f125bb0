"""R-Drop: two passes over the same examples, of which dropout makes two models, must agree.

Shapes: N targets (examples, or real target tokens), C classes or target vocabulary.
"""

from __future__ import annotations

from torch import Tensor

from attnfocus.tasks.gather import at_least_float32


def r_drop_loss(losses: Tensor, logits: Tensor, alpha: float) -> Tensor:
    """1/2 sum over targets of L_1 + L_2 + alpha/2 [KL(P_1 || P_2) + KL(P_2 || P_1)], a scalar.

    Liang et al. 2021 (arXiv:2106.14448), eq. 4, halved: alpha weighs what it does there, and the loss stays as large as
    that of one pass.

    Args:
        losses: of the targets of a batch made by `noise.twice`, all of the first pass before all of the second, (2N,).
        logits: what P_1 and P_2 are the softmax of, (2N, C).
    """
    first, second = at_least_float32(logits).log_softmax(dim=-1).chunk(2)
    divergences = ((first.exp() - second.exp()) * (first - second)).sum(dim=-1)  # both directions at once, (N,)
    return (losses.sum() + alpha / 2 * divergences.sum()) / 2
