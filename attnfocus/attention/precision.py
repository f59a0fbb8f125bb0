"""What is computed in float32 though it came in half precision, or though autocast would have it otherwise."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch
from torch import Tensor

HalfScores = Literal["float32", "rounded"]
HALF = (torch.float16, torch.bfloat16)


class _Scores:
    """How they are made under autocast. For the whole process, in which one run trains: torch.compile reads no context
    variables."""

    are_rounded = False


@contextmanager
def scores_as(kind: HalfScores) -> Iterator[None]:
    """Within, scores under autocast are float32, or rounded to half precision as in runs of older versions."""
    before, _Scores.are_rounded = _Scores.are_rounded, kind == "rounded"
    try:
        yield
    finally:
        _Scores.are_rounded = before


def exact(tensor: Tensor) -> Tensor:
    """Half precision as float32: sums and exponentials of many scores would lose the small weights."""
    return tensor.float() if tensor.dtype in HALF else tensor


def no_autocast(tensor: Tensor) -> AbstractContextManager[object]:
    """Within, float32 stays float32, on the device of the tensor."""
    kind = tensor.device.type
    return torch.autocast(kind, enabled=False) if _is_autocast(kind) else nullcontext()


# The same for scores, and what is added to them.


def lowered(vectors: Tensor) -> Tensor:
    """Queries, keys or values as autocast hands them to a product: it rounds float32 to half precision."""
    if vectors.dtype != torch.float32 or not lowers(vectors):
        return vectors
    return vectors.to(torch.get_autocast_dtype(vectors.device.type))


def lowers(tensor: Tensor) -> bool:
    """Whether products of scores have to be kept from autocast."""
    return _is_autocast(tensor.device.type) and not _Scores.are_rounded


def for_kernel(vectors: Tensor) -> Tensor:
    """Queries, keys or values as `scaled_dot_product_attention` takes them: on a CPU half precision as float32.

    Its kernel for CPUs takes five times as long in half precision, forward and backward, even where the CPU has
    instructions for it; and its scores are float32 either way.
    """
    return exact(vectors) if is_widened(vectors.device.type, vectors.dtype) else vectors


def is_widened(kind: str, dtype: torch.dtype | None) -> bool:
    """Whether `for_kernel` changes numbers of this kind on a kind of device."""
    return kind == "cpu" and dtype in HALF and not (_is_autocast(kind) and _Scores.are_rounded)


def product_dtype(vectors: Tensor) -> torch.dtype:
    """Of these vectors where they meet others: under autocast not always their own."""
    is_lowered = vectors.dtype == torch.float32 and _is_autocast(vectors.device.type)
    return torch.get_autocast_dtype(vectors.device.type) if is_lowered else vectors.dtype


def for_scores(tensor: Tensor) -> Tensor:
    """What scores are made of, in float32 at least."""
    return tensor if _is_rounded(tensor) else exact(tensor)


def in_score_precision(tensor: Tensor) -> AbstractContextManager[object]:
    """Within, scores are made in float32 at least."""
    return torch.autocast(tensor.device.type, enabled=False) if lowers(tensor) else nullcontext()


def as_scores(scores: Tensor, query: Tensor) -> Tensor:
    """Scores, or what is added to them, as they are; where they are rounded, in the precision of the query."""
    return scores.to(query.dtype) if _is_rounded(query) else scores


def as_weights(weights: Tensor, query: Tensor) -> Tensor:
    """Weights in the precision of the query; where scores are rounded, in theirs."""
    return weights if _is_rounded(query) else weights.to(query.dtype)


def _is_rounded(tensor: Tensor) -> bool:
    return _is_autocast(tensor.device.type) and _Scores.are_rounded


def _is_autocast(kind: str) -> bool:
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
