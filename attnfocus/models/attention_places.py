"""The three places of attention in an encoder-decoder Transformer, and what each asks of an attention.

encoder self   looks at all of the source
decoder self   never looks ahead: the model cuts the attention's own pattern there
cross          from the target to the source, where positions of the two cannot be compared
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import torch

from attnfocus.attention import BaseAttention, FullPattern, NoPosition, Pattern, Position, looking_back
from attnfocus.limits import Choice


class AttentionFactory(Protocol):
    """Builds an attention once the sizes are known: an attention class, or a `functools.partial` of one."""

    def __call__(self, **sizes: Any) -> BaseAttention: ...


# The attention of one place; None: that of all places.
OwnAttention = Annotated[AttentionFactory, Choice("attention")] | None


@dataclass(frozen=True)
class AttentionPlaces:
    """What makes the attentions of each place, and what was changed in one preset that serves all places."""

    encoder: AttentionFactory
    decoder: AttentionFactory
    cross: AttentionFactory
    notes: tuple[str, ...]


def attention_places(
    shared: AttentionFactory,
    sizes: dict[str, Any],
    *,
    encoder: AttentionFactory | None = None,
    decoder: AttentionFactory | None = None,
    cross: AttentionFactory | None = None,
) -> AttentionPlaces:
    """Fits attentions to the places; `shared` serves those that have none of their own.

    Args:
        sizes: what each is built with.

    Raises:
        ValueError: an attention that cannot serve its place: why, and what works.
    """
    for_encoder = encoder or shared
    _require_no_steps(_trial(for_encoder, sizes), "encoder")
    _require_no_steps(_trial(decoder or shared, sizes), "decoder")
    for_decoder = looking_back_only(
        decoder or shared, sizes, "the decoder's self-attention", "attention@model.decoder_attention=multi_head"
    )
    for_cross, changes = (cross, ()) if cross is not None else _between_sequences(shared, sizes)
    if _trial(for_cross, sizes).same_sequence_only:
        raise ValueError(
            f"{_name(for_cross, sizes)} compares positions of one sequence, and the cross-attention goes from "
            "the target to the source: use one without positions there, as in "
            "attention@model.cross_attention=multi_head."
        )
    return AttentionPlaces(for_encoder, for_decoder, for_cross, changes)


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
    if trial.decoders_only:
        raise ValueError(
            f"this attention goes by the steps of a decoder through a source, which {place} has not: use another one "
            f"there, as in {instead}."
        )
    pattern = getattr(trial, "pattern", None)
    reason = f"{type(trial).__name__} has no pattern that could be cut"
    if isinstance(pattern, Pattern):
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
