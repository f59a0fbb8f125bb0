"""The maps of one example: the weights of each attention, with the tokens that name their axes.

Shapes: H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from attnfocus.models.base import Model, Place
from attnfocus.special import BOS
from attnfocus.tasks.answers import FocusMap
from attnfocus.tasks.evaluation import Inputs, device_of

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from attnfocus.data.codecs.base import Codec
    from attnfocus.data.codecs.written import WrittenCodec


def attention_map(
    place: Place,
    weights: np.ndarray,
    query_tokens: tuple[str, ...],
    key_tokens: tuple[str, ...],
) -> FocusMap:
    """The weights (H, Q, K) of one attention with all of its heads."""
    return FocusMap("attention", place.name, weights, query_tokens, key_tokens, tuple(range(len(weights))), place)


def output_maps(model: Model, codec: WrittenCodec, inputs: Inputs, output: Sequence[int]) -> tuple[FocusMap, ...]:
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
    source = tuple(codec.input_tokens(inputs.inputs[0].tolist()))
    queries = {"input": source, "output": tuple(codec.target_tokens(output))}
    keys = {"input": source, "output": tuple(codec.target_tokens(read))}
    maps = []
    for name, place in model.places_of(weights).items():
        each = weights[name][0].float().cpu().numpy()  # (H, Q, K)
        labels = queries.get(place.queries) or numbered(name, each.shape[1])
        maps.append(attention_map(place, each, labels, keys.get(place.keys) or numbered(name, each.shape[2])))
    return tuple(maps)


def sequence_weights(model: Model, ids: Sequence[int]) -> dict[str, np.ndarray]:
    """The weights (H, L, L) of each attention of a language model while it reads ids (L,), from BOS on."""
    device = device_of(model)
    inputs, lengths = torch.tensor([list(ids)], device=device), torch.tensor([len(ids)], device=device)
    weights = model(inputs, lengths, need_weights=True).weights
    return {name: each[0].float().cpu().numpy() for name, each in weights.items()}


def shown_weights(model: Model, codec: Codec, inputs: Inputs, weights: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    """For each example its weights, cut to what is real, and the tokens that label their axes."""
    prepended = ("<cls>",) * model.num_prepended
    places = model.places_of(weights)
    kinds = {name: place.kind for name, place in places.items()}
    on_cpu = {name: each.float().cpu().numpy() for name, each in weights.items()}
    shown = []
    for number, length in enumerate(inputs.lengths.tolist()):
        keys = prepended + tuple(codec.input_tokens(inputs.inputs[number, :length].tolist()))
        maps, queries = {}, {}
        for name, each in on_cpu.items():
            of_queries, of_keys = places[name].queries, places[name].keys
            num_queries = len(keys) if of_queries == "input" else each.shape[2]
            num_keys = len(keys) if of_keys == "input" else each.shape[3]
            maps[name] = each[number, :, :num_queries, :num_keys].copy()
            queries[name] = keys if of_queries == "input" else numbered(name, num_queries)
        picture = codec.picture(inputs.rows[number])
        facts = {"key_tokens": keys, "key_unit": codec.input_unit, "query_tokens": queries, "weights": maps}
        shown.append({**facts, "kinds": kinds, "picture": picture})
    return shown


def numbered(name: str, number: int) -> tuple[str, ...]:
    """What names positions of no example: the attention's name, with numbers if there are several."""
    return (name,) if number == 1 else tuple(f"{name} {position}" for position in range(number))
