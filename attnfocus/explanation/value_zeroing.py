"""What a layer would say without the value of one key: weights as they act, residual connection and network included.

Shapes: B examples, Q queries, K keys, M rows of one call, D width of what a layer says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.base import BaseAttention
from attnfocus.attention.value_norms import output_is_weighed_values, zeroed_values
from attnfocus.errors import ConfigError
from attnfocus.focus.attributions import rows_at_once
from attnfocus.models.pooling import AttentionPooling
from attnfocus.models.transformer_layers import (
    CausalLayer,
    DecoderLayerOutput,
    TransformerDecoderLayer,
    TransformerLayer,
)
from attnfocus.tasks.looks import looks_of
from attnfocus.tasks.probe import Probe

_LAYERS = (TransformerLayer, CausalLayer, TransformerDecoderLayer, AttentionPooling)


def zeroing_scores(probe: Probe, weights: dict[str, Tensor], name: str) -> Tensor:
    """C_qk = distance(x_q, x_q without value k) / its sum over k, with distance 1 - cos: (B, Q, K), 0 at padding.

    x is what the layer says, behind its residual connections, its network and its normalizations; without value k: the
    projected value of key k is 0 in all heads, the weights stay as they are   (Mohebbi et al. 2023, eq. 3-4,
    arXiv:2301.12971). Of a pooling x is the pooled vector.

    It promises rows >= 0 that sum to 1, and exactly nothing for a key that no query sees. Cost: a forward pass for each
    key, of which only the part up to the layer is needed.

    Args:
        weights: of all attentions, as `Probe.weights` gives them.

    Raises:
        ConfigError: an attention whose output is not its weights times its values, or that is in no such layer.
    """
    attention, owner = _of_layer(probe, name)
    look = next(look for look in looks_of(probe.model, weights, probe.axis_lengths) if look.name == name)
    num_rows, num_keys = len(probe.inputs), weights[name].shape[-1]
    whole = _states(probe, owner, torch.arange(num_rows, device=probe.inputs.device))  # (B, Q, D)
    found = whole.new_zeros(num_rows, num_keys, whole.shape[1])  # (B, K, Q)
    is_real = torch.arange(num_keys, device=whole.device) < look.num_keys.unsqueeze(1)
    examples, keys = is_real.nonzero(as_tuple=True)
    for part in torch.arange(len(examples), device=whole.device).split(rows_at_once(num_keys)):
        with zeroed_values(attention, keys[part]):
            without = _states(probe, owner, examples[part])
        similarity = F.cosine_similarity(whole[examples[part]].double(), without.double(), dim=-1)
        found[examples[part], keys[part]] = (1 - similarity).clamp_min(0).to(found.dtype)
    found = found.transpose(1, 2) * look.queries.transpose(1, 2)
    total = found.sum(dim=-1, keepdim=True)
    return found / torch.where(total > 0, total, 1.0)


def _of_layer(probe: Probe, name: str) -> tuple[BaseAttention, nn.Module]:
    attention = probe.model.attentions().get(name)
    if attention is None or not output_is_weighed_values(attention):
        what = name if attention is None else type(attention).__name__
        raise ConfigError(
            f"method: value_zeroing needs an attention whose output is its weights times its values, and {what} "
            f"({name}) is none. Use leave_one_out or integrated_gradients."
        )
    owner = next(each for each in probe.model.modules() if any(child is attention for child in each.children()))
    if not isinstance(owner, _LAYERS):
        raise ConfigError(
            f"method: value_zeroing compares what a layer of a Transformer or a pooling says, and {name} is a part of "
            f"{type(owner).__name__}. Use leave_one_out or attention_norm."
        )
    return attention, owner


def _states(probe: Probe, owner: nn.Module, examples: Tensor) -> Tensor:
    """What the layer says of examples (M,): (M, Q, D)."""
    with _outputs(owner) as outputs:
        probe.logits_given({}, examples)
    (output,) = outputs
    states: Tensor = output.states if isinstance(output, DecoderLayerOutput) else output[0]
    return states.unsqueeze(1) if states.dim() == 2 else states


@contextmanager
def _outputs(module: nn.Module) -> Iterator[list[Any]]:
    """Within, what each call of the module gives is put into the list."""
    found: list[Any] = []
    handle = module.register_forward_hook(lambda _module, _inputs, output: found.append(output))
    try:
        yield found
    finally:
        handle.remove()
