"""Written tokens as plain functions of the input.

Shapes: B examples, K input positions, D numbers of a position's vector, M rows of one call, T tokens written,
C target vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from attnfocus.data.batches import Batch
from attnfocus.decoding import DecodingOptions, decode_best
from attnfocus.errors import DataError
from attnfocus.models.lengths import length_mask
from attnfocus.special import BOS, PAD
from attnfocus.tasks.evaluation import at_least_float32
from attnfocus.tasks.probe import Probe


class TokenProbe(Probe):
    """Log-odds of tokens, each given the ones before.

    Args:
        outputs: the tokens of each example that are explained, at least one each.
        names: token ids -> what they are shown as.
    """

    def __init__(
        self,
        model: Any,
        inputs: Tensor,
        lengths: Tensor,
        outputs: Sequence[Sequence[int]],
        names: Callable[[Sequence[int]], Sequence[str]],
    ) -> None:
        super().__init__(model, inputs, lengths)
        self._names = names
        self.answers = padded(outputs, inputs.device)
        sizes = torch.tensor([len(tokens) for tokens in outputs], device=inputs.device)
        self.examples, self.steps = length_mask(sizes, self.answers.shape[1]).nonzero(as_tuple=True)

    def _logits(self, output: Any) -> Tensor:
        return at_least_float32(output.logits)

    def answer_name(self, answer: int) -> str:
        return self._names([answer])[0]

    def output_tokens(self, number: int) -> tuple[str, ...]:
        return tuple(self._names(self.answers[number, : int((self.examples == number).sum())].tolist()))


class TranslationProbe(TokenProbe):
    """Log-odds of tokens that are written for an input. Options as in `TokenProbe`, tokens without BOS."""

    def __init__(self, *options: Any) -> None:
        super().__init__(*options)
        self._read = torch.cat((torch.full_like(self.answers[:, :1], BOS), self.answers[:, :-1]), dim=1)

    def _run(self, inputs: Tensor, lengths: Tensor, examples: Tensor, need_weights: bool) -> Any:
        return self.model(inputs, lengths, self._read[examples], need_weights)


def translation_probe(
    model: Any,
    batch: Batch,
    names: Callable[[Sequence[int]], Sequence[str]],
    outputs: Sequence[Sequence[int]] | None,
    decoding: DecodingOptions | None,
    *,
    skip_empty: bool,
) -> TranslationProbe:
    """The probe of a batch, whose outputs are given or else decoded; see `Task.probe`."""
    inputs, lengths = batch.inputs, batch.input_lengths
    if outputs is None:
        with torch.no_grad():
            hypotheses = decode_best(model, inputs, lengths, within_reach(decoding or DecodingOptions(), model))
        outputs = [best.ids for best, *_ in hypotheses]
    chosen = not_empty(outputs, batch.ids, skip_empty=skip_empty)
    outputs = [outputs[number] for number in chosen]
    inputs, lengths = inputs[chosen], lengths[chosen]
    probe = TranslationProbe(model, inputs, lengths, outputs, names)
    probe.numbers = chosen
    return probe


def not_empty(outputs: Sequence[Sequence[int]], names: Sequence[str], *, skip_empty: bool) -> list[int]:
    """The numbers of the examples that are explained; without those that have no token, where they may be left out.

    Raises:
        DataError: an output without a token that stays.
    """
    written = [number for number, output in enumerate(outputs) if output]
    if len(written) == len(outputs) or (skip_empty and written):
        return written
    empty = [name for name, output in zip(names, outputs, strict=True) if not output]
    raise DataError(f"the output for {', '.join(empty[:5])} is empty: there is nothing to explain.")


def padded(lists: Sequence[Sequence[int]], device: torch.device, width: int = 0) -> Tensor:
    """(B, the longest or `width`), PAD behind each."""
    found = torch.full((len(lists), max(width, *map(len, lists))), PAD, device=device)
    for row, each in zip(found, lists, strict=True):
        row[: len(each)] = torch.tensor(each, dtype=torch.int64, device=device)
    return found


def within_reach(options: DecodingOptions, model: Any) -> DecodingOptions:
    """The options without outputs that are longer than the model can write."""
    longest: int | None = model.max_output_length
    if longest is None:
        return options
    if options.ends_at_limit and longest > 1:
        longest -= 1  # EOS is read off the position of the last token
    elif options.ends_at_limit:
        options = replace(options, at_limit="cut")
    return replace(options, max_length=min(options.max_length, longest))
