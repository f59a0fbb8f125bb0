"""What each head of a model does, by its weights over some inputs, and what is lost without it, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.errors import DataError
from attnfocus.models.base import Model
from attnfocus.tasks.base import Task
from attnfocus.tasks.evaluation import device_of
from attnfocus.tasks.measures.head_names import Head, kind_counts, named_heads

Removal = Literal["mean", "zero"]
NUM_NAMED = 64  # examples, where no number is given
MAX_PAIRS = 2**20  # examples times squared length: of long inputs fewer are read


@dataclass(frozen=True)
class HeadTable:
    """The heads of a model, in its order.

    Attributes:
        num_examples, split: what it was measured on.
        removal: what was put in the place of a head to find its cost; None: no costs were measured.
        metrics: of these examples with all heads; empty without costs.
    """

    heads: Sequence[Head]
    num_examples: int
    split: str = "test"
    removal: Removal | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Attention -> the kind of each of its heads."""
        found: dict[str, tuple[str, ...]] = {}
        for head in self.heads:
            found[head.attention] = (*found.get(head.attention, ()), head.kind)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """How many heads are of each kind, in the order of the kinds."""
        return {kind: count for kind, count in kind_counts(self.heads).items() if count}

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "heads": [dict(vars(head)) for head in self.heads], "counts": self.counts}


def name_heads(task: Task, model: Model, examples: Sequence[Encoded], *, num_examples: int, split: str) -> HeadTable:
    """Every head with its kind, by the weights over the first examples that the model can read.

    Attentions that give no weights have no rows here.

    Raises:
        DataError: the model can read none of them.
    """
    chosen = readable_examples(model, examples, num_examples, split)
    batch = collate(chosen).to(device_of(model))
    return HeadTable(named_heads(task, model, batch, task.maps(model, batch)), len(chosen), split)


def readable_examples(model: Model, examples: Sequence[Encoded], num_examples: int, split: str) -> list[Encoded]:
    """The first examples that the model can read; of long ones fewer.

    Raises:
        DataError: there is none.
    """
    longest, chosen, pairs = model.max_input_length, list[Encoded](), 0
    for example in examples:
        size = len(example.inputs)
        if size == 0 or (longest is not None and size > longest):
            continue
        pairs = max(pairs, size**2)
        if len(chosen) == num_examples or (chosen and pairs * (len(chosen) + 1) > MAX_PAIRS):
            break
        chosen.append(example)
    if not chosen:
        raise DataError(f"heads: the model can read no example of {split}.")
    return chosen
