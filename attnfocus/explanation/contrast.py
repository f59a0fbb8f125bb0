"""Why this answer and not that one: what an explanation is held against.

Shapes: B examples, T outputs of an example.
"""

from __future__ import annotations

import torch
from torch import Tensor

from attnfocus.errors import ConfigError
from attnfocus.special import UNK
from attnfocus.tasks.base import Task
from attnfocus.tasks.probe import Probe


def foils_of(task: Task, probe: Probe, against: str) -> Tensor:
    """The foils (B, T) of a probe: log p(answer) / p(foil) is explained, of logits their difference   (Yin & Neubig
    2022, eq. 1-3, arXiv:2202.10419).

    A text of one token is the foil of every output; one of several stands token by token beside the answer.

    Raises:
        ConfigError: there is no such answer, it has another number of tokens, or it is the answer itself.
    """
    ids = task.answer_ids(against, "against")
    counts = sorted(set(probe.num_outputs.tolist()))
    if not ids or UNK in ids:
        raise ConfigError(f"against: the run knows no answer {against!r}. Name one that it could have given.")
    if len(ids) > 1 and counts != [len(ids)]:
        raise ConfigError(
            f"against: {against!r} has {len(ids)} tokens, and the answer has {' or '.join(map(str, counts))}. Give one "
            "token, which each output is held against, or as many as the answer has; target=... chooses another answer."
        )
    row = torch.tensor(ids, device=probe.answers.device)
    foils = row.expand(probe.answers.shape) if len(ids) == 1 else torch.zeros_like(probe.answers)
    if len(ids) > 1:
        foils[:, : len(ids)] = row
    if bool((probe.of_outputs(foils) == probe.of_outputs(probe.answers)).all()):
        raise ConfigError(f"against: {against!r} is the answer itself. Name another, or target=... in its place.")
    return foils
