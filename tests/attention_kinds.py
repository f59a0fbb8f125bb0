"""One attention preset of each kind that a model can tell from the others, and which classifier takes it."""

from collections.abc import Iterable

from pairs import Choice
from presets_support import attentions

from attnfocus.attention import BaseAttention


def _as_models_see_it(attention: BaseAttention) -> tuple[object, ...]:
    return (
        type(attention),
        attention.same_sequence_only,
        attention.sees_everything,
        attention.decoders_only,
        attention.uses_history,
        attention.weights_are_distributions,
        attention.has_projections,
    )


# All of them meet the attention's own contract.
PRESETS = sorted({_as_models_see_it(attention): name for name, attention in reversed(attentions().items())}.values())


def applies(preset: str, kind: str) -> bool:
    """Whether the classifier of this kind takes the attention."""
    attention = attentions()[preset]
    if attention.decoders_only:
        return False
    if kind == "transformer_cls":
        return attention.sees_everything
    return kind == "transformer_mean" or not attention.same_sequence_only


def taken_by(kinds: Iterable[str]) -> list[str]:
    """The presets that some of the classifiers take."""
    return [preset for preset in PRESETS if any(applies(preset, kind) for kind in kinds)]


def together(first: Choice, second: Choice) -> bool:
    """For `parametrize_pairs` over `kind`, `preset`, and whatever else."""
    given = dict((first, second))
    return not {"kind", "preset"} <= set(given) or applies(given["preset"], given["kind"])
