"""One query over key heads that are shared, without a copy of them.

Shapes: ... leading dims, H heads, G key heads, K keys, d, dv sizes. Masks are bool, True = may attend.
"""

from torch import Tensor

from attnfocus.attention.normalizers.softmax import Softmax
from attnfocus.attention.paths.choose import choose
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.protocol import Call, Work
from attnfocus.attention.paths.sdpa import masked
from attnfocus.attention.patterns.dense import FullPattern


def shares_keys(attention: Algebra, work: Work) -> bool:
    """Whether `over_shared_keys` can compute this: one query, which sees all that the mask lets it, by a fused kernel.

    Keys and values of the work have G heads.
    """
    query, keys, _, mask, _ = work
    if query.shape[-2] != 1 or keys.shape[-3] == query.shape[-3] or (mask is not None and mask.shape[-3] > 1):
        return False
    sees_all = attention.pattern.is_causal or isinstance(attention.pattern, FullPattern)
    is_plain = type(attention.normalizer) is Softmax and next(attention.score.parameters(), None) is None
    return (
        sees_all
        and is_plain
        and not attention.position.has_bias
        and choose(attention, Call.of(work, need_weights=False)).name == "sdpa"
    )


def over_shared_keys(attention: Algebra, work: Work, dropout: float) -> Tensor:
    """Context (..., H, 1, dv): the heads of a group are queries of the key head that they share."""
    rows = work.query.squeeze(-2).unflatten(-2, (work.keys.shape[-3], -1))  # (..., G, H / G, d)
    return masked(attention, work._replace(query=rows), None, dropout).flatten(-3, -2).unsqueeze(-2)
