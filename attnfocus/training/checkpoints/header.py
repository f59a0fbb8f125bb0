"""The head of a safetensors file: names, types and shapes of the tensors in it, read before any of them is.

    its length (8 bytes, little-endian), the head as JSON: {name: {"dtype", "shape", "data_offsets"}}, the tensors
(https://github.com/huggingface/safetensors, section "Format")
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from attnfocus.regular_files import UnusableFileError, open_to_read

MAX_HEAD_BYTES = 100_000_000  # that the library itself takes
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def empty_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file without their numbers (on the meta device), as its head tells them.

    Raises:
        OSError: it cannot be read, or its head is damaged or does not fit the size of the file.
    """
    with open_to_read(path) as file:
        num_bytes = os.fstat(file.fileno()).st_size
        start = file.read(8)
        (length,) = struct.unpack("<Q", start) if len(start) == 8 else (num_bytes,)
        if not 2 <= length <= min(MAX_HEAD_BYTES, num_bytes - 8):
            raise UnusableFileError(path, "has no head of tensors")
        try:
            head = json.loads(file.read(length))
            head.pop("__metadata__", None)
            tensors = {name: _empty(entry) for name, entry in head.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, RecursionError) as error:
            raise UnusableFileError(path, f"has a damaged head of tensors ({type(error).__name__})") from None
    if size_of(tensors) != num_bytes - 8 - length:
        raise UnusableFileError(path, "is not as long as the tensors in its head")
    return tensors


def size_of(tensors: Mapping[str, Tensor]) -> int:
    """The bytes that tensors take, which may lie on the meta device."""
    return sum(math.prod(tensor.shape) * tensor.element_size() for tensor in tensors.values())


def _empty(entry: Mapping[str, object]) -> Tensor:
    shape = entry["shape"]
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size < 2**40 for size in shape):
        raise ValueError("a shape is a list of sizes")
    return torch.empty(shape, dtype=_DTYPES[str(entry["dtype"])], device="meta")
