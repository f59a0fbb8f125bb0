"""Two inputs that a model answers differently, and how near an answer is to that of the one or the other.

Shapes: M rows of one call, K input positions, P positions, T outputs, C classes or vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack

import torch
from torch import Tensor

from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation.interventions import Change, Noted, Part, changed
from attnfocus.tasks.base import Task
from attnfocus.tasks.maps import numbered
from attnfocus.tasks.probe import Probe


class Pair:
    """A clean and a corrupted input, and how far an answer is like that to the clean one.

    Args:
        probe: of the clean input alone.

    Attributes:
        output: the first output whose likeliest answer is another one with the corrupted input.
        answer, other: the numbers of both answers.
        clean, corrupted: the differences of their logits with each of the inputs.
    """

    def __init__(self, task: Task, probe: Probe, corrupted: Encoded) -> None:
        self.task, self.probe = task, probe
        batch = collate([corrupted]).to(probe.inputs.device)
        sizes = int(probe.lengths[0]), int(batch.input_lengths[0])
        if sizes[0] != sizes[1]:
            raise ConfigError(
                f"corrupted: has {sizes[1]} tokens, and the clean text {sizes[0]}. Give one of as many: each position "
                "of the one stands for the same of the other."
            )
        self._inputs, self._lengths = batch.inputs, batch.input_lengths
        own = self._logits(probe.inputs, {})[0]  # (T, C)
        others = self._logits(self._inputs, {})[0]
        self.is_number = own.shape[-1] == 1
        answers, changed_to = probe.answers[0], others.argmax(dim=-1)
        parting = [step for step in probe.steps.tolist() if self.is_number or answers[step] != changed_to[step]]
        if not parting:
            said = " ".join(probe.output_tokens(0))
            raise DataError(f"corrupted: is answered as the clean text is ({said}). Change what the answer rests on.")
        self.output = parting[0]
        self.answer, self.other = int(answers[self.output]), int(changed_to[self.output])
        self.clean, self.corrupted = (float(self.scores(each[None])) for each in (own, others))

    @property
    def names(self) -> tuple[str, str]:
        """What both answers are called; numbers are in deviations of train."""
        if self.is_number:
            return f"{self.clean:.4g}", f"{self.corrupted:.4g}"
        return self.probe.answer_name(self.answer), self.probe.answer_name(self.other)

    def scores(self, logits: Tensor) -> Tensor:
        """Answer less other (M,), of logits (M, T, C); of a task whose answer is a number, the number."""
        of_output = logits[:, self.output]
        return of_output[:, 0] if self.is_number else of_output[:, self.answer] - of_output[:, self.other]

    def restored(self, changes: Mapping[Part, Change], num_rows: int) -> Tensor:
        """How much of the answer comes back (M,) when the corrupted input is read with these changes."""
        scores = self.scores(self._logits(self._inputs, changes, num_rows))
        gap = self.clean - self.corrupted
        return (scores - self.corrupted) / (gap if gap else float("nan"))

    def clean_values(self, parts: Iterable[Part]) -> dict[Part, Tensor]:
        """What the parts give with the clean input: (1, ..., P, any)."""
        return self._values(self.probe.inputs, parts)

    def corrupted_values(self, parts: Iterable[Part]) -> dict[Part, Tensor]:
        """The same with the corrupted input."""
        return self._values(self._inputs, parts)

    def read(self, changes: Mapping[Part, Change], num_rows: int) -> None:
        """Reads the corrupted input with these changes, for what they note."""
        self._logits(self._inputs, changes, num_rows)

    def positions(self, part: Part, size: int) -> tuple[str, ...]:
        """What names the positions of a part: where a text is read, the token there, and in the corrupted text."""
        tokens = self.task.codec.input_tokens
        clean, other = (tokens(each[0].tolist()) for each in (self.probe.inputs, self._inputs))
        read = [one if one == two else f"{one}/{two}" for one, two in zip(clean, other, strict=True)]
        written = list(self.probe.output_tokens(0))
        if part.axis == "input":
            names = ["<cls>"] * self.probe.model.num_prepended + read
        elif part.axis == "output":
            names = written if "input" in self.probe.axis_lengths else read + written[:-1]
        else:
            names = list(numbered(part.name, size))
        return tuple([*names, *("" for _ in range(size))][:size])

    def _values(self, inputs: Tensor, parts: Iterable[Part]) -> dict[Part, Tensor]:
        noted = {part: Noted() for part in parts}
        self._logits(inputs, noted)
        return {part: each.values for part, each in noted.items()}

    def _logits(self, inputs: Tensor, changes: Mapping[Part, Change], num_rows: int = 1) -> Tensor:
        rows = torch.zeros(num_rows, dtype=torch.int64, device=inputs.device)
        with torch.no_grad(), ExitStack() as stack:
            for part, change in changes.items():
                stack.enter_context(changed(self.probe.model, part, change))
            return self.probe.logits_for(inputs[rows], self._lengths[rows], rows)
