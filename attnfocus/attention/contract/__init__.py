"""The promises that every attention keeps, as checks for an attention of your own.

    from attnfocus.attention.contract import check_promises

    check_promises(functools.partial(Attention, score=MyScore))

What applies is read from the attention itself: one that compares positions is checked in self-attention, one that
follows a decoder runs step by step and never looks at itself, one whose weights are no distributions need not sum to
1, one that says by a ValueError that it takes masks of padding only is given no others, and one with a
`head_mask_problem` must refuse masks of heads.

Shapes: B items, H heads, Q queries, K keys, D sizes. Masks are bool, True = may attend.
"""

from collections.abc import Sequence

from attnfocus.attention.contract.crash import AttentionCrashError
from attnfocus.attention.contract.masks import (
    check_garbage,
    check_head_masks,
    check_masked_positions,
    check_nothing_to_attend,
    check_own_garbage,
    check_padding,
)
from attnfocus.attention.contract.results import (
    check_gradients,
    check_leading_dimensions,
    check_paths,
    check_pieces,
    check_precision,
    check_weights,
)
from attnfocus.attention.contract.trial import Check, Factory

__all__ = ["CHECKS", "AttentionCrashError", "Check", "Factory", "check_promises"]

CHECKS: Sequence[Check] = (
    check_padding,
    check_masked_positions,
    check_garbage,
    check_own_garbage,
    check_head_masks,
    check_nothing_to_attend,
    check_weights,
    check_paths,
    check_gradients,
    check_precision,
    check_leading_dimensions,
    check_pieces,
)


def check_promises(factory: Factory) -> None:
    """Runs every check. Each one of `CHECKS` can also be called by itself.

    Args:
        factory: makes the attention from `query_dim` and `key_dim`: a `functools.partial` of its class.

    Raises:
        AssertionError: a promise that is not kept, by name, and how.
        AttentionCrashError: an AssertionError, too: the attention's own code raised an exception; where, and what was
            called with which shapes.
        ConfigError: the factory lacks an argument, has one too many, or makes no attention.
        ValueError: the factory's own refusal of its options.
    """
    for check in CHECKS:
        check(factory)
