"""Which of a model's attentions look at the input for the output, and how their weights read as an attribution.

Shapes: B examples, H heads, L positions of a layer, K input positions, T outputs of an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from attnfocus.errors import ConfigError
from attnfocus.focus.rollout import decoder_rollout, flow, rollout
from attnfocus.models.base import num_prepended
from attnfocus.models.outputs import sides
from attnfocus.tasks.measures.alignment import aligning_attention
from attnfocus.tasks.measures.focus import kind_of


def readable(names: Mapping[str, Tensor]) -> list[str]:
    """Of a model's attentions those whose keys are the input and whose queries are, or make, the output.

    Classifiers: `pooling`, `layers.0`, ...; translation: `cross`, `decoder.layers.0.cross`, ...
    """
    if any(name in ("cross", "pooling") or name.endswith((".cross", ".self")) for name in names):
        return [name for name in names if not name.startswith("encoder.") and sides(name)[1] == "source"]
    return list(names)


def default_reading(names: Mapping[str, Tensor]) -> str:
    """The one that is read where none is named.

    Translation: `aligning_attention`, as `predict` shows it. Classifiers: the pooling, or the last layer.
    """
    if "pooling" in names:
        return "pooling"
    return aligning_attention(list(names)) or readable(names)[-1]


def read(weights: Mapping[str, Tensor], model: Any, mask: Tensor, layer: str | None, head: int | None) -> Tensor:
    """The weights by which the outputs look at the input, the mean over heads or one of them: (B, T, K).

    A layer of self-attention in a classifier is read as its pooling reads the layer: the row of `cls` without its own
    column, the mean over the real queries, or the mean that the pooling's own attention weighs.

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
        raise ConfigError(f"layer: of this model's attentions {', '.join(names)} look at the input, got {name}.")
    chosen = weights[name]
    num_heads = chosen.shape[1]
    if head is not None and not 0 <= head < num_heads:
        raise ConfigError(f"head: must be 0 to {num_heads - 1} for {name}, got {head}.")
    of_head = chosen.float().mean(dim=1) if head is None else chosen[:, head].float()
    if name.startswith("layers."):
        of_head = _top(weights, model, mask) @ of_head
        of_head = of_head[..., num_prepended(model) :]
    return of_head * mask.unsqueeze(1)


def rolled_out(weights: Mapping[str, Tensor], model: Any, mask: Tensor) -> Tensor:
    """Rollout (see `focus.rollout`) of all layers below the outputs: (B, T, K)."""
    crosses = [name for name in weights if name.endswith(".cross")]
    if crosses:
        layers = [_mean(weights[name]) for name in weights if name.startswith("encoder.")]
        own = [_mean(weights[name]) for name in weights if name.endswith(".self")]
        whole = torch.eye(mask.shape[1], device=mask.device).expand(len(mask), -1, -1)
        found = decoder_rollout(rollout(whole, layers), own, [_mean(weights[name]) for name in crosses])
        return found * mask.unsqueeze(1)
    found = rollout(_top(weights, model, mask), _layers(weights))
    return found[..., num_prepended(model) :] * mask.unsqueeze(1)


def flowing(weights: Mapping[str, Tensor], model: Any, mask: Tensor) -> Tensor:
    """Flow (see `focus.rollout`) through all layers of a classifier: (B, 1, K).

    Raises:
        ConfigError: a model with a decoder, or an input that is too long.
    """
    if any(kind_of(name) == "cross" for name in weights):
        raise ConfigError("method: attention_flow is for classifiers. Use attention_rollout for translation.")
    top, layers, first = _top(weights, model, mask), _layers(weights), num_prepended(model)
    found = torch.zeros(len(mask), 1, mask.shape[1], device=mask.device)
    for number, length in enumerate(mask.sum(dim=1).tolist()):
        size = first + length
        own = [layer[number, :size, :size] for layer in layers]
        try:
            found[number, :, :length] = flow(top[number, :, :size], own)[:, first:]
        except ValueError as error:
            raise ConfigError(f"method: {error}") from error
    return found


def _mean(weights: Tensor) -> Tensor:
    return weights.float().mean(dim=1)


def _layers(weights: Mapping[str, Tensor]) -> list[Tensor]:
    """Of a classifier, the lowest first; none in a recurrent one."""
    return [_mean(each) for name, each in weights.items() if name.startswith("layers.")]


def _top(weights: Mapping[str, Tensor], model: Any, mask: Tensor) -> Tensor:
    """How the outputs read what is below them: (B, T, L)."""
    for name in ("pooling", "cross"):
        if name in weights:
            return _mean(weights[name])
    return _readout(model, mask)


def _readout(model: Any, mask: Tensor) -> Tensor:
    """How a classifier takes its layers' positions together: (B, 1, L)."""
    if num_prepended(model):
        first = torch.zeros(len(mask), 1, mask.shape[1] + 1, device=mask.device)
        first[..., 0] = 1
        return first
    return (mask / mask.sum(dim=1, keepdim=True)).unsqueeze(1)
