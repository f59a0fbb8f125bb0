"""Which path runs: the first of those that can, in the order of their speed."""

from typing import TYPE_CHECKING

from attnfocus.attention.normalizers import Softmax
from attnfocus.attention.paths.work import Call, PathChoice, PathName

if TYPE_CHECKING:
    from attnfocus.attention.attention import Attention

# Weights (all leading dims, heads, queries, keys) above which they are not held: 256 MiB in float32.
MAX_WEIGHTS = 2**26


def choose(attention: "Attention", call: Call) -> PathChoice:
    """The path for a call. It does not look at the data, so it can be told before the first batch."""
    name = type(attention).__name__
    if call.need_weights:
        return PathChoice("plain", "weights were asked for, and no other path holds them")
    if attention.wanted_path != "auto" and attention.wanted_path != "chunked":
        return PathChoice(attention.wanted_path, f"attention.path={attention.wanted_path}")
    if attention.uses_history:
        return PathChoice("plain", f"{name} takes its queries one by one, as each looks at the weights before it")
    if attention.wanted_path == "chunked":
        return PathChoice("chunked", "attention.path=chunked")
    if _goes_by_blocks(attention, call):
        return PathChoice("chunked", f"{type(attention.pattern).__name__} goes by blocks, fewer than there are")
    reason = why_not(attention, "sdpa")
    if reason is None:
        score = type(attention.score).__name__
        return PathChoice("sdpa", f"{score} with Softmax is what scaled_dot_product_attention computes")
    if not attention.uses_history and (call.num_queries or 0) * (call.num_keys or 0) * call.num_rows > MAX_WEIGHTS:
        return PathChoice("chunked", f"{reason}, and its weights would not fit well in memory")
    return PathChoice("plain", reason)


def why_not(attention: "Attention", path: PathName) -> str | None:
    """Why a path cannot compute this attention, or None."""
    if path in ("auto", "plain"):
        return None
    if path == "chunked":
        return f"{type(attention).__name__} takes its queries one by one" if attention.uses_history else None
    if attention.has_own_weights:
        return f"{type(attention).__name__} makes its weights in a way of its own"
    if not attention.score.is_inner_product:
        return f"{type(attention.score).__name__} is no inner product of query and key"
    if type(attention.normalizer) is not Softmax:
        return f"the fused kernel normalizes by softmax, not by {type(attention.normalizer).__name__}"
    if attention.pattern.is_selective:
        return f"{type(attention.pattern).__name__} looks at the scores, which the fused kernel never shows"
    return None


def _goes_by_blocks(attention: "Attention", call: Call) -> bool:
    size = attention.pattern.block_size
    if size is None or call.num_queries is None or call.num_queries != call.num_keys:
        return False
    num_blocks = -(-call.num_queries // size)
    table = attention.pattern.blocks(num_blocks)
    return table is not None and table.shape[1] < num_blocks
