"""What is computed in float32 though it came in half precision, or though autocast would have it otherwise."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)


def exact(tensor: Tensor) -> Tensor:
    """Half precision as float32: sums and exponentials of many scores would lose the small weights."""
    return tensor.float() if tensor.dtype in HALF else tensor


def lowered(tensor: Tensor) -> Tensor:
    """As autocast hands it to a product: under autocast float32 is rounded to half precision."""
    kind = tensor.device.type
    if tensor.dtype != torch.float32 or not _is_autocast(kind):
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind))


def no_autocast(tensor: Tensor) -> AbstractContextManager[object]:
    """Within, float32 stays float32, on the device of the tensor."""
    kind = tensor.device.type
    return torch.autocast(kind, enabled=False) if _is_autocast(kind) else nullcontext()


def _is_autocast(kind: str) -> bool:
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
