"""How the maps of a few examples have changed since a run began: those of a few evaluations, evenly thinned.

Shapes: B examples, H heads, Q queries, K keys.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from attnfocus.layout import MAPS_FOLDER, MAPS_HISTORY_FILE
from attnfocus.regular_files import is_there, make_folder, read_file, replace_file
from attnfocus.tasks.looks import Size

logger = logging.getLogger(__name__)

MAX_EXAMPLES = 4
MAX_KEPT = 8  # evaluations, with the last
MAX_SIDE = 32  # queries and keys of a map; of more, blocks of them
MAX_NUMBERS = 2**17  # of one evaluation; with more, fewer examples
MAX_FILE_BYTES = 2**23  # what is kept takes 2 MiB, the rest is names, shapes and the steps of all evaluations
_STEPS = "steps"

Maps = Mapping[str, Tensor]  # (B, H, Q, K) by attention, 0 at padding
OfExample = Mapping[str, Tensor]  # (H, Q, K) by attention, float16


@dataclass
class MapHistory:
    """Attributes:
    steps: of all evaluations so far.
    kept: step -> the maps of each example, at every evaluation (every second, fourth, ... of more) and the last one.
    """

    steps: list[int] = field(default_factory=list)
    kept: dict[int, tuple[OfExample, ...]] = field(default_factory=dict)

    def add(self, step: int, maps: Maps, sizes: Mapping[str, Sequence[Size]]) -> None:
        """Adds an evaluation in place of those of the same and later steps, and thins what is kept.

        What is kept is a function of how many evaluations there were: a run that goes on after a kill ends with what
        it would have without.

        Args:
            sizes: of each attention and example how many queries and keys are no padding (`tasks.looks.map_sizes`).
        """
        self.go_back(step - 1)
        self.steps.append(step)
        self.kept[step] = _few_enough(maps, sizes)
        wanted = {*self.steps[:: stride_of(len(self.steps))], step}
        self.kept = {at: examples for at, examples in self.kept.items() if at in wanted}

    def go_back(self, last_step: int) -> None:
        """Forgets the evaluations after a step."""
        self.steps = [step for step in self.steps if step <= last_step]
        self.kept = {step: examples for step, examples in self.kept.items() if step <= last_step}

    def common(self) -> list[dict[str, Tensor]]:
        """Of each example that all kept evaluations have: attention -> (E, H, Q, K) over them, where all have it alike.

        Of an example without one it is empty, so that each stands at its place. They differ where a resumed run looks
        at fewer examples than before.
        """
        evaluations = list(self.kept.values())
        found = []
        for examples in zip(*evaluations, strict=False):
            names = [name for name in examples[0] if len({_shape(each, name) for each in examples}) == 1]
            found.append({name: torch.stack([each[name] for each in examples]) for name in names})
        return found if any(found) else []

    def write(self, run_dir: Path) -> None:
        """Raises:
        OSError: it cannot be written.
        """
        tensors = {_STEPS: torch.tensor(self.steps, dtype=torch.int64)}
        for step, examples in self.kept.items():
            for number, of_example in enumerate(examples):
                tensors |= {f"{step}/{number}/{name}": weights for name, weights in of_example.items()}
        make_folder(run_dir / MAPS_FOLDER)
        replace_file(run_dir / MAPS_FOLDER / MAPS_HISTORY_FILE, save(tensors))


def read_history(run_dir: Path) -> MapHistory:
    """What a run has kept; nothing where there is no file, or a damaged one, which the log says."""
    path = run_dir / MAPS_FOLDER / MAPS_HISTORY_FILE
    if not is_there(path):
        return MapHistory()
    try:
        tensors = load(read_file(path, MAX_FILE_BYTES))
        history, found = MapHistory(tensors.pop(_STEPS).tolist()), dict[int, dict[int, dict[str, Tensor]]]()
        for key in sorted(tensors, key=_place):
            step, number, name = _place(key)
            if tensors[key].dim() != 3:
                raise ValueError(f"{key} has the shape {tuple(tensors[key].shape)}")
            found.setdefault(step, {}).setdefault(number, {})[name] = tensors[key]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        logger.info("%s: no maps of earlier evaluations (%s)", path, error)
        return MapHistory()
    history.kept = {step: tuple(of.values()) for step, of in found.items()}
    return history


def stride_of(count: int) -> int:
    """Which of so many evaluations stay besides the last: every one, every second, every fourth, ..."""
    stride = 1
    while count > (MAX_KEPT - 1) * stride + 1:
        stride *= 2
    return stride


def in_blocks(weights: Tensor) -> Tensor:
    """(H, Q, K) -> at most 32 queries and 32 keys: of more, the weight that blocks of keys get, a mean over queries."""
    _, queries, keys = weights.shape
    if keys > MAX_SIDE:
        weights = _added(weights, 2)
    if queries > MAX_SIDE:
        weights = _added(weights, 1) / _added(torch.ones(1, queries, 1), 1)
    return weights


def _added(values: Tensor, axis: int) -> Tensor:
    """The sums of 32 blocks of an axis."""
    size, shape = values.shape[axis], list(values.shape)
    shape[axis] = MAX_SIDE
    return torch.zeros(shape).index_add_(axis, torch.arange(size) * MAX_SIDE // size, values)


def _few_enough(maps: Maps, sizes: Mapping[str, Sequence[Size]]) -> tuple[OfExample, ...]:
    found: list[OfExample] = []
    room = MAX_NUMBERS
    for number in range(min(MAX_EXAMPLES, *(len(each) for each in maps.values()))):
        of_example = {}
        for name, weights in maps.items():
            queries, keys = sizes[name][number]
            of_example[name] = in_blocks(weights[number, :, :queries, :keys].float()).half().contiguous()
        room -= sum(each.numel() for each in of_example.values())
        if room < 0:
            break
        found.append(of_example)
    return tuple(found)


def _shape(of_example: OfExample, name: str) -> tuple[int, ...]:
    return tuple(of_example[name].shape) if name in of_example else ()


def _place(key: str) -> tuple[int, int, str]:
    step, number, name = key.split("/", 2)
    return int(step), int(number), name
