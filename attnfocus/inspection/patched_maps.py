"""What putting parts of one input's run into another's restores, as maps to be drawn.

Shapes: A attentions, H heads, N heads of all attentions, S layers, P positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from attnfocus.data.codecs.base import Encoded
from attnfocus.errors import ConfigError, Problem
from attnfocus.explanation.patching import Patched, Patching, patch
from attnfocus.inspection.examples import PATCHES, Choice, Trained, is_part
from attnfocus.tasks import FocusMap, Inspected


def patched_maps(found: Patching, methods: Sequence[str]) -> tuple[FocusMap, ...]:
    """Of each method a map, or several where parts have other heads or positions than others.

    patch_heads, patch_weights: attentions x heads (1, A, H). patch_positions: heads x positions (1, N, P).
    patch_states: layers x positions (1, S, P).
    """
    return tuple(each for method in methods for each in _maps_of(method, found.of_kind(PATCHES[method])))


def answers_line(found: Patching) -> str:
    """What was measured, for people."""
    return (
        f"answer {found.answer}, with the corrupted text {found.other}; logits of {found.answer} less {found.other}: "
        f"{found.clean:.2f} and {found.corrupted:.2f}. Below: the share of this difference that comes back"
    )


def _maps_of(method: str, parts: Sequence[Patched]) -> list[FocusMap]:
    by_position = method in ("patch_positions", "patch_states")
    groups: dict[tuple[object, ...], list[Patched]] = {}
    for part in parts:
        groups.setdefault(part.positions if by_position else part.heads, []).append(part)
    maps = []
    for group in groups.values():
        if by_position:
            rows = [_row_name(each, head) for each in group for head in each.heads]
            columns, values = group[0].positions, np.concatenate([each.by_position for each in group])
        else:
            rows, columns = [each.name for each in group], tuple(f"head {head}" for head in group[0].heads)
            values = np.stack([each.whole for each in group])
        name = "" if len(groups) == 1 else group[0].name
        maps.append(FocusMap(method, name, values[np.newaxis], tuple(rows), columns, (0,)))
    return maps


def _row_name(each: Patched, head: int) -> str:
    return each.name if each.kind == "states" else f"{head} of {each.name}"


def check_patches(methods: Sequence[str], num_texts: int, corrupted: str | None, has_minus: bool) -> None:
    """What can be said before a model is asked.

    Raises:
        ConfigError: methods and inputs that do not go together.
    """
    named = [method for method in methods if method in PATCHES]
    if corrupted is None:
        if named:
            text = (
                f"method: {named[0]} compares two texts. Give the other one, too: corrupted='...', of as many tokens."
            )
            raise ConfigError(Problem(text, "corrupted"))
        return
    if not named:
        raise ConfigError(f"corrupted: is for method={', '.join(PATCHES)}. Name one of them, or leave method out.")
    if num_texts != 1:
        raise ConfigError("corrupted: goes with one text=..., of which it changes what the answer rests on.")
    if has_minus:
        raise ConfigError("corrupted and minus: choose one of them.")


def with_patches(
    trained: Trained, example: Encoded, answer: Inspected, corrupted: Encoded, choice: Choice
) -> tuple[Inspected, str]:
    """The answer with the maps of those of `choice.methods` that compare two inputs, and what was measured, for people.

    Raises:
        ConfigError, DataError: as `patch`.
    """
    methods = [method for method in choice.methods or () if method in PATCHES]
    kinds = list(dict.fromkeys(PATCHES[method] for method in methods))
    found = patch(trained.task, trained.model, example, corrupted, kinds, decoding=trained.decoding)
    parts = tuple(part for each in found.parts for part in _chosen(each, choice))
    maps = patched_maps(replace(found, parts=parts), methods)
    if not maps:
        raise ConfigError(f"method: this run has no part for {', '.join(methods)}. Use method=patch_heads.")
    return replace(answer, maps=(*answer.maps, *maps)), answers_line(found)


def _chosen(each: Patched, choice: Choice) -> list[Patched]:
    """The part with the layer and the head that are meant; none where it has them not."""
    if choice.layer is not None and not is_part(str(choice.layer), each.name):
        return []
    if choice.head is None or each.kind == "states":
        return [each]
    kept = slice(choice.head, choice.head + 1)
    own = replace(each, heads=each.heads[kept], whole=each.whole[kept], by_position=each.by_position[kept])
    return [own] if own.heads else []
