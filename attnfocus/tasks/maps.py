"""The maps of one example: the weights of each attention, with the tokens that name their axes.

Shapes: H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from attnfocus.models.outputs import sides
from attnfocus.special import BOS
from attnfocus.tasks.answers import FocusMap
from attnfocus.tasks.evaluation import Inputs

if TYPE_CHECKING:
    import numpy as np

    from attnfocus.data.codecs.text_pair import TextPairCodec


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
