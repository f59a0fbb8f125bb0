"""Which factors go together: one place that says no, why, and what works instead."""

from attnfocus.attention import paths
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.patterns.dense import FullPattern
from attnfocus.attention.positions.base import NoPosition


def check(attention: Algebra) -> None:
    """Refuses factors that make no sense together.

    Raises:
        ValueError: the factors, the reason, and what works.
    """
    problem = why_not(attention)
    if problem is not None:
        raise ValueError(problem)


def why_not(attention: Algebra) -> str | None:
    """What is wrong with the combination, in one line, or None."""
    score, position = type(attention.score).__name__, type(attention.position).__name__
    if attention.position.needs_rotation_invariance and not attention.score.is_rotation_invariant:
        return (
            f"{position} turns queries and keys, and {score} does not compare them by the angle between them: use "
            "attention/score=scaled_dot, dot or cosine, or attention/position=t5 or alibi, which work under any score."
        )
    if attention.normalizer.needs_positive and attention.score.is_never_positive:
        return (
            f"{score} is never above 0, and {type(attention.normalizer).__name__} gives weight to nothing else: use "
            "attention/normalizer=softmax, or attention/score=scaled_dot."
        )
    if attention.uses_history:
        # A step knows no position, so every rule over positions would be passed over in silence.
        rule = None if isinstance(attention.position, NoPosition) else position
        rule = rule if isinstance(attention.pattern, FullPattern) else type(attention.pattern).__name__
        if rule is not None:
            return (
                f"{attention.history_factor} follows where a decoder looked step by step in another sequence, where "
                f"{rule} has no meaning: use attention/pattern=full and attention/position=none."
            )
    reason = paths.why_not(attention, attention.wanted_path)
    if reason is None:
        return None
    return f"path={attention.wanted_path} cannot run this: {reason}. Use path=auto, which takes the fastest that can."
