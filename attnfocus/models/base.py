"""The attentions of a model, by the names that their weights have in its output."""

from typing import Any

from torch import nn

from attnfocus.attention import BaseAttention

_SUFFIXES = {"self_attention": "self", "cross_attention": "cross"}


def named_attentions(model: nn.Module) -> dict[str, BaseAttention]:
    """`pooling`, `layers.0`, `cross`, `encoder.layers.0`, `decoder.layers.0.self`, ... -> the attention.

    The name is that of the module which holds the attention; one in a decoder tells self from cross; `cross` alone is
    the attention of a recurrent decoder.
    """
    found = {}
    for path, module in model.named_modules():
        if isinstance(module, BaseAttention):
            place, _, attribute = path.rpartition(".")
            suffix = _SUFFIXES.get(attribute)
            name = place if suffix is None else f"{place}.{suffix}"
            found["cross" if name == "decoder" else name] = module
    return found


def num_prepended(model: Any) -> int:
    """How many positions, such as that of `cls`, a classifier puts before its input."""
    number: int = getattr(model, "num_prepended", 0)
    return number
