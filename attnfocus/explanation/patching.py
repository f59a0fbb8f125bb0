"""Cause: which parts of a model carry what tells two inputs apart.

A model answers A to the clean input and B to the corrupted one. It reads the corrupted one again, with one of its parts
set to the value that it has with the clean one: how much of the answer comes back? (Activation patching: Vig et al.
2020, arXiv:2004.12265; Meng et al. 2022, arXiv:2202.05262; Wang et al. 2022, arXiv:2211.00593.)

Shapes: M rows of one call, H heads, P positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attnfocus.data.codecs.base import Encoded
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import ConfigError
from attnfocus.explanation.attribution import probe_of
from attnfocus.explanation.interventions import Kind, Part, Put, parts_of
from attnfocus.explanation.patched_pair import Pair
from attnfocus.explanation.patched_paths import Paths, patched_paths
from attnfocus.focus.attributions import rows_at_once
from attnfocus.models.base import Model
from attnfocus.stages import counted
from attnfocus.tasks.base import Task

MAX_RUNS = 20_000  # of the model, for one pair of inputs
NOISE = 1e-5  # what float32 makes of nothing


@dataclass(frozen=True)
class Patched:
    """What one part restores: 0 as the corrupted input is answered, 1 as the clean one; also below 0 and above 1.

    Attributes:
        kind, name: which part; see `interventions.Part`.
        heads: numbers of its H heads; of states the one number 0.
        positions: what names its P positions.
        whole: (H,) with the clean value at all positions.
        by_position: (H, P) with the clean value at one position alone.
    """

    kind: Kind
    name: str
    heads: tuple[int, ...]
    positions: tuple[str, ...]
    whole: np.ndarray
    by_position: np.ndarray


@dataclass(frozen=True)
class Patching:
    """What putting parts of the clean input's run into the corrupted one's restores.

    Attributes:
        answer, other: what is answered to the clean and to the corrupted input, where the two first part.
        output: the number of that token among those written; 0 for a label.
        clean, corrupted: the difference of their logits, answer less other, with each of the inputs.
        parts: of every kind that was asked for, in the order of the model.
        paths: what each head restores by way of each later one alone; None where it was not asked for.
    """

    answer: str
    other: str
    output: int
    clean: float
    corrupted: float
    parts: tuple[Patched, ...]
    paths: Paths | None = None

    def of_kind(self, kind: Kind) -> tuple[Patched, ...]:
        return tuple(each for each in self.parts if each.kind == kind)


def patch(
    task: Task,
    model: Model,
    clean: Encoded,
    corrupted: Encoded,
    kinds: Sequence[Kind] = ("heads", "states"),
    *,
    with_paths: bool = False,
    target: str | None = None,
    decoding: DecodingOptions | None = None,
) -> Patching:
    """What each part of the model restores, by itself.

    Args:
        clean, corrupted: two inputs of as many tokens that are answered differently.
        kinds: of the parts: heads, weights, states.
        with_paths: also from each head to each later one.
        target: the answer to the clean input; None: the model's own.

    Raises:
        ConfigError: inputs of different length, or too many parts and positions.
        DataError: an input that cannot be read, or two inputs with the same answer.
    """
    pair = Pair(task, probe_of(task, model, [clean], target, decoding), corrupted)
    parts = [part for kind in kinds for part in parts_of(pair.probe.model, kind)]
    values = pair.clean_values(parts)
    num_runs = sum(_num_heads(values[part]) * (values[part].shape[-2] + 1) for part in parts)
    if num_runs > MAX_RUNS:
        raise ConfigError(
            f"corrupted: this text would take {num_runs:,} runs of the model, one for each head and position; at most "
            f"{MAX_RUNS:,} are made. Give a shorter text."
        )
    shown = counted(parts, "putting values back", len(parts))
    found = tuple(_patched(pair, part, values[part]) for part in shown)
    paths = patched_paths(pair) if with_paths else None
    return Patching(*pair.names, pair.output, pair.clean, pair.corrupted, found, paths)


def _num_heads(values: Tensor) -> int:
    """Of values (1, H, P, any); states (1, P, any) count as one head."""
    return values.shape[1] if values.dim() == 4 else 1


def _patched(pair: Pair, part: Part, values: Tensor) -> Patched:
    num_heads, size = _num_heads(values), values.shape[-2]
    heads, found = tuple(range(num_heads)), []
    for rows in torch.arange(num_heads + num_heads * size).split(rows_at_once(pair.probe.inputs.shape[1])):
        chosen = torch.zeros(len(rows), num_heads * size, dtype=torch.bool)
        is_whole = rows < num_heads
        chosen[~is_whole, rows[~is_whole] - num_heads] = True
        chosen = chosen.view(-1, num_heads, size)
        chosen[is_whole, rows[is_whole]] = True
        chosen = (chosen if values.dim() == 4 else chosen[:, 0]).to(values.device)
        found.append(pair.restored({part: Put(values, chosen)}, len(rows)))
    restored = torch.cat(found).float().cpu().numpy()
    restored[np.abs(restored) < NOISE] = 0
    by_position = restored[num_heads:].reshape(num_heads, size)
    by_position = by_position[:, ::-1] if part.is_backward else by_position
    return Patched(part.kind, part.name, heads, pair.positions(part, size), restored[:num_heads], by_position)
