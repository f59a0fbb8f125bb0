"""Which examples make a batch, and the tensors of one.

Shapes: B examples, L the longest input of the batch, D numbers of a vector, T the longest target with BOS and EOS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from attnfocus.data.codecs.base import Encoded
from attnfocus.data.packing import Packing
from attnfocus.data.rows import Row
from attnfocus.special import PAD

BatchUnit = Literal["sentences", "tokens"]

WINDOW_BATCHES = 200  # sorted by length together: more means less padding, fewer a more thorough shuffle


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples as tensors, padded with PAD (token ids) or 0 (vectors).

    Args:
        inputs: token ids (B, L) int64 or vectors (B, L, D) float32.
        input_lengths: (B,) int64.
        targets: token ids (B, T) int64 with BOS and EOS, or classes (B,) int64.
        target_lengths: (B,) int64, BOS and EOS counted; None for classes.
        num_words: words of all sources and targets, for throughput.
        target_counts: of each example how many targets the loss sums over: tokens after BOS, or 1.
        is_real: False for a stand-in, whose loss counts nothing.
        packing: how a model is to lay the examples side by side; None: each has a row.
    """

    ids: tuple[str, ...]
    rows: tuple[Row, ...]
    inputs: Tensor
    input_lengths: Tensor
    targets: Tensor
    target_lengths: Tensor | None
    num_words: int
    target_counts: tuple[int, ...]
    is_real: bool = True
    packing: Packing | None = None

    @cached_property
    def num_targets(self) -> int:
        """What the loss is a sum over."""
        return sum(self.target_counts)

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch with its tensors on `device`."""
        lengths = self.target_lengths
        return replace(
            self,
            inputs=self.inputs.to(device, non_blocking=non_blocking),
            input_lengths=self.input_lengths.to(device, non_blocking=non_blocking),
            targets=self.targets.to(device, non_blocking=non_blocking),
            target_lengths=None if lengths is None else lengths.to(device, non_blocking=non_blocking),
        )

    def split(self, parts: int) -> list[Batch]:
        """The same examples in up to `parts` batches of about one size, each as wide as its longest example."""
        size = -(-len(self) // parts)
        return [self] if parts == 1 else [self._rows(slice(i, i + size)) for i in range(0, len(self), size)]

    def _rows(self, rows: slice) -> Batch:
        """Some of the examples. Their words are counted as their share of the examples."""
        lengths, targets, target_lengths = self.input_lengths[rows], self.targets[rows], None
        num_rows = len(lengths)
        if self.target_lengths is not None:
            target_lengths = self.target_lengths[rows]
            targets = targets[:, : int(target_lengths.max())]
        return Batch(
            ids=self.ids[rows],
            rows=self.rows[rows],
            inputs=self.inputs[rows, : int(lengths.max())],
            input_lengths=lengths,
            targets=targets,
            target_lengths=target_lengths,
            num_words=self.num_words * num_rows // len(self),
            target_counts=self.target_counts[rows],
            is_real=self.is_real,
            packing=None if self.packing is None else Packing.of(self.packing.lengths[rows], self.packing.limit),
        )


def collate(examples: Sequence[Encoded], packed: int | None = None) -> Batch:
    """One batch of examples that are all of one kind.

    Args:
        packed: positions of a row in which several of them are to stand; None: each has a row.

    Raises:
        ValueError: no examples.
    """
    if not examples:
        raise ValueError("a batch needs at least one example")
    inputs, input_lengths = _pad([np.asarray(example.inputs) for example in examples])
    target_lengths = None
    first = examples[0].targets
    if isinstance(first, np.ndarray):
        targets, target_lengths = _pad([np.asarray(example.targets) for example in examples])
    else:
        kind = torch.float32 if isinstance(first, float) else torch.int64
        targets = torch.tensor([example.targets for example in examples], dtype=kind)
    return Batch(
        ids=tuple(example.id for example in examples),
        rows=tuple(example.row for example in examples),
        inputs=inputs,
        input_lengths=input_lengths,
        targets=targets,
        target_lengths=target_lengths,
        num_words=sum(example.num_words for example in examples),
        target_counts=tuple(example.num_targets for example in examples),
        packing=None if packed is None else Packing.of(input_lengths.tolist(), packed),
    )


def _pad(sequences: Sequence[NDArray[Any]]) -> tuple[Tensor, Tensor]:
    """Sequences (L_i, ...) as one tensor (B, L, ...), and their lengths (B,)."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    is_ids = np.issubdtype(sequences[0].dtype, np.integer)
    shape = (len(sequences), int(lengths.max()), *sequences[0].shape[1:])
    padded = np.full(shape, PAD if is_ids else 0, dtype=np.int64 if is_ids else np.float32)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(padded), torch.from_numpy(lengths)


def example_lengths(examples: Sequence[Encoded]) -> NDArray[np.int64]:
    """(N, 2): positions of each input, and of its target with BOS and EOS (0 where it is a class or a number)."""
    pairs = [(len(e.inputs), len(e.targets) if isinstance(e.targets, np.ndarray) else 0) for e in examples]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


class BatchPlan:
    """Which examples form which batch, in which order: a pure function of (seed, epoch).

    Per epoch: shuffle; cut into windows of about 200 batches; sort each window by length, so that examples of like
    length meet and little is padding; cut it into batches; shuffle the batches. Every example is in one batch.

    Args:
        lengths: (N, 2) source and target lengths as `example_lengths` gives them, or (N,) of one side only.
        batch_size: the most that a batch holds, counted in `batch_unit`.
        batch_unit: `sentences`: examples. `tokens`: cells of the padded batch, that is
            B * (longest source + longest target), padding, BOS and EOS included. An example that is longer than that
            forms a batch of its own.
        seed: >= 0.
    """

    def __init__(self, lengths: ArrayLike, batch_size: int, batch_unit: BatchUnit, seed: int) -> None:
        array = np.asarray(lengths, dtype=np.int64)
        self._lengths = array[:, np.newaxis] if array.ndim == 1 else array
        self._batch_size = batch_size
        self._batch_unit = batch_unit
        self.seed = seed

    @property
    def num_examples(self) -> int:
        return len(self._lengths)

    def epoch(self, number: int) -> list[list[int]]:
        """The batches of epoch `number` (from 0) as lists of example numbers."""
        random = np.random.default_rng([self.seed, number])
        order = random.permutation(self.num_examples)
        size = self._window_size()
        windows = [order[start : start + size] for start in range(0, len(order), size)]
        batches = [batch for window in windows for batch in self._cut(self._by_length(window))]
        return [batches[i] for i in random.permutation(len(batches))]

    def fixed(self) -> list[list[int]]:
        """The batches for evaluation: the longest first, so that a lack of memory shows at once; no randomness."""
        return self._cut(self._by_length(np.arange(self.num_examples))[::-1])

    def _window_size(self) -> int:
        """Examples in a window: a multiple of the batch size, so that at most one batch is not full."""
        if self._batch_unit == "sentences":
            return WINDOW_BATCHES * self._batch_size
        mean = float(self._lengths.sum(axis=1).mean()) if self.num_examples else 1.0
        return max(1, int(WINDOW_BATCHES * self._batch_size / max(mean, 1.0)))

    def _by_length(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Shortest source first; equal ones keep their order, which is random.

        Among sources of one length targets ascend, among the next descend, and so on: a batch that begins in the one
        and ends in the other then holds targets of like length too (Multi30k: 4 % of padding instead of 6).
        """
        first, *others = self._lengths[numbers].T
        others = [np.where(first % 2, -each, each) for each in others]
        return numbers[np.lexsort([*others, first])]

    def _cut(self, numbers: NDArray[np.int64]) -> list[list[int]]:
        examples: list[int] = numbers.tolist()
        if self._batch_unit == "sentences":
            return [examples[i : i + self._batch_size] for i in range(0, len(examples), self._batch_size)]
        batches: list[list[int]] = []
        longest: list[int] = []
        for example, lengths in zip(examples, self._lengths[numbers].tolist(), strict=True):
            widened = [max(pair) for pair in zip(longest, lengths, strict=True)] if longest else lengths
            if longest and (len(batches[-1]) + 1) * sum(widened) <= self._batch_size:
                batches[-1].append(example)
                longest = widened
            else:
                batches.append([example])
                longest = lengths
        return batches
