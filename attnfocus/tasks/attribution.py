"""What an output of a model rests on: one number for each output and input position, by any of several methods.

Shapes: B examples, K input positions, T outputs of an example (tokens written, or one class).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from attnfocus.data.batches import collate
from attnfocus.data.codec import Encoded
from attnfocus.decoding import DecodingOptions, decode_best
from attnfocus.errors import ConfigError, DataError
from attnfocus.focus.attributions import gradient_input
from attnfocus.tasks.base import Task
from attnfocus.tasks.classification import ClassificationTask
from attnfocus.tasks.probe import Baseline, ClassificationProbe, Probe, TranslationProbe, explaining
from attnfocus.tasks.reading import read
from attnfocus.tasks.translation import TranslationTask, within_reach

Method = Literal["attention", "gradient_input"]
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
        baseline: the input that says nothing, with which gradients and leaving out compare.
    """

    target: str | None = None
    layer: str | None = None
    head: int | None = None
    baseline: Baseline = "zero"


def attribute(
    task: Task,
    model: nn.Module,
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
    with explaining(model) as device:
        probe = probe_of(task, model, examples, device, options.target, decoding)
        scores, errors = _METHODS[method](probe, options)
        return list(_attributions(task, probe, examples, method, scores, errors))


def probe_of(
    task: Task,
    model: nn.Module,
    examples: Sequence[Encoded],
    device: torch.device,
    target: str | None = None,
    decoding: DecodingOptions | None = None,
) -> Probe:
    """The model on these examples; to be called in `explaining`. See `attribute`."""
    _require_readable(model, examples)
    batch = collate(examples).to(device)
    inputs, lengths = batch.inputs, batch.input_lengths
    if isinstance(task, TranslationTask):
        if target is None:
            with torch.no_grad():
                chosen = within_reach(decoding or DecodingOptions(), model)
                found: Any = decode_best(model, inputs, lengths, chosen)  # type: ignore[arg-type]
            outputs = [hypotheses[0].ids for hypotheses in found]
        else:
            outputs = [task.codec.target_tokenizer.encode(target)] * len(examples)
        if not all(outputs):
            empty = [example.id for example, output in zip(examples, outputs, strict=True) if not output]
            raise DataError(f"the output for {', '.join(empty[:5])} is empty: there is nothing to explain.")
        return TranslationProbe(model, inputs, lengths, outputs)
    assert isinstance(task, ClassificationTask)
    classes = None
    if target is not None:
        labels = task.codec.labels
        if target not in labels:
            raise ConfigError(f"target: must be one of the labels {', '.join(labels[:20])}, got {target}.")
        classes = torch.full((len(examples),), labels.index(target), device=device)
    return ClassificationProbe(model, inputs, lengths, classes, are_probabilities=task.loss == "mse")


def _require_readable(model: nn.Module, examples: Sequence[Encoded]) -> None:
    longest: int | None = getattr(model, "max_input_length", None)
    for example in examples:
        size = len(example.inputs)
        if size == 0:
            raise DataError(f"input {example.id} is empty: there is nothing to attribute to.")
        if longest is not None and size > longest:
            raise DataError(f"input {example.id} has {size} positions, the model reads at most {longest}.")


Found = tuple[Tensor, Tensor | None]  # scores (N, K), completeness errors (N,)


def _attention(probe: Probe, options: AttributionOptions) -> Found:
    with torch.no_grad():
        weights = read(probe.weights(), probe.model, probe.mask, options.layer, options.head)
    return probe.of_outputs(weights), None


def _gradient_input(probe: Probe, options: AttributionOptions) -> Found:
    vectors, baseline = probe.vectors(), probe.baseline(options.baseline)
    return gradient_input(probe.score, vectors[probe.examples], baseline[probe.examples]), None


_METHODS: Mapping[str, Callable[[Probe, AttributionOptions], Found]] = {
    "attention": _attention,
    "gradient_input": _gradient_input,
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
                tuple(_codec(task).input_tokens(example.inputs)),
                output_tokens(task, probe, number),
                scores[rows, :size].float().cpu().numpy(),
                None if errors is None else float(errors[rows].max()),
            )
        )
    return made


def output_tokens(task: Task, probe: Probe, number: int) -> tuple[str, ...]:
    """What names the outputs of example `number`."""
    if isinstance(probe, TranslationProbe):
        assert isinstance(task, TranslationTask)
        ids = probe.outputs[number, : int((probe.examples == number).sum())]
        return tuple(task.codec.target_tokens(ids.tolist()))
    assert isinstance(task, ClassificationTask)
    assert isinstance(probe, ClassificationProbe)
    return (task.codec.labels[int(probe.classes[number])],)


def _codec(task: Task) -> Any:
    assert isinstance(task, TranslationTask | ClassificationTask)
    return task.codec
