"""How a language model goes on with a text: as a model that writes token by token, for the searches of `decoding`.

Shapes: N rows (texts, or hypotheses of a beam), S tokens read, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from attnfocus.decoding import DecodingOptions, Hypothesis, decode_best
from attnfocus.models.base import LanguageModel
from attnfocus.models.outputs import untracked_scores
from attnfocus.models.stepwise import select_rows


class _Read(NamedTuple):
    """A text that was read but for its last token, from which the writing goes on.

    Attributes:
        last: (N,) the token to be read next; None once the search gives it.
        tokens: (N, S) those that `state` has read.
    """

    last: Tensor | None
    tokens: Tensor
    state: Any


class _Writer:
    """A `decoding.StepModel`: what it reads first is the last token of the text, where a translator reads BOS.

    Args:
        reach: the most tokens that the model was trained on at a time. Where a text becomes longer its last
            reach // 2 + 1 are read anew, as if it began there, so that writing can go on for any length.
        heard: is told each token (N,) that was written, but for the last, which nothing follows.
    """

    def __init__(
        self, model: LanguageModel, reach: int | None = None, heard: Callable[[Tensor], None] | None = None
    ) -> None:
        self.model = model
        self._reach = reach
        self._heard = heard

    def encode(self, source: Tensor, lengths: Tensor) -> _Read:
        """source (N, S), without padding."""
        state = self.model.start(len(source))
        if source.shape[1] > 1:
            _, state = self.model.read(source[:, :-1], state)
        return _Read(source[:, -1], source[:, :-1], state)

    def start(self, memory: _Read) -> _Read:
        return memory

    def step(self, tokens: Tensor, state: _Read, memory: Any, need_weights: bool = False) -> tuple[Tensor, _Read, None]:
        if state.last is not None:
            tokens = state.last
        elif self._heard is not None:
            self._heard(tokens)
        added, before = tokens.unsqueeze(1), state.state
        read = torch.cat([state.tokens, added], dim=1)
        if self._reach is not None and read.shape[1] > self._reach:
            added = read = read[:, -(self._reach // 2 + 1) :]
            before = self.model.start(len(read))
        output, after = self.model.read(added, before)
        logits = untracked_scores(output.readout[:, -1], output.output_weight, output.output_bias)
        return logits, _Read(None, read, after), None

    def select(self, tree: Any, index: Tensor) -> Any:
        return select_rows(tree, index)


def continuations(
    model: LanguageModel,
    inputs: Tensor,
    lengths: Tensor,
    options: DecodingOptions,
    reach: int | None = None,
    *,
    within_reach: bool = False,
    has_end: bool = True,
    heard: Callable[[Tensor], None] | None = None,
) -> list[list[Hypothesis]]:
    """What follows on each text of inputs (B, L) of `lengths` (B,), all > 0, as `decode_best` gives it.

    Texts of one length are written side by side, as no padding can stand between a text and what follows.

    Args:
        reach: the most tokens that the model was trained on at a time, which no input exceeds; None: any number.
        has_end: False: a text of this kind ends nowhere, so that what is written is as long as it may be.
        heard: is told each token as it is written, but for the last; of one text alone, and by no beam search.
        within_reach: what is written ends where that ends, so that one reading of the whole is all that the model saw.
    """
    writer, found = _Writer(model, reach, heard), dict[int, list[Hypothesis]]()
    most = model.max_output_length if reach is None else reach if within_reach else None
    if not has_end:
        options = replace(options, min_length_ratio=float(options.max_length))
    for size, numbers in _by_length(lengths.tolist()):
        index = torch.tensor(numbers, device=inputs.device)
        hypotheses = decode_best(writer, inputs[index, :size], lengths[index], _limited(options, most, size))
        found |= zip(numbers, hypotheses, strict=True)
    return [found[number] for number in range(len(inputs))]


def _by_length(lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    for size in sorted(set(lengths)):
        yield size, [number for number, length in enumerate(lengths) if length == size]


def _limited(options: DecodingOptions, most: int | None, size: int) -> DecodingOptions:
    """The options without continuations of `size` tokens that are longer than `most` tokens allow; None: any are."""
    if most is None:
        return options
    room = max(most - size + 1, 1)  # the last token that is written is not read
    if options.ends_at_limit:
        room = max(room - 1, 1)  # EOS is read off the position of the last token
    return replace(options, max_length=min(options.max_length, room))
