"""Which of a model's attentions look at the input for the output, and how their weights read as an attribution.

Shapes: B examples, H heads, L positions of a layer, K input positions, T outputs of an example.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from attnfocus.attention.role import Axis
from attnfocus.errors import ConfigError
from attnfocus.focus.rollout import decoder_rollout, flow, rollout
from attnfocus.models.base import Model, Place
from attnfocus.tasks.looks import by_kind
from attnfocus.tasks.measures.alignment import aligning_place


def readable(places: Iterable[Place]) -> list[Place]:
    """Of a model's attentions those whose keys are the input and whose queries are, or make, the output.

    Classifiers: `pooling`, `layers.0`, ...; translation: `cross`, `decoder.layers.0.cross`, ...; language models, where
    both are one sequence: all.
    """
    places = list(places)
    found = [place for place in places if place.keys == "input"]
    return ([place for place in found if place.queries == "output"] or places) if _writes(places) else found


def default_reading(places: Iterable[Place]) -> Place:
    """The one that is read where none is named.

    Translation: `aligning_place`, as `predict` shows it. Classifiers: the pooling, or the last layer.
    """
    places = list(places)
    pooling = [] if _writes(places) else by_kind(places, "pooling")
    return pooling[-1] if pooling else aligning_place(places) or readable(places)[-1]


def read(
    weights: Mapping[str, Tensor],
    model: Model,
    mask: Tensor,
    layer: str | None,
    head: int | None,
    rows: Tensor | None = None,
) -> Tensor:
    """The weights by which the outputs look at the input, the mean over heads or one of them: (B, T, K).

    A layer of a language model is read at the positions that the outputs are read off. A layer of self-attention in a
    classifier is read as its pooling reads the layer: the row of `cls` without its own column, the mean over the real
    queries, or the mean that the pooling's own attention weighs.

    Args:
        weights: name -> (B, H, Q, K or 1 + K).
        mask: (B, K), True at real positions.
        layer: name of the attention; None: `default_reading`.
        head: None: the mean.
        rows: as in `Probe.rows`.

    Raises:
        ConfigError: there is no such layer or head.
    """
    place = place_to_read(weights, model, layer)
    chosen = weights[place.name]
    num_heads = chosen.shape[1]
    if head is not None and not 0 <= head < num_heads:
        raise ConfigError(f"head: must be 0 to {num_heads - 1} for {place.name}, got {head}.")
    of_head = chosen.float().mean(dim=1) if head is None else chosen[:, head].float()
    if place.kind == "self":
        of_head = _top(weights, model, mask, rows) @ of_head
        of_head = of_head[..., model.num_prepended :][..., : mask.shape[1]]
    return of_head * mask.unsqueeze(1)


def place_to_read(weights: Mapping[str, Tensor], model: Model, layer: str | None) -> Place:
    """The attention that is meant by its name; None: `default_reading`.

    Raises:
        ConfigError: there is none, or it does not look at the input.
    """
    if not weights:
        raise ConfigError("method: this model's attention gives no weights. Use gradient_input or leave_one_out.")
    places = model.places_of(weights).values()
    by_name = {place.name: place for place in readable(places)}
    if layer is None:
        return default_reading(places)
    if layer not in by_name:
        raise ConfigError(f"layer: of this model's attentions {', '.join(by_name)} look at the input, got {layer}.")
    return by_name[layer]


def rolled_out(weights: Mapping[str, Tensor], model: Model, mask: Tensor, rows: Tensor | None = None) -> Tensor:
    """Rollout (see `focus.rollout`) of all layers below the outputs: (B, T, K). `rows` as in `Probe.rows`."""
    own = _layers(weights, model, "output")
    if rows is not None:
        found = rollout(_top(weights, model, mask, rows), own)
        return found[..., : mask.shape[1]] * mask.unsqueeze(1)
    if own:
        cross = by_kind(model.places_of(weights).values(), "cross")
        whole = torch.eye(mask.shape[1], device=mask.device).expand(len(mask), -1, -1)
        encoder = rollout(whole, _layers(weights, model, "input"))
        found = decoder_rollout(encoder, own, [_mean(weights[place.name]) for place in cross])
        return found * mask.unsqueeze(1)
    found = rollout(_top(weights, model, mask), _layers(weights, model, "input"))
    return found[..., model.num_prepended :] * mask.unsqueeze(1)


def flowing(weights: Mapping[str, Tensor], model: Model, mask: Tensor) -> Tensor:
    """Flow (see `focus.rollout`) through all layers of a classifier: (B, 1, K).

    Raises:
        ConfigError: a model with a decoder, or an input that is too long.
    """
    if _writes(model.places_of(weights).values()):
        raise ConfigError("method: attention_flow is for classifiers. Use attention_rollout for models that write.")
    top, layers, first = _top(weights, model, mask), _layers(weights, model, "input"), model.num_prepended
    found = torch.zeros(len(mask), 1, mask.shape[1], device=mask.device)
    for number, length in enumerate(mask.sum(dim=1).tolist()):
        size = first + length
        own = [layer[number, :size, :size] for layer in layers]
        try:
            found[number, :, :length] = flow(top[number, :, :size], own)[:, first:]
        except ValueError as error:
            raise ConfigError(f"method: {error}") from error
    return found


def _writes(places: Iterable[Place]) -> bool:
    """Whether the model looks for what it writes, as a decoder does."""
    return any(place.queries == "output" for place in places)


def _mean(weights: Tensor) -> Tensor:
    return weights.float().mean(dim=1)


def _layers(weights: Mapping[str, Tensor], model: Model, of: Axis) -> list[Tensor]:
    """The layers in which one sequence looks at itself, the lowest first; none in a recurrent model."""
    places = by_kind(model.places_of(weights).values(), "self")
    return [_mean(weights[place.name]) for place in places if place.queries == of]


def _top(weights: Mapping[str, Tensor], model: Model, mask: Tensor, rows: Tensor | None = None) -> Tensor:
    """How the outputs read what is below them: (B, T, L)."""
    if rows is not None:
        size = next(iter(weights.values())).shape[-2]
        return torch.nn.functional.one_hot(rows, size).to(torch.float32)
    above = [place for place in model.places_of(weights).values() if place.kind != "self"]
    return _mean(weights[above[-1].name]) if above else _readout(model, mask)


def _readout(model: Model, mask: Tensor) -> Tensor:
    """How a classifier takes its layers' positions together: (B, 1, L)."""
    if model.num_prepended:
        first = torch.zeros(len(mask), 1, mask.shape[1] + 1, device=mask.device)
        first[..., 0] = 1
        return first
    return (mask / mask.sum(dim=1, keepdim=True)).unsqueeze(1)
