"""The three places of attention in an encoder-decoder Transformer, and what each asks of an attention.

encoder self   looks at all of the source
decoder self   never looks ahead: the model cuts the attention's own pattern there
cross          from the target to the source, where positions of the two cannot be compared
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch

from attnfocus.attention import BaseAttention, FullPattern, NoPosition, Pattern, Position, looking_back
from attnfocus.limits import Choice
from attnfocus.models.layer_attentions import AttentionFactory as AttentionFactory
from attnfocus.models.layer_attentions import by_layer

Adapter = Callable[[AttentionFactory], AttentionFactory]
# The attention of one place; None: that of all places.
OwnAttention = Annotated[AttentionFactory, Choice("attention")] | None


@dataclass(frozen=True)
class AttentionPlaces:
    """What makes the attentions of each place, layer by layer, and what was changed in those that serve all places."""

    encoder: Sequence[AttentionFactory]
    decoder: Sequence[AttentionFactory]
    cross: Sequence[AttentionFactory]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PlaceOptions:
    """What is chosen for a place; for what it leaves open, that of all places counts.

    Attributes:
        attention: of all layers.
        stack: of the layers, one after the other.
    """

    attention: AttentionFactory | None = None
    stack: Sequence[AttentionFactory] | None = None

    @property
    def is_own(self) -> bool:
        return self.attention is not None or self.stack is not None


def attention_places(
    shared: AttentionFactory,
    sizes: dict[str, Any],
    num_layers: tuple[int, int],
    own: Mapping[str, PlaceOptions],
    shared_stack: Sequence[AttentionFactory] | None = None,
) -> AttentionPlaces:
    """Fits attentions to the places; `shared` or the shared stack serves those that have none of their own.

    Args:
        sizes: what each is built with.
        num_layers: of the encoder and of the decoder.
        own: of encoder, decoder and cross.

    Raises:
        ValueError: an attention that cannot serve its place: why, and what works.
    """
    notes: list[str] = []

    def for_encoder(factory: AttentionFactory) -> AttentionFactory:
        _require_no_steps(_trial(factory, sizes), "encoder")
        return factory

    def for_decoder(factory: AttentionFactory) -> AttentionFactory:
        _require_no_steps(_trial(factory, sizes), "decoder")
        instead = "attention@model.decoder_attention=multi_head"
        return looking_back_only(factory, sizes, "the decoder's self-attention", instead)

    def for_cross(factory: AttentionFactory) -> AttentionFactory:
        if not own["cross"].is_own:
            factory, changes = _between_sequences(factory, sizes)
            notes.extend(changes)
        _require_two_sequences(factory, sizes)
        return factory

    def layers(
        place: str, number: int, adapt: Callable[[AttentionFactory], AttentionFactory]
    ) -> list[AttentionFactory]:
        options, key = own[place], f"{place}_layer_attentions"
        if options.attention is not None and options.stack is not None:
            raise ValueError(
                f"{place}_attention and {key} are both given, and each is for the same layers: use one of them, with "
                f"attention@model.{place}_attention=null or model.{key}=null for the other."
            )
        if options.is_own:
            return by_layer(options.attention or shared, number, options.stack, adapt, key)
        return by_layer(shared, number, shared_stack, adapt)

    of_encoder, of_decoder = num_layers
    places = (
        layers("encoder", of_encoder, for_encoder),
        layers("decoder", of_decoder, for_decoder),
        layers("cross", of_decoder, for_cross),
    )
    return AttentionPlaces(*places, tuple(dict.fromkeys(notes)))


def _require_two_sequences(factory: AttentionFactory, sizes: dict[str, Any]) -> None:
    if _trial(factory, sizes).same_sequence_only:
        raise ValueError(
            f"{_name(factory, sizes)} compares positions of one sequence, and the cross-attention goes from "
            "the target to the source: use one without positions there, as in "
            "attention@model.cross_attention=multi_head."
        )


def _trial(factory: Callable[..., BaseAttention], sizes: dict[str, Any]) -> BaseAttention:
    """An attention without numbers, to be asked what it is. It takes nothing from the random numbers."""
    with torch.device("meta"):
        return factory(**sizes)


def _name(factory: Callable[..., BaseAttention], sizes: dict[str, Any]) -> str:
    return type(_trial(factory, sizes)).__name__


def _require_no_steps(attention: BaseAttention, place: str) -> None:
    if attention.decoders_only:
        raise ValueError(
            f"this attention goes by the steps of a decoder through a source, and the {place}'s self-attention has no "
            "such steps: use it for the cross-attention alone, as in attention=multi_head "
            "attention@model.cross_attention=coverage."
        )


def looking_back_only(factory: AttentionFactory, sizes: dict[str, Any], place: str, instead: str) -> AttentionFactory:
    """The factory of the same attention, which looks at nothing behind the query.

    Args:
        sizes: what it is built with.
        place: what it is for, for messages.
        instead: words of the command line that choose another one there.

    Raises:
        ValueError: it cannot: why, and what works.
    """
    trial = _trial(factory, sizes)
    pattern = getattr(trial, "pattern", None)
    reason = f"{type(trial).__name__} has no pattern that could be cut"
    if trial.decoders_only:
        reason = "this attention goes by the steps of a decoder through a source"
    elif isinstance(pattern, Pattern):
        if pattern.looks_back:
            return factory
        causal = looking_back(pattern)

        def cut(**sizes: Any) -> BaseAttention:
            return factory(**sizes, pattern=lambda: causal)

        try:
            _trial(cut, sizes)
        except ValueError as error:
            reason = str(error).split(": use ")[0]
        else:
            return cut
    raise ValueError(f"{place} must not look ahead, and {reason}: use another one there, as in {instead}.")


def _between_sequences(factory: AttentionFactory, sizes: dict[str, Any]) -> tuple[AttentionFactory, tuple[str, ...]]:
    """The factory of the same attention without what compares positions of one sequence, and a note about it."""
    trial = _trial(factory, sizes)
    pattern, position = getattr(trial, "pattern", None), getattr(trial, "position", None)
    changes: dict[str, Any] = {}
    if isinstance(pattern, Pattern) and pattern.same_sequence_only:
        changes["pattern"] = FullPattern
    if isinstance(position, Position) and position.same_sequence_only:
        changes["position"] = NoPosition
    if not changes:
        return factory, ()

    def changed(**sizes: Any) -> BaseAttention:
        return factory(**sizes, **changes)

    replaced = {"pattern": pattern, "position": position}
    parts = (f"{new.__name__} for {type(replaced[name]).__name__}" for name, new in changes.items())
    return changed, (f"cross-attention: {' and '.join(parts)}, as positions of target and source cannot be compared",)
