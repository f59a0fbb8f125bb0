"""A model as plain functions of its inputs, for whoever wants to know what an output rests on.

Shapes: B examples, K input positions, D numbers of a position's vector, T outputs of an example (tokens written, or one
class), N real outputs of all examples, M rows of one call, H heads, C classes or target vocabulary.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from attnfocus.attention import replaced_weights
from attnfocus.attention.role import Axis
from attnfocus.errors import ConfigError
from attnfocus.models.base import Model
from attnfocus.models.lengths import length_mask
from attnfocus.special import PAD, SPECIAL_TOKENS, UNK

Baseline = Literal["zero", "unknown", "mean"]


def own_copy(model: Model) -> Model:
    """The model in eval mode, in modules of the caller's own, where inputs alone ask for gradients.

    Only the memory of parameters and buffers is shared. A hook or other weights put in are nobody else's matter, so
    that many threads may explain one model at once.

    cuDNN's recurrent layers have a backward pass in training mode alone: they stay in it, without their dropout.
    """
    shared: dict[int, Any] = {id(buffer): buffer for buffer in model.buffers()}
    for parameter in model.parameters():
        shared[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=False)
    own = copy.deepcopy(model, shared).eval()
    for module in own.modules():
        if isinstance(module, nn.RNNBase):
            module.dropout = 0.0
            module.train()
    return own


class Probe(ABC):
    """B examples of a model, and the outputs of each that are to be explained.

    Args:
        model: an `own_copy`.
        inputs: token ids (B, K), or vectors (B, K, D).
        lengths: (B,), all > 0.

    Attributes:
        mask: (B, K), True at real positions.
        examples, steps: (N,) which example each of the N outputs belongs to, and which of its outputs it is.
        answers: (B, T) what is explained: of everything that could be the output, the number of what is.
        foils: (B, T) what it is explained against: why the answers and not these; None: against all others.
        numbers: which of the examples that were given these are: all but those without an output.
    """

    examples: Tensor
    steps: Tensor
    answers: Tensor
    foils: Tensor | None = None

    def __init__(self, model: Any, inputs: Tensor, lengths: Tensor) -> None:
        self.model: Any = model
        self.inputs, self.lengths = inputs, lengths
        self.numbers: Sequence[int] = range(len(inputs))
        self.mask = length_mask(lengths, inputs.shape[1])
        self._table: nn.Embedding | None = self.model.token_tables().get("source")

    @abstractmethod
    def _run(self, inputs: Tensor, lengths: Tensor, examples: Tensor, need_weights: bool) -> Any:
        """What the model answers to inputs (M, k) or (M, k, D) in the place of those of the examples (M,)."""

    @abstractmethod
    def _logits(self, output: Any) -> Tensor:
        """Of everything that could have been the output, in float32 or wider: (M, T, C)."""

    @abstractmethod
    def output_tokens(self, number: int) -> tuple[str, ...]:
        """What names the outputs of example `number`."""

    def answer_name(self, answer: int) -> str:
        """What names an answer by its number, whether it is that of an example or not."""
        return str(answer)

    @property
    def num_outputs(self) -> Tensor:
        """Of each example: (B,)."""
        return self.examples.bincount(minlength=len(self.inputs))

    @property
    def axis_lengths(self) -> Mapping[Axis, Tensor]:
        """How long each sequence is that the model's attentions look at: (B,)."""
        return {"input": self.lengths, "output": self.num_outputs}

    @property
    def rows(self) -> Tensor | None:
        """Of each output the position of the top layer that it is read off (B, T), in a model that reads and writes in
        one sequence; None: the input is another one than what is written."""
        return None

    def scores_of(self, logits: Tensor, answers: Tensor) -> Tensor:
        """Log-odds of the answers (...) by the logits (..., C): (...)."""
        return log_odds(logits, answers)

    def contrasted(self, logits: Tensor, answers: Tensor, foils: Tensor | None) -> Tensor:
        """`scores_of`; with foils (...) the logit of the answer without that of the foil, log p(answer) / p(foil)."""
        if foils is None:
            return self.scores_of(logits, answers)
        own, others = (logits.gather(-1, each.unsqueeze(-1)).squeeze(-1) for each in (answers, foils))
        return own - others

    def _scores(self, logits: Tensor, examples: Tensor) -> Tensor:
        """The scores (M, T) of examples (M,) by the logits (M, T, C) of their outputs."""
        foils = None if self.foils is None else self.foils[examples]
        return self.contrasted(logits, self.answers[examples], foils)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Those that scores, which are log-odds, stand for."""
        return scores.sigmoid()

    def log_probabilities_of(self, logits: Tensor) -> Tensor:
        """Of everything that could have been an output: (..., C) -> (..., C)."""
        return logits.log_softmax(dim=-1)

    def vectors(self) -> Tensor:
        """What the model makes of each position first: (B, K, D), 0 at padding. Vectors are themselves."""
        vectors = self.inputs if self._table is None else self._table(self.inputs)
        return vectors.masked_fill(~self.mask.unsqueeze(-1), 0)

    def baseline(self, kind: Baseline) -> Tensor:
        """The vectors (B, K, D) of an input that says nothing, 0 at padding.

        Args:
            kind: zero: padding's vector; unknown: that of unknown tokens; mean: the mean of all tokens' vectors.

        Raises:
            ConfigError: there are no tokens, and the kind needs them.
        """
        vectors = self.vectors()
        if kind == "zero":
            return torch.zeros_like(vectors)
        if self._table is None:
            raise ConfigError(f"baseline: {kind} is for tokens, and the inputs of this run are vectors. Use zero.")
        ids = [UNK] if kind == "unknown" else range(len(SPECIAL_TOKENS), self._table.num_embeddings)
        one = self._table(torch.tensor(ids, device=vectors.device)).mean(dim=0)  # as read: a table may scale its rows
        return one.expand_as(vectors).masked_fill(~self.mask.unsqueeze(-1), 0)

    def score(self, vectors: Tensor, rows: Tensor) -> Tensor:
        """A `focus.attributions.Score`: of outputs `rows` (M,) with the inputs' vectors (M, K, D) -> (M,)."""
        foils = None if self.foils is None else self.of_outputs(self.foils)[rows]
        return self.contrasted(self.logits_of_vectors(vectors, rows), self.of_outputs(self.answers)[rows], foils)

    def logits_of_vectors(self, vectors: Tensor, rows: Tensor) -> Tensor:
        """The logits (M, C) of outputs `rows` (M,) with the inputs' vectors (M, K, D)."""
        return _at(self._logits(self._run_vectors(vectors, self.examples[rows])), self.steps[rows])

    def scores_of_vectors(self, vectors: Tensor, examples: Tensor) -> Tensor:
        """The scores (M, T) of the outputs of examples (M,), whose inputs have these vectors (M, K, D)."""
        return self._scores(self.all_logits_of_vectors(vectors, examples), examples)

    def all_logits_of_vectors(self, vectors: Tensor, examples: Tensor) -> Tensor:
        """The logits (M, T, C) of all outputs of examples (M,), whose inputs have these vectors (M, K, D)."""
        return self._logits(self._run_vectors(vectors, examples))

    def _run_vectors(self, vectors: Tensor, examples: Tensor) -> Any:
        lengths = self.lengths[examples]
        if self._table is None:
            return self._run(vectors, lengths, examples, False)
        with _embedded_as(self._table, vectors):
            # With weights the rows are computed together, and the table is asked once.
            return self._run(self.inputs[examples], lengths, examples, True)

    def scores_without(self, kept: Tensor, examples: Tensor) -> Tensor:
        """The scores (M, T) of the outputs of examples (M,) when positions outside `kept` (M, K) are cut out.

        Where positions are cells of a grid they stay in their places, and hold zeros: the mean of what was trained on.
        """
        return self._scores(self._logits(self._run_without(kept, examples)), examples)

    def logits_without(self, kept: Tensor, rows: Tensor) -> Tensor:
        """The logits (M, C) of outputs `rows` (M,) when positions outside `kept` (M, K) are cut out."""
        return _at(self._logits(self._run_without(kept, self.examples[rows])), self.steps[rows])

    def _run_without(self, kept: Tensor, examples: Tensor) -> Any:
        inputs, lengths = self.inputs[examples], self.lengths[examples]
        if self.model.grid is not None:  # the others must keep their rows and columns
            return self._run(inputs.masked_fill(~kept.unsqueeze(-1), 0), lengths, examples, False)
        inputs, lengths = cut_to(inputs, kept & self.mask[examples])
        return self._run(inputs, lengths, examples, False)

    def weights(self) -> dict[str, Tensor]:
        """Every attention's weights (B, H, Q, K)."""
        everything = torch.arange(len(self.inputs), device=self.inputs.device)
        output = self._run(self.inputs, self.lengths, everything, True)
        weights: dict[str, Tensor] = output.weights
        return weights

    def scores_given(self, weights: Mapping[str, Tensor], examples: Tensor) -> Tensor:
        """The scores (M, T) of the outputs of examples (M,) when attentions use these weights (M, H, Q, K)."""
        return self._scores(self.logits_given(weights, examples), examples)

    def logits_given(self, weights: Mapping[str, Tensor], examples: Tensor) -> Tensor:
        """Of everything that could have been the outputs (M, T, C), as `scores_given`; {}: the model as it is."""
        with self._using(weights):
            return self._logits(self._run(self.inputs[examples], self.lengths[examples], examples, True))

    def logits_for(self, inputs: Tensor, lengths: Tensor, examples: Tensor) -> Tensor:
        """The logits (M, T, C) of the outputs of examples (M,) when inputs (M, K), or (M, K, D), of these lengths (M,)
        stand in the place of theirs. All rows are computed together."""
        return self._logits(self._run(inputs, lengths, examples, True))

    @contextmanager
    def _using(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        attentions = self.model.attentions()
        with ExitStack() as stack:
            for name, given in weights.items():
                stack.enter_context(replaced_weights(attentions[name], _InTurn(given)))
            yield

    def of_outputs(self, each: Tensor) -> Tensor:
        """What belongs to the outputs: (B, T, ...) -> (N, ...)."""
        return each[self.examples, self.steps]


def log_odds(logits: Tensor, chosen: Tensor) -> Tensor:
    """log(p / (1 - p)) of the chosen classes (...) under softmax(logits (..., C)).

    Its gradient is that of log p divided by 1 - p: it ranks inputs alike, and does not vanish where the model is sure.
    """
    index = chosen.unsqueeze(-1)
    others = logits.scatter(-1, index, -torch.inf).logsumexp(dim=-1)
    return logits.gather(-1, index).squeeze(-1) - others


def _at(logits: Tensor, steps: Tensor) -> Tensor:
    """(M, T, C), (M,) -> (M, C)."""
    return logits[torch.arange(len(steps), device=steps.device), steps]


class _InTurn:
    """Weights (M, H, Q, K), given for all queries at once or for a few after the others."""

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights
        self._given = 0

    def __call__(self, own: Tensor) -> Tensor:
        first, self._given = self._given, self._given + own.shape[-2]
        return self._weights[..., first : self._given, :]


@contextmanager
def _embedded_as(table: nn.Embedding, vectors: Tensor) -> Iterator[None]:
    """The next call of the table gives these vectors. It may be the target's too, which is asked later."""
    asked: list[Tensor] = []

    def replace(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        asked.append(output)
        if len(asked) > 1:
            return output
        assert output.shape == vectors.shape
        return vectors

    handle = table.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


def cut_to(inputs: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (M, K) or (M, K, D) without the positions outside `kept` (M, K), those behind moving up, and lengths (M,).

    As wide as the longest of them.
    """
    lengths = kept.sum(dim=1)
    width = int(lengths.max()) if len(lengths) else 0
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)[:, :width]
    index = order if inputs.dim() == 2 else order.unsqueeze(-1).expand(-1, -1, inputs.shape[-1])
    moved = inputs.gather(1, index)
    beyond = ~length_mask(lengths, width)
    return moved.masked_fill(beyond if inputs.dim() == 2 else beyond.unsqueeze(-1), PAD), lengths
