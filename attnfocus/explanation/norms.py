"""Weights times the size of what they weigh: attention as it acts on the output.

Shapes: B examples, H heads, Q queries, K keys.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attnfocus.attention.base import BaseAttention
from attnfocus.attention.value_norms import noted_values, output_is_weighed_values, projected_values, value_norms
from attnfocus.errors import ConfigError
from attnfocus.explanation.interventions import owner_of
from attnfocus.models.transformer_layers import ResidualLayer, TransformerDecoderLayer
from attnfocus.tasks.answers import FocusMap
from attnfocus.tasks.looks import looks_of
from attnfocus.tasks.probe import Probe

NORM, BLOCK_NORM = "attention_norm", "attention_block_norm"


def norms_of(probe: Probe, names: Sequence[str]) -> dict[str, Tensor]:
    """Of some attentions, in one pass of the model: ||f(x)|| of each key for each head, (B, H, K).

    See `attention.value_norms`.

    Raises:
        ConfigError: one does not make its output of its weights and values alone.
    """
    attentions = {name: _weighing(probe, name, NORM) for name in dict.fromkeys(names)}
    with torch.no_grad(), ExitStack() as stack:
        noted = {name: stack.enter_context(noted_values(each)) for name, each in attentions.items()}
        probe.weights()
        return {name: value_norms(each, torch.cat(noted[name], dim=-2)) for name, each in attentions.items()}


def block_norms(probe: Probe, name: str) -> Tensor:
    """||g(sum_h w_hqk f_h(x_k) + [k = q] x_q)||, what a key gives to what the attention's block says of a query, the
    residual connection and the normalization behind it included   (Kobayashi et al. 2021, arXiv:2109.07152):
    (B, Q, K), 0 at padding.

    f is as in `attention.value_norms`. x is what the residual connection adds, which in self-attention is the query's
    own position; between two sequences it belongs to no key. g of a layer with norm=post is the layer normalization,
    spread over what is summed: (v - mean v) / (deviation of the whole sum) * gain, of RMSNorm without the mean; with
    norm=pre nothing is normalized behind the sum. Parts sum to what the block says, less the bias of the normalization.

    Raises:
        ConfigError: an attention whose output is not its weights times its values, or that has no residual connection.
    """
    attention = _weighing(probe, name, BLOCK_NORM)
    layer = owner_of(probe.model, attention)
    if not isinstance(layer, ResidualLayer):
        raise ConfigError(
            f"method: {BLOCK_NORM} counts the residual connection of a Transformer's layer, and {name} is a part of "
            f"{type(layer).__name__}, which has none. Use {NORM}."
        )
    norm, read = _norm_of(layer, attention), list[Tensor]()
    handle = norm.register_forward_pre_hook(lambda _module, inputs: read.append(inputs[0]))
    try:
        with noted_values(attention) as noted:
            weights = probe.weights()
    finally:
        handle.remove()
    look = next(each for each in looks_of(probe.model, weights, probe.axis_lengths) if each.name == name)
    values = torch.stack(list(projected_values(attention, torch.cat(noted, dim=-2))), dim=1)  # (B, H, K, D)
    states, found = torch.cat(read, dim=-2), []  # (B, Q, D): what the normalization reads
    for query in range(look.weights.shape[2]):
        parts = torch.einsum("bhk,bhkd->bkd", look.weights[:, :, query], values)
        own = states[:, query] if layer.norms_first else states[:, query] - parts.sum(dim=1)
        if look.place.kind == "self":
            parts[:, query] += own
        found.append((parts if layer.norms_first else spread_over(norm, parts, states[:, query])).norm(dim=-1))
    return torch.stack(found, dim=1) * look.queries.transpose(1, 2)


def _norm_of(layer: ResidualLayer, attention: BaseAttention) -> nn.LayerNorm | nn.RMSNorm:
    """The normalization beside an attention of the layer."""
    if isinstance(layer, TransformerDecoderLayer):
        norm: Any = layer.self_norm if attention is layer.self_attention else layer.cross_norm
    else:
        norm = layer.attention_norm
    assert isinstance(norm, nn.LayerNorm | nn.RMSNorm)
    return norm


def spread_over(norm: nn.LayerNorm | nn.RMSNorm, parts: Tensor, whole: Tensor) -> Tensor:
    """What each of the parts (B, K, D) of a sum (B, D) gives to the normalized sum, which has a bias besides."""
    if isinstance(norm, nn.LayerNorm):
        parts, whole = (each - each.mean(dim=-1, keepdim=True) for each in (parts, whole))
    eps = torch.finfo(whole.dtype).eps if norm.eps is None else norm.eps
    scale = torch.rsqrt(whole.square().mean(dim=-1, keepdim=True) + eps).unsqueeze(1)
    return parts * scale * norm.weight


def _weighing(probe: Probe, name: str, method: str) -> BaseAttention:
    attention = probe.model.attentions().get(name)
    if attention is None or not output_is_weighed_values(attention):
        what = name if attention is None else type(attention).__name__
        raise ConfigError(
            f"method: {method} needs an attention whose output is its weights times its values, and {what} ({name}) is "
            "none. Use attention or gradient_input."
        )
    return attention


def normed(probe: Probe, maps: Sequence[FocusMap]) -> tuple[FocusMap, ...]:
    """The maps of `attention_norm` that belong to maps of weights, of the probe's first example.

    Raises:
        ConfigError: as `norms_of`.
    """
    found = norms_of(probe, [each.name for each in maps])
    return tuple(replace(each, method=NORM, weights=_times(each, found[each.name])) for each in maps)


def _times(each: FocusMap, norms: Tensor) -> np.ndarray:
    """(H, Q, K) of the map's heads; norms (B, H, K)."""
    found: np.ndarray = np.abs(each.weights) * norms[0, list(each.heads)].float().cpu().numpy()[:, np.newaxis]
    return found
