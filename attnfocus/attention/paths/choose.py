"""Which path runs: the first of those that can, in the order of their speed."""

from importlib.util import find_spec

import torch

from attnfocus.attention.normalizers.softmax import Softmax, is_softmax
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.protocol import Call, PathChoice, PathName
from attnfocus.attention.patterns.dense import FullPattern
from attnfocus.attention.precision import is_widened

# How many times fewer blocks than there are make up for gathering them, against a fused kernel over all keys with a
# mask (measured on CPUs: the two are even at 3 to 6 times fewer).
BLOCKS_WIN_AT = 4
# Queries times keys below which a mask or bias of that size is no burden, and a kernel not worth its compilation.
FLEX_FROM = 2**20
FLEX_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
FLEX_MIN_SIZE = 16  # numbers in a query or value of a head: the least that a GPU's matrix units multiply
IN_FLOAT32 = ", here in float32: on a CPU it takes several times as long in half precision"


def choose(attention: Algebra, call: Call) -> PathChoice:
    """The path for a call. It does not look at the data, so it can be told before the first batch.

    Raises:
        ValueError: the path that was asked for cannot run this call.
    """
    wanted = attention.wanted_path
    if call.need_weights:
        return PathChoice("plain", "weights were asked for, and no other path holds them")
    if wanted != "auto":
        reason = why_not(attention, wanted, call)
        if reason is not None:
            raise ValueError(f"path={wanted} cannot run here: {reason}. Use path=auto.")
        return PathChoice(wanted, f"attention.path={wanted}")
    if attention.uses_history:
        return PathChoice("plain", _one_by_one(attention))
    if call.second_order and why_not(attention, "sdpa") is None:
        return PathChoice("plain", "gradients of gradients are asked for, and fused kernels have none")
    if call.device == "cuda" and _is_dense(attention, call) and why_not(attention, "flex", call) is None:
        return PathChoice("flex", f"{_dense_part(attention)} at this length costs less inside a compiled kernel")
    reason = why_not(attention, "sdpa")
    blocks = _blocks(attention, call)
    if blocks is not None and blocks[0] * (1 if reason else BLOCKS_WIN_AT) < blocks[1]:
        pattern = type(attention.pattern).__name__
        return PathChoice("chunked", f"{pattern} goes by blocks, {blocks[0]} of {blocks[1]} for each query")
    if reason is None:
        score, normalizer = type(attention.score).__name__, type(attention.normalizer).__name__
        reason = f"{score} with {normalizer} is what scaled_dot_product_attention computes"
        return PathChoice("sdpa", reason + (IN_FLOAT32 if is_widened(call.device, call.dtype) else ""))
    if (call.num_queries or 0) * (call.num_keys or 0) * call.num_rows > attention.max_weights:
        return PathChoice("chunked", f"{reason}, and its weights would not fit well in memory")
    return PathChoice("plain", reason)


def why_not(attention: Algebra, path: PathName, call: Call | None = None) -> str | None:
    """Why a path cannot compute this attention, or None.

    Args:
        call: the call, where it is known; without it only what holds on every device is looked at.
    """
    if path in ("auto", "plain"):
        return None
    if attention.uses_history:
        return _one_by_one(attention)
    if path == "chunked":
        return None  # where it takes a fused kernel inside, and gradients of gradients are asked for, that one says so
    if attention.has_own_weights:
        return f"{type(attention).__name__} makes its weights in a way of its own"
    if not attention.score.is_inner_product:
        return f"{type(attention.score).__name__} is no inner product of query and key"
    if attention.score.bends_scores_by is not None:
        return f"{attention.score.bends_scores_by} bends the scores, which the fused kernel never shows"
    if not is_softmax(attention.normalizer) or (path == "flex" and not isinstance(attention.normalizer, Softmax)):
        return f"the fused kernel normalizes by softmax, not by {type(attention.normalizer).__name__}"
    if attention.position.adds_to_values:
        return f"{type(attention.position).__name__} adds to the values by the offset, which no fused kernel does"
    for factor, reads_scores in (
        (attention.pattern, attention.pattern.is_selective),
        (attention.position, attention.position.reads_scores),
    ):
        if reads_scores:
            return f"{type(factor).__name__} looks at the scores, which the fused kernel never shows"
    if call is not None and call.second_order:
        return "gradients of gradients are asked for, and its fused kernel has none; path=plain has"
    return _why_not_flex(attention, call) if path == "flex" else None


def _why_not_flex(attention: Algebra, call: Call | None) -> str | None:
    if attention.position.reads_inputs:
        return (
            f"the bias of {type(attention.position).__name__} depends on the inputs, FlexAttention's on offsets alone"
        )
    if attention.position.bias_needs_query:
        return f"the bias of {type(attention.position).__name__} depends on the query, FlexAttention's on offsets alone"
    if attention.dropout_now > 0:
        return f"FlexAttention drops no weights, and dropout is {attention.dropout}"
    value_size = attention.key_head_dim if attention.has_projections else attention.output_dim
    smallest = min(attention.query_head_dim, value_size)
    if smallest < FLEX_MIN_SIZE:
        return f"FlexAttention needs heads of {FLEX_MIN_SIZE} numbers or more, not {smallest}"
    if call is None:
        return None
    if call.device != "cuda":
        return f"FlexAttention is compiled for cuda alone, and the device is {call.device}"
    if find_spec("triton") is None:
        return "FlexAttention is compiled by triton, which is not installed"
    if call.dtype not in (None, *FLEX_DTYPES):
        return f"FlexAttention computes in float32, bfloat16 or float16, not in {str(call.dtype).split('.')[-1]}"
    return None


def _one_by_one(attention: Algebra) -> str:
    return f"{type(attention).__name__} takes its queries one by one, as each looks at the weights before it"


def _is_dense(attention: Algebra, call: Call) -> bool:
    """True where scaled_dot_product_attention would get a mask or bias with a number for each query and key."""
    if (call.num_queries or 0) * (call.num_keys or 0) < FLEX_FROM:
        return False
    if attention.position.has_bias:
        return True
    fused = attention.pattern.is_causal and not call.has_mask and call.num_queries == call.num_keys
    return not fused and not isinstance(attention.pattern, FullPattern)


def _dense_part(attention: Algebra) -> str:
    return f"what {type(attention.position if attention.position.has_bias else attention.pattern).__name__} says"


def _blocks(attention: Algebra, call: Call) -> tuple[int, int] | None:
    """How many blocks of keys a block of queries looks into, and how many there are; None: it does not go by blocks."""
    size = attention.pattern.block_size
    if size is None or call.num_queries is None or call.num_queries != call.num_keys:
        return None
    num_blocks = -(-call.num_queries // size)
    table = attention.pattern.blocks(num_blocks)
    return None if table is None else (table.shape[1], num_blocks)
