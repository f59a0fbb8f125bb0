"""What an output of a model rests on: one number for each output and input position, by any of several methods.

Shapes: B examples, K input positions, T outputs of an example (tokens written, or one class).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from attnfocus.data.codecs.base import Encoded
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation.contrast import foils_of
from attnfocus.explanation.norms import block_norms, norms_of
from attnfocus.explanation.options import DEFAULT_METHOD, AttributionOptions
from attnfocus.explanation.reading import flowing, place_to_read, read, rolled_out
from attnfocus.explanation.relevance import relevances
from attnfocus.explanation.value_zeroing import zeroing_scores
from attnfocus.explanation.words import by_word, has_pieces, require_pieces, word_numbers, words_of
from attnfocus.focus.attributions import (
    gradient_input,
    gradients,
    integrated_gradients,
    leave_one_out,
    leave_spans_out,
    rows_at_once,
)
from attnfocus.models.base import Model
from attnfocus.tasks.base import Task
from attnfocus.tasks.evaluation import device_of
from attnfocus.tasks.probe import Probe, own_copy


@dataclass(frozen=True)
class Attribution:
    """How much each input position adds to each output of one example.

    Attributes:
        method: one of `options.METHODS`.
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


def attribute(
    task: Task,
    model: Model,
    examples: Sequence[Encoded],
    method: str = DEFAULT_METHOD,
    options: AttributionOptions | None = None,
    decoding: DecodingOptions | None = None,
) -> list[Attribution]:
    """Attributions of some examples, computed together.

    Args:
        method: one of `options.METHODS`. integrated_gradients passes back `num_steps` times for each output,
            gradient_input once.
        decoding: how the outputs that are explained are found, where none is given.

    Raises:
        ConfigError: a method, option or label that there is not, or that means nothing here.
        DataError: an input that the model cannot read, or an output without a token.
    """
    options = options or AttributionOptions()
    options.check(method)
    if options.level == "word":
        require_pieces(task)
    probe = probe_of(task, model, examples, options.target, decoding)
    if options.against is not None:
        probe.foils = foils_of(task, probe, options.against)
    if options.span is not None:
        scores, errors = _left_out(probe, options, _units(task, probe, examples))
    else:
        scores, errors = _METHODS[method](probe, options)
    found = list(_attributions(task, probe, examples, method, scores, errors))
    return [_of_words(each) for each in found] if options.level == "word" else found


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


def _attention_block_norm(probe: Probe, options: AttributionOptions) -> Found:
    """See `norms.block_norms`."""
    if options.head is not None:
        raise ConfigError("head: attention_block_norm is of all heads together. Leave head out, or use attention_norm.")
    return _of_all_heads(probe, options, lambda _weights, name: block_norms(probe, name))


def _value_zeroing(probe: Probe, options: AttributionOptions) -> Found:
    """See `value_zeroing.zeroing_scores`."""
    if options.head is not None:
        raise ConfigError("head: value_zeroing takes a key's value out of all heads. Leave head out.")
    return _of_all_heads(probe, options, lambda weights, name: zeroing_scores(probe, weights, name))


def _of_all_heads(
    probe: Probe, options: AttributionOptions, scores: Callable[[dict[str, Tensor], str], Tensor]
) -> Found:
    """Scores (B, Q, K) of the attention that is asked for, by all weights and its name, read as weights are."""
    with torch.no_grad():
        weights = probe.weights()
        name = place_to_read(weights, probe.model, options.layer).name
        found = {**weights, name: scores(weights, name).unsqueeze(1)}
        return probe.of_outputs(read(found, probe.model, probe.mask, options.layer, None, probe.rows)), None


def _attn_lrp(probe: Probe, options: AttributionOptions) -> Found:
    """See `relevance.relevances`."""
    return relevances(probe), None


def _integrated_gradients(probe: Probe, options: AttributionOptions) -> Found:
    vectors, baseline = probe.vectors(), probe.baseline(options.baseline)
    of_rows = vectors[probe.examples], baseline[probe.examples]
    return integrated_gradients(probe.score, *of_rows, options.num_steps)


def _leave_one_out(probe: Probe, options: AttributionOptions) -> Found:
    return _left_out(probe, options, None)


def _left_out(probe: Probe, options: AttributionOptions, units: Tensor | None) -> Found:
    """Without each position, or without each span of units (B, K)."""
    vectors, baseline = probe.vectors(), probe.baseline(options.baseline)

    def masked(kept: Tensor, examples: Tensor) -> Tensor:
        mixed = torch.where(kept.unsqueeze(-1), vectors[examples], baseline[examples])
        return probe.scores_of_vectors(mixed, examples)

    with torch.no_grad():
        scores = probe.scores_without if options.leave_out == "remove" else masked
        if units is None:
            return probe.of_outputs(leave_one_out(scores, probe.mask)), None
        return probe.of_outputs(leave_spans_out(scores, probe.mask, units, options.span or 1)), None


def _units(task: Task, probe: Probe, examples: Sequence[Encoded]) -> Tensor:
    """What is left out together: the numbers of words, or of positions (B, K)."""
    units = torch.arange(probe.mask.shape[1]).repeat(len(examples), 1)
    if has_pieces(task):
        for number, example in enumerate(examples):
            own = word_numbers(task.codec.input_tokens(example.inputs))
            units[number, : len(own)] = torch.from_numpy(own)
    return units.to(probe.mask.device)


def _gradient_input(probe: Probe, options: AttributionOptions) -> Found:
    vectors, baseline = probe.vectors(), probe.baseline(options.baseline)
    return gradient_input(probe.score, vectors[probe.examples], baseline[probe.examples]), None


_METHODS: Mapping[str, Callable[[Probe, AttributionOptions], Found]] = {
    "attention": _attention,
    "attention_rollout": _attention_rollout,
    "attention_flow": _attention_flow,
    "attention_gradient": _attention_gradient,
    "attention_norm": _attention_norm,
    "attention_block_norm": _attention_block_norm,
    "value_zeroing": _value_zeroing,
    "attn_lrp": _attn_lrp,
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


def _of_words(each: Attribution) -> Attribution:
    scores = by_word(each.scores, each.query_tokens, each.key_tokens)
    return replace(each, key_tokens=words_of(each.key_tokens), query_tokens=words_of(each.query_tokens), scores=scores)
