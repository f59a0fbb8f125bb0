"""The ways to compute attention, and the one place that chooses between them. All give the same numbers.

plain    scores, weights and context one after the other: works for everything, and is the one that returns weights.
sdpa     `torch.nn.functional.scaled_dot_product_attention`: inner products, softmax, and any mask or bias.
flex     FlexAttention: patterns and biases in one compiled kernel, on cuda.
chunked  query by query block: over the blocks of keys that the pattern names, so that work and memory grow with the
         length, or else over all keys and again in the backward pass, so that no weights are held.
"""

from collections.abc import Callable

from torch import Tensor

from attnfocus.attention.paths.choose import choose, why_not
from attnfocus.attention.paths.chunked import chunked
from attnfocus.attention.paths.flex import flex
from attnfocus.attention.paths.places import at_places
from attnfocus.attention.paths.plain import mixed, plain, read
from attnfocus.attention.paths.protocol import Call, PathChoice, PathName, Work
from attnfocus.attention.paths.rows import context_alone, observed_rows, weights_at
from attnfocus.attention.paths.sdpa import sdpa
from attnfocus.attention.paths.shared import over_shared_keys, shares_keys

KERNELS: dict[str, Callable[..., tuple[Tensor, Tensor | None]]] = {
    "plain": plain,
    "sdpa": sdpa,
    "flex": flex,
    "chunked": chunked,
}

__all__ = [
    "KERNELS",
    "Call",
    "PathChoice",
    "PathName",
    "Work",
    "at_places",
    "choose",
    "context_alone",
    "mixed",
    "observed_rows",
    "over_shared_keys",
    "read",
    "shares_keys",
    "weights_at",
    "why_not",
]
