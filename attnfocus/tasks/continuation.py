"""How a language model goes on with a text: as a model that writes token by token, for the searches of `decoding`.

Shapes: N rows (texts, or hypotheses of a beam), S tokens read, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from attnfocus.decoding import DecodingOptions, Hypothesis, decode_best
from attnfocus.models.base import LanguageModel
from attnfocus.models.outputs import untracked_scores
from attnfocus.models.stepwise import select_rows


class _Read(NamedTuple):
    """A text that was read but for its last token, from which the writing goes on."""

    last: Tensor | None  # (N,); None once it was read
    state: Any


class _Writer:
    """A `decoding.StepModel`: what it reads first is the last token of the text, where a translator reads BOS."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    def encode(self, source: Tensor, lengths: Tensor) -> _Read:
        """source (N, S), without padding."""
        state = self.model.start(len(source))
        if source.shape[1] > 1:
            _, state = self.model.read(source[:, :-1], state)
        return _Read(source[:, -1], state)

    def start(self, memory: _Read) -> _Read:
        return memory

    def step(self, tokens: Tensor, state: _Read, memory: Any, need_weights: bool = False) -> tuple[Tensor, _Read, None]:
        tokens = tokens if state.last is None else state.last
        output, after = self.model.read(tokens.unsqueeze(1), state.state)
        logits = untracked_scores(output.readout.squeeze(1), output.output_weight, output.output_bias)
        return logits, _Read(None, after), None

    def select(self, tree: Any, index: Tensor) -> Any:
        return select_rows(tree, index)


def continuations(
    model: LanguageModel, inputs: Tensor, lengths: Tensor, options: DecodingOptions
) -> list[list[Hypothesis]]:
    """What follows on each text of inputs (B, L) of `lengths` (B,), all > 0, as `decode_best` gives it.

    Texts of one length are written side by side, as no padding can stand between a text and what follows.
    """
    writer, found = _Writer(model), dict[int, list[Hypothesis]]()
    for size, numbers in _by_length(lengths.tolist()):
        index = torch.tensor(numbers, device=inputs.device)
        hypotheses = decode_best(writer, inputs[index, :size], lengths[index], _within_reach(options, model, size))
        found |= zip(numbers, hypotheses, strict=True)
    return [found[number] for number in range(len(inputs))]


def _by_length(lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    for size in sorted(set(lengths)):
        yield size, [number for number, length in enumerate(lengths) if length == size]


def _within_reach(options: DecodingOptions, model: LanguageModel, size: int) -> DecodingOptions:
    """The options without continuations that are longer than the model can write after `size` tokens."""
    if model.max_output_length is None:
        return options
    room = model.max_output_length - size + 1  # the last token that is written is not read
    if options.ends_at_limit:
        room = max(room - 1, 1)  # EOS is read off the position of the last token
    return replace(options, max_length=min(options.max_length, room))
