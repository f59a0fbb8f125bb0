"""Weights times the size of what they weigh: attention as it acts on the output.

Shapes: B examples, H heads, Q queries, K keys.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from attnfocus.attention.value_norms import noted_values, output_is_weighed_values, value_norms
from attnfocus.errors import ConfigError
from attnfocus.tasks.answers import FocusMap
from attnfocus.tasks.probe import Probe

NORM = "attention_norm"


def norms_of(probe: Probe, name: str) -> Tensor:
    """||f(x)|| of each key of an attention, for each head: (B, H, K). See `attention.value_norms`.

    Raises:
        ConfigError: the attention does not make its output of its weights and values alone.
    """
    attention = probe.model.attentions().get(name)
    if attention is None or not output_is_weighed_values(attention):
        what = name if attention is None else type(attention).__name__
        raise ConfigError(
            f"method: {NORM} needs an attention whose output is its weights times its values, and {what} ({name}) is "
            "none. Use attention or gradient_input."
        )
    with torch.no_grad(), noted_values(attention) as noted:
        probe.weights()
        return value_norms(attention, torch.cat(noted, dim=-2))


def normed(probe: Probe, each: FocusMap) -> FocusMap:
    """The map of `attention_norm` that belongs to a map of weights, of the probe's first example.

    Raises:
        ConfigError: as `norms_of`.
    """
    norms = norms_of(probe, each.name)[0, list(each.heads)].float().cpu().numpy()  # (H, K)
    return replace(each, method=NORM, weights=np.abs(each.weights) * norms[:, np.newaxis])
