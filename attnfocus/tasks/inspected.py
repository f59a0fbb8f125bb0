"""One example with everything that there is to see of where the model looked.

Shapes: H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from attnfocus.models.outputs import sides
from attnfocus.special import BOS
from attnfocus.tasks.gather import Inputs

if TYPE_CHECKING:
    import numpy as np

    from attnfocus.data.codec import TextPairCodec
    from attnfocus.tasks.base import Prediction


@dataclass(frozen=True)
class FocusMap:
    """How much each key counts for each query, by one method.

    Attributes:
        method: `attention`, or the name of an attribution.
        name: the attention's name (`cross`, `layers.0`); empty for a method that is about the whole model.
        weights: (H, Q, K) float32; below 0 where a method, or an attention, can subtract.
        query_tokens, key_tokens: Q and K labels of the axes.
        heads: H numbers, those of the model's own heads.
    """

    method: str
    name: str
    weights: np.ndarray
    query_tokens: tuple[str, ...]
    key_tokens: tuple[str, ...]
    heads: tuple[int, ...]


@dataclass(frozen=True)
class Inspected:
    """A prediction, and the maps that belong to it; none for an input that was skipped."""

    prediction: Prediction
    maps: tuple[FocusMap, ...] = ()


def attention_map(
    name: str,
    weights: np.ndarray,
    query_tokens: tuple[str, ...],
    key_tokens: tuple[str, ...],
) -> FocusMap:
    """The weights (H, Q, K) of one attention with all of its heads."""
    return FocusMap("attention", name, weights, query_tokens, key_tokens, tuple(range(len(weights))))


def output_maps(model: Any, codec: TextPairCodec, inputs: Inputs, output: Sequence[int]) -> tuple[FocusMap, ...]:
    """The weights of each attention while one output is written; a query is named by the token that it writes.

    Args:
        inputs: one example.
        output: token ids without BOS and EOS; an empty one has no maps.
    """
    if not output:
        return ()
    read = [BOS, *output[:-1]]
    target_in = torch.tensor([read], device=inputs.inputs.device)
    weights = model(inputs.inputs, inputs.lengths, target_in, need_weights=True).weights
    source = tuple(codec.source_tokens(inputs.inputs[0].tolist()))
    queries = {"source": source, "target": tuple(codec.target_tokens(output))}
    keys = {"source": source, "target": tuple(codec.target_tokens(read))}
    maps = []
    for name, each in weights.items():
        of_queries, of_keys = sides(name)
        maps.append(attention_map(name, each[0].float().cpu().numpy(), queries[of_queries], keys[of_keys]))
    return tuple(maps)
