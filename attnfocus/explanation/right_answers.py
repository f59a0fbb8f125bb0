"""The tokens that a model says, beside those that are right: whether it has learned anything that could be explained.

Shapes: B examples, L positions of a text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.focus.right_tokens import right_shares
from attnfocus.special import EOS, PAD
from attnfocus.tasks.base import Task
from attnfocus.tasks.measures.next_tokens import next_tokens
from attnfocus.tasks.probe import Probe


def shares_of_right_tokens(task: Task, probe: Probe, examples: Sequence[Encoded], seed: int) -> NDArray[np.float64]:
    """As `focus.right_tokens.right_shares`: (B, 2), NaN for a task whose answers are no texts.

    What is written is compared in order with what should have been written. A language model's likeliest tokens are
    compared in place, each given all that truly stands before it. The seed chooses the other inputs.
    """
    if task.writes:
        answers = [_without_end(probe.answers[number, :size].tolist()) for number, size in enumerate(probe.num_outputs)]
        right = [_without_end(np.asarray(each.targets)[1:].tolist()) for each in examples]
    elif task.continues:
        answers, right = _next_tokens(probe, examples)
    else:
        return np.full((len(examples), 2), np.nan)
    return right_shares(answers, right, np.random.default_rng(seed), in_place=not task.writes)


def _without_end(ids: list[int]) -> list[int]:
    return ids[:-1] if ids and ids[-1] == EOS else ids


def _next_tokens(probe: Probe, examples: Sequence[Encoded]) -> tuple[list[list[int]], list[list[int]]]:
    """Of each text the likeliest token at each place that is asked for, and the one that stands there."""
    batch = collate(examples).to(probe.inputs.device)
    with torch.no_grad():
        found = next_tokens(probe.model(batch.inputs, batch.input_lengths), batch.targets)
    pairs = [(best[asked != PAD], asked[asked != PAD]) for best, asked in zip(found.best, found.expected, strict=True)]
    return [best.tolist() for best, _ in pairs], [asked.tolist() for _, asked in pairs]
