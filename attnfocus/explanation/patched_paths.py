"""What a head restores by way of one later head alone: path patching (Wang et al. 2022, sec. 3.1, arXiv:2211.00593).

Shapes: N heads of the model, M of them at once, H heads of one attention, P positions, d size of one head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attnfocus.explanation.interventions import Noted, Part, Put, parts_of
from attnfocus.explanation.patched_pair import Pair
from attnfocus.focus.attributions import rows_at_once


@dataclass(frozen=True)
class Paths:
    """
    Attributes:
        heads: the N heads, in the order of the model: (attention, number).
        restored: (N, N) what a head (row) restores by way of another (column); 0 where the other comes before it.
    """

    heads: tuple[tuple[str, int], ...]
    restored: np.ndarray


class _Frozen:
    """Notes what the heads of an attention give, and puts (M, H, P, d) in its place."""

    def __init__(self, values: Tensor) -> None:
        self.noted = Noted()
        self._put = Put(values, torch.ones(values.shape[:-1], dtype=torch.bool, device=values.device))

    def __call__(self, own: Tensor) -> Tensor:
        return self._put(self.noted(own))


def patched_paths(pair: Pair) -> Paths:
    """From every head to every other.

    Read is the corrupted input, with all heads held at what they give there but one, which has its clean value: what a
    later head would make of that is noted. Then that alone is put into the later head.
    """
    parts = parts_of(pair.probe.model, "heads")
    clean, corrupted = pair.clean_values(parts), pair.corrupted_values(parts)
    heads = [(part, head) for part in parts for head in range(clean[part].shape[1])]
    size = rows_at_once(pair.probe.inputs.shape[1])
    rows = [_from(pair, heads[first : first + size], clean, corrupted) for first in range(0, len(heads), size)]
    names = tuple((part.name, head) for part, head in heads)
    return Paths(names, np.concatenate(rows))


def _from(
    pair: Pair, senders: list[tuple[Part, int]], clean: dict[Part, Tensor], corrupted: dict[Part, Tensor]
) -> np.ndarray:
    """What these heads (M) restore by way of each: (M, N)."""
    frozen = {}
    for part, values in corrupted.items():
        given = values.repeat(len(senders), 1, 1, 1)
        for row, (sender, head) in enumerate(senders):
            if sender == part:
                given[row, head] = clean[part][0, head]
        frozen[part] = _Frozen(given)
    pair.read(frozen, len(senders))
    columns = []
    for part, values in corrupted.items():
        made = frozen[part].noted.values
        for head in range(values.shape[1]):
            chosen = torch.zeros(made.shape[:-1], dtype=torch.bool, device=made.device)
            chosen[:, head] = True
            columns.append(pair.restored({part: Put(made, chosen)}, len(senders)))
    return torch.stack(columns, dim=1).float().cpu().numpy()
