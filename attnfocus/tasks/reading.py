"""Which of a model's attentions look at the input for the output, and how their weights read as an attribution.

Shapes: B examples, H heads, L positions of a layer, K input positions, T outputs of an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from attnfocus.errors import ConfigError
from attnfocus.models.outputs import sides


def readable(names: Mapping[str, Tensor]) -> list[str]:
    """Of a model's attentions those whose keys are the input and whose queries are, or make, the output.

    Classifiers: `pooling`, `layers.0`, ...; translation: `cross`, `decoder.layers.0.cross`, ...
    """
    if any(name in ("cross", "pooling") or name.endswith((".cross", ".self")) for name in names):
        return [name for name in names if not name.startswith("encoder.") and sides(name)[1] == "source"]
    return list(names)


def default_reading(names: Mapping[str, Tensor]) -> str:
    """The one that is read where none is named.

    Translation: the cross-attention of the last layer but one, as `predict` shows it (Garg et al. 2019, sec. 4.1,
    arXiv:1909.02074). Classifiers: the pooling, or the last layer.
    """
    found = readable(names)
    if "pooling" in names:
        return "pooling"
    return found[-2] if len(found) > 1 and found[-1].endswith(".cross") else found[-1]


def read(weights: Mapping[str, Tensor], model: Any, mask: Tensor, layer: str | None, head: int | None) -> Tensor:
    """The weights by which the outputs look at the input, the mean over heads or one of them: (B, T, K).

    A layer of self-attention in a classifier is read as its pooling reads the layer: the row of `cls` without its own
    column, or the mean over the real queries.

    Args:
        weights: name -> (B, H, Q, K or 1 + K).
        mask: (B, K), True at real positions.
        layer: name of the attention; None: `default_reading`.
        head: None: the mean.

    Raises:
        ConfigError: there is no such layer or head.
    """
    if not weights:
        raise ConfigError("method: this model's attention gives no weights. Use gradient_input or leave_one_out.")
    names = readable(weights)
    name = default_reading(weights) if layer is None else layer
    if name not in names:
        raise ConfigError(
            f"layer: no attention of this model that looks at the input is called {name}: it has {', '.join(names)}."
        )
    chosen = weights[name]
    num_heads = chosen.shape[1]
    if head is not None and not 0 <= head < num_heads:
        raise ConfigError(f"head: must be 0 to {num_heads - 1} for {name}, got {head}.")
    of_head = chosen.float().mean(dim=1) if head is None else chosen[:, head].float()
    if name.startswith("layers."):
        of_head = _readout(model, mask) @ of_head
        of_head = of_head[..., num_prepended(model) :]
    return of_head * mask.unsqueeze(1)


def num_prepended(model: Any) -> int:
    number: int = getattr(model, "num_prepended", 0)
    return number


def _readout(model: Any, mask: Tensor) -> Tensor:
    """How a classifier takes its layers' positions together: (B, 1, L)."""
    if num_prepended(model):
        first = torch.zeros(len(mask), 1, mask.shape[1] + 1, device=mask.device)
        first[..., 0] = 1
        return first
    return (mask / mask.sum(dim=1, keepdim=True)).unsqueeze(1)
