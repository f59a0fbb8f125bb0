"""Which factors go together: one place that says no, why, and what works instead."""

from typing import TYPE_CHECKING

from attnfocus.attention import paths

if TYPE_CHECKING:
    from attnfocus.attention.attention import Attention


def check(attention: "Attention") -> None:
    """Refuses factors that make no sense together.

    Raises:
        ValueError: the factors, the reason, and what works.
    """
    problem = why_not(attention)
    if problem is not None:
        raise ValueError(problem)


def why_not(attention: "Attention") -> str | None:
    """What is wrong with the combination, in one line, or None."""
    score, position = type(attention.score).__name__, type(attention.position).__name__
    if attention.position.needs_rotation_invariance and not attention.score.is_rotation_invariant:
        return (
            f"{position} turns queries and keys, and {score} does not compare them by the angle between them: use "
            "attention/score=scaled_dot, dot or cosine, or attention/position=t5 or alibi, which work under any score."
        )
    if attention.uses_history:
        step = score if attention.score.uses_history else type(attention.normalizer).__name__
        if attention.same_sequence_only or attention.pattern.is_selective:
            rule = position if attention.position.same_sequence_only else type(attention.pattern).__name__
            return (
                f"{step} follows where a decoder looked step by step in another sequence, where {rule} has no "
                "meaning: use attention/pattern=full and attention/position=none."
            )
    return paths.why_not(attention, attention.wanted_path)
