"""Weights times the size of what they weigh: attention as it acts on the output.

Shapes: B examples, H heads, Q queries, K keys.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from attnfocus.attention.base import BaseAttention
from attnfocus.attention.value_norms import noted_values, output_is_weighed_values, value_norms
from attnfocus.errors import ConfigError
from attnfocus.tasks.answers import FocusMap
from attnfocus.tasks.probe import Probe

NORM = "attention_norm"


def norms_of(probe: Probe, names: Sequence[str]) -> dict[str, Tensor]:
    """Of some attentions, in one pass of the model: ||f(x)|| of each key for each head, (B, H, K).

    See `attention.value_norms`.

    Raises:
        ConfigError: one does not make its output of its weights and values alone.
    """
    attentions = {name: _weighing(probe, name) for name in dict.fromkeys(names)}
    with torch.no_grad(), ExitStack() as stack:
        noted = {name: stack.enter_context(noted_values(each)) for name, each in attentions.items()}
        probe.weights()
        return {name: value_norms(each, torch.cat(noted[name], dim=-2)) for name, each in attentions.items()}


def _weighing(probe: Probe, name: str) -> BaseAttention:
    attention = probe.model.attentions().get(name)
    if attention is None or not output_is_weighed_values(attention):
        what = name if attention is None else type(attention).__name__
        raise ConfigError(
            f"method: {NORM} needs an attention whose output is its weights times its values, and {what} ({name}) is "
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
