"""What an evaluation knows of a part of a split before it divides: plain data that add up, and that can be sent.

A tally is numbers, tensors and answers in dicts and lists. Sums are kept as their terms, which are summed exactly in
the end, so that the tallies of any parts give the metrics of the whole to the bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

Tally = dict[str, Any]


def add_up(tallies: Sequence[Tally]) -> Tally:
    """Tallies of parts of a split -> that of the whole: dicts by their keys, lists joined, numbers added."""
    total = tallies[0]
    for tally in tallies[1:]:
        total = _sum(total, tally)
    return total


def _sum(first: Any, second: Any) -> Any:
    if isinstance(first, Mapping):
        return {**first, **second, **{name: _sum(first[name], second[name]) for name in first.keys() & second.keys()}}
    return first + second


def pack(tally: Tally, kinds: Sequence[type]) -> bytes:
    """As bytes that hold data alone: JSON, and safetensors for what is numeric.

    Args:
        kinds: the dataclasses that may occur in it.
    """
    tensors: dict[str, Tensor] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor | np.ndarray):
            is_array = isinstance(value, np.ndarray)
            tensors[str(len(tensors))] = torch.as_tensor(value).detach().cpu().contiguous()
            return {"array" if is_array else "tensor": str(len(tensors) - 1)}
        if is_dataclass(value):
            if type(value) not in kinds:
                raise TypeError(f"a tally holds no {type(value).__name__}")
            own = {each.name: plain(getattr(value, each.name)) for each in fields(value)}
            return {"kind": type(value).__name__, "fields": own}
        if isinstance(value, Mapping):
            return {"pairs": [[name, plain(each)] for name, each in value.items()]}
        if isinstance(value, tuple):
            return {"tuple": [plain(each) for each in value]}
        return [plain(each) for each in value] if isinstance(value, list) else value

    text = json.dumps(plain(tally)).encode()
    return len(text).to_bytes(8, "little") + text + safetensors.torch.save(tensors)


def unpack(content: bytes, kinds: Sequence[type]) -> Tally:
    """What `pack` was given; tensors on the CPU."""
    size = int.from_bytes(content[:8], "little")
    tensors = safetensors.torch.load(content[8 + size :])
    by_name = {kind.__name__: kind for kind in kinds}

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "tensor" in value:
            return tensors[value["tensor"]]
        if "array" in value:
            return tensors[value["array"]].numpy()
        if "kind" in value:
            return by_name[value["kind"]](**{name: whole(each) for name, each in value["fields"].items()})
        if "pairs" in value:
            return {name: whole(each) for name, each in value["pairs"]}
        return tuple(whole(each) for each in value["tuple"])

    tally: Tally = whole(json.loads(content[8 : 8 + size]))
    return tally
