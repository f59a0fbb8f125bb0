"""What a language model says of a text, as plain functions of the text.

Shapes: B examples, K input positions (BOS first), D numbers of a position's vector, M rows of one call, T tokens that
are explained, L positions read (the input, and what was written behind it), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from attnfocus.attention.role import Axis
from attnfocus.data.batches import Batch
from attnfocus.errors import ConfigError
from attnfocus.special import PAD
from attnfocus.tasks.probe import cut_to
from attnfocus.tasks.token_probe import TokenProbe, not_empty, padded


class Explained(NamedTuple):
    """The tokens of one example that are explained: at least one.

    Attributes:
        ids: what they are.
        places: the positions of the input that they are read off; None: they were written behind the input.
    """

    ids: Sequence[int]
    places: Sequence[int] | None = None


class SequenceProbe(TokenProbe):
    """Log-odds of tokens of a text, or of what was written behind it, each given all that stands before it.

    BOS is never cut out: a model always reads something.

    Args:
        explained: of each example.
        names: token ids -> what they are shown as.
    """

    def __init__(
        self,
        model: Any,
        inputs: Tensor,
        lengths: Tensor,
        explained: Sequence[Explained],
        names: Callable[[Sequence[int]], Sequence[str]],
    ) -> None:
        super().__init__(model, inputs, lengths, [each.ids for each in explained], names)
        device = inputs.device
        self._places = padded([each.places or () for each in explained], device, self.answers.shape[1])
        self._is_written = torch.tensor([each.places is None for each in explained], device=device)
        sizes = [0 if each.places is not None else len(each.ids) - 1 for each in explained]  # the last is not read
        self._num_written = torch.tensor(sizes, device=device)

    @property
    def axis_lengths(self) -> Mapping[Axis, Tensor]:
        return {"output": self.lengths + self._num_written}

    @property
    def rows(self) -> Tensor:
        return self._rows_of(self.lengths, torch.arange(len(self.inputs), device=self.inputs.device))

    def _rows_of(self, lengths: Tensor, examples: Tensor, places: Tensor | None = None) -> Tensor:
        """Where the outputs of examples (M,) are read off when their inputs have these lengths (M,): (M, T)."""
        places = self._places[examples] if places is None else places
        steps = torch.arange(places.shape[1], device=places.device)
        last = (lengths + self._num_written[examples] - 1).clamp_min(0).unsqueeze(1)
        behind = lengths.unsqueeze(1) - 1 + steps
        return torch.where(self._is_written[examples].unsqueeze(1), behind, places).minimum(last)

    def _run(self, inputs: Tensor, lengths: Tensor, examples: Tensor, need_weights: bool) -> Any:
        return self._read(inputs, lengths, examples, need_weights)

    def _read(
        self, inputs: Tensor, lengths: Tensor, examples: Tensor, need_weights: bool, places: Tensor | None = None
    ) -> Any:
        """The output with the readouts of the T tokens alone: (M, T, R)."""
        written, width = self._num_written[examples], inputs.shape[1]
        widest = self._num_written if need_weights else written  # weights are those of any of the examples
        size = width + int(widest.max()) if len(widest) else width
        whole = nn.functional.pad(inputs, (0, size - width), value=PAD)
        at = torch.arange(size, device=inputs.device) - lengths.unsqueeze(1)
        is_written = (at >= 0) & (at < written.unsqueeze(1))
        index = at.clamp(0, self.answers.shape[1] - 1)
        whole = torch.where(is_written, self.answers[examples].gather(1, index), whole)
        output = self.model(whole, lengths + written, need_weights)
        rows = self._rows_of(lengths, examples, places)
        readout = output.readout.gather(1, rows.unsqueeze(-1).expand(-1, -1, output.readout.shape[-1]))
        return output._replace(readout=readout)

    def _run_vectors(self, vectors: Tensor, examples: Tensor) -> Any:
        assert self._table is not None
        with _beginning_as(self._table, vectors, self.mask[examples]):
            return self._run(self.inputs[examples], self.lengths[examples], examples, True)

    def _run_without(self, kept: Tensor, examples: Tensor) -> Any:
        kept = kept & self.mask[examples]
        kept = torch.cat((torch.ones_like(kept[:, :1]), kept[:, 1:]), dim=1)
        inputs, lengths = cut_to(self.inputs[examples], kept)
        places = kept.cumsum(dim=1).gather(1, self._places[examples]) - 1
        return self._read(inputs, lengths, examples, False, places)


def sequence_probe(
    model: Any,
    batch: Batch,
    explained: Sequence[Explained],
    names: Callable[[Sequence[int]], Sequence[str]],
    *,
    skip_empty: bool,
) -> SequenceProbe:
    """The probe of a batch, of which `explained` may be empty; see `Task.probe`.

    Raises:
        ConfigError: other tokens are given than there are places for.
        DataError: nothing is explained of an example.
    """
    inputs, lengths = batch.inputs, batch.input_lengths
    for each in explained:
        if each.places is not None and len(each.ids) != len(each.places):
            raise ConfigError(
                f"target: this text has answers of {len(each.places)} tokens together, got {len(each.ids)}. Leave "
                "target out, or give as many."
            )
    chosen = not_empty([each.ids for each in explained], batch.ids, skip_empty=skip_empty)
    explained = [explained[number] for number in chosen]
    probe = SequenceProbe(model, inputs[chosen], lengths[chosen], explained, names)
    probe.numbers = chosen
    return probe


@contextmanager
def _beginning_as(table: nn.Embedding, vectors: Tensor, mask: Tensor) -> Iterator[None]:
    """The next call of the table gives these vectors (M, K, D) at the first K positions, where `mask` (M, K) is."""
    is_first = True

    def replace(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        nonlocal is_first
        if not is_first:
            return output
        is_first = False
        width = vectors.shape[1]
        first = torch.where(mask.unsqueeze(-1), vectors, output[:, :width])
        return torch.cat((first, output[:, width:]), dim=1)

    handle = table.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()
