"""What an output of a model rests on: one number for each output and input position, by any of several methods.

Shapes: B examples, K input positions, T outputs of an example (tokens written, or one class).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from attnfocus.data.codecs.base import Encoded
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation.norms import norms_of
from attnfocus.explanation.reading import flowing, place_to_read, read, rolled_out
from attnfocus.focus.attributions import (
    gradient_input,
    gradients,
    integrated_gradients,
    leave_one_out,
    rows_at_once,
)
from attnfocus.limits import PositiveInt
from attnfocus.models.base import Model
from attnfocus.tasks.base import Task
from attnfocus.tasks.evaluation import device_of
from attnfocus.tasks.probe import Baseline, Probe, own_copy

Method = Literal[
    "attention",
    "attention_rollout",
    "attention_flow",
    "attention_gradient",
    "attention_norm",
    "gradient_input",
    "integrated_gradients",
    "leave_one_out",
]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class Attribution:
    """How much each input position adds to each output of one example.

    Attributes:
        method: one of `METHODS`.
        key_tokens: the K input positions.
        query_tokens: the T tokens written, or the label alone.
        scores: float32 (T, K); signed where the method is.
        error: completeness: by which share the scores miss the change that they should add up to, at worst over the
            outputs; None where the method promises no sum.
    """

    method: str
    key_tokens: tuple[str, ...]
    query_tokens: tuple[str, ...]
    scores: np.ndarray
    error: float | None = None


@dataclass(frozen=True, kw_only=True)
class AttributionOptions:
    """What can be chosen of the methods.

    Args:
        target: what is explained: an output text, or a label; None: the model's own answer.
        layer: attention methods: the attention's name; None: the one that is nearest to the output and aligns best.
        head: attention methods: which head; None: the mean of all.
        baseline: the input that says nothing, with which gradients and leave_one_out compare: zero vectors, the vector
            of unknown tokens, or the mean of all tokens' vectors.
        num_steps: integrated_gradients: points of the integral (> 0).
        leave_out: leave_one_out: put the baseline in the position's place (mask), or cut it out (remove), which moves
            what follows.
    """

    target: str | None = None
    layer: str | None = None
    head: int | None = None
    baseline: Baseline = "zero"
    num_steps: PositiveInt = 32
    leave_out: Literal["mask", "remove"] = "mask"

    def __post_init__(self) -> None:
        for name, allowed in (("baseline", get_args(Baseline)), ("leave_out", ("mask", "remove"))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name}: must be {', '.join(allowed)}, got {getattr(self, name)}.")
        if self.num_steps < 1:
            raise ConfigError(f"num_steps: must be > 0, got {self.num_steps}.")


def attribute(
    task: Task,
    model: Model,
    examples: Sequence[Encoded],
    method: str = "gradient_input",
    options: AttributionOptions | None = None,
    decoding: DecodingOptions | None = None,
) -> list[Attribution]:
    """Attributions of some examples, computed together.

    Args:
        decoding: how the outputs that are explained are found, where none is given.

    Raises:
        ConfigError: a method, option or label that there is not.
        DataError: an input that the model cannot read, or an output without a token.
    """
    if method not in METHODS:
        raise ConfigError(f"method: must be one of {', '.join(METHODS)}, got {method}.")
    options = options or AttributionOptions()
    probe = probe_of(task, model, examples, options.target, decoding)
    scores, errors = _METHODS[method](probe, options)
    return list(_attributions(task, probe, examples, method, scores, errors))


def probe_of(
    task: Task,
    model: Model,
    examples: Sequence[Encoded],
    target: str | None = None,
    decoding: DecodingOptions | None = None,
    *,
    skip_empty: bool = False,
) -> Probe:
    """A copy of the model on these examples. See `attribute`.

    Args:
        skip_empty: leave out examples whose output has no token, instead of raising; if all are, that is raised.
    """
    _require_readable(model, examples)
    return task.probe(own_copy(model), examples, device_of(model), target, decoding, skip_empty=skip_empty)


def _require_readable(model: Model, examples: Sequence[Encoded]) -> None:
    longest = model.max_input_length
    for example in examples:
        size = len(example.inputs)
        if size == 0:
            raise DataError(f"input {example.id} is empty: there is nothing to attribute to.")
        if longest is not None and size > longest:
            raise DataError(f"input {example.id} has {size} positions, the model reads at most {longest}.")


Found = tuple[Tensor, Tensor | None]  # scores (N, K), completeness errors (N,)


def _attention(probe: Probe, options: AttributionOptions) -> Found:
    with torch.no_grad():
        weights = read(probe.weights(), probe.model, probe.mask, options.layer, options.head, probe.rows)
    return probe.of_outputs(weights), None


def _attention_rollout(probe: Probe, options: AttributionOptions) -> Found:
    with torch.no_grad():
        return probe.of_outputs(rolled_out(probe.weights(), probe.model, probe.mask, probe.rows)), None


def _attention_flow(probe: Probe, options: AttributionOptions) -> Found:
    with torch.no_grad():
        return probe.of_outputs(flowing(probe.weights(), probe.model, probe.mask)), None


def _attention_gradient(probe: Probe, options: AttributionOptions) -> Found:
    """w_tj d score_t / d w_tj, summed over heads, and in a self-attention over queries   (Serrano & Smith 2019, sec. 4,
    arXiv:1906.03731)"""
    with torch.no_grad():
        weights = probe.weights()
        read(weights, probe.model, probe.mask, options.layer, options.head, probe.rows)  # refuses what is not there
    place = place_to_read(weights, probe.model, options.layer)
    name, attention = place.name, probe.model.attentions().get(place.name)
    if attention is None or not attention.weights_can_be_replaced:
        what = place.name if attention is None else type(attention).__name__
        raise ConfigError(
            f"method: attention_gradient needs an attention whose output is made of its weights, and "
            f"{what} is none. Use gradient_input or attention."
        )
    examples = probe.examples

    def score(given: Tensor, rows: Tensor) -> Tensor:
        scores = probe.scores_given({name: given}, examples[rows])
        return scores.gather(1, probe.steps[rows].unsqueeze(1)).squeeze(1)

    found = []
    for rows in torch.arange(len(examples), device=examples.device).split(rows_at_once(probe.mask.shape[1])):
        given = weights[name][examples[rows]]  # (M, H, Q, K)
        parts = given * gradients(score, given, rows)[1]
        parts = parts.sum(dim=1) if options.head is None else parts[:, options.head]  # (M, Q, K)
        if place.kind == "self":
            found.append(parts.sum(dim=1)[:, probe.model.num_prepended :][:, : probe.mask.shape[1]])
        else:
            found.append(parts[torch.arange(len(rows), device=rows.device), probe.steps[rows]])
    return torch.cat(found), None


def _attention_norm(probe: Probe, options: AttributionOptions) -> Found:
    """||w_tj f(x_j)||, f(x) the projected value of a head   (Kobayashi et al. 2020, arXiv:2004.10102)"""
    with torch.no_grad():
        weights = probe.weights()
        name = place_to_read(weights, probe.model, options.layer).name
        sizes = weights[name].abs() * norms_of(probe, [name])[name].unsqueeze(-2)
        return probe.of_outputs(
            read({**weights, name: sizes}, probe.model, probe.mask, options.layer, options.head, probe.rows)
        ), None


def _integrated_gradients(probe: Probe, options: AttributionOptions) -> Found:
    vectors, baseline = probe.vectors(), probe.baseline(options.baseline)
    of_rows = vectors[probe.examples], baseline[probe.examples]
    return integrated_gradients(probe.score, *of_rows, options.num_steps)


def _leave_one_out(probe: Probe, options: AttributionOptions) -> Found:
    vectors, baseline = probe.vectors(), probe.baseline(options.baseline)

    def masked(kept: Tensor, examples: Tensor) -> Tensor:
        mixed = torch.where(kept.unsqueeze(-1), vectors[examples], baseline[examples])
        return probe.scores_of_vectors(mixed, examples)

    with torch.no_grad():
        scores = probe.scores_without if options.leave_out == "remove" else masked
        return probe.of_outputs(leave_one_out(scores, probe.mask)), None


def _gradient_input(probe: Probe, options: AttributionOptions) -> Found:
    vectors, baseline = probe.vectors(), probe.baseline(options.baseline)
    return gradient_input(probe.score, vectors[probe.examples], baseline[probe.examples]), None


_METHODS: Mapping[str, Callable[[Probe, AttributionOptions], Found]] = {
    "attention": _attention,
    "attention_rollout": _attention_rollout,
    "attention_flow": _attention_flow,
    "attention_gradient": _attention_gradient,
    "attention_norm": _attention_norm,
    "gradient_input": _gradient_input,
    "integrated_gradients": _integrated_gradients,
    "leave_one_out": _leave_one_out,
}


def _attributions(
    task: Task, probe: Probe, examples: Sequence[Encoded], method: str, scores: Tensor, errors: Tensor | None
) -> list[Attribution]:
    made = []
    for number, example in enumerate(examples):
        rows = probe.examples == number
        size = len(example.inputs)
        made.append(
            Attribution(
                method,
                tuple(task.codec.input_tokens(example.inputs)),
                probe.output_tokens(number),
                scores[rows, :size].float().cpu().numpy(),
                None if errors is None else float(errors[rows].max()),
            )
        )
    return made
