"""What the verdict says of a run, also with its output layer scaled and with other draws of the test's examples; and
how often each attribution method has its highest score on the planted evidence.

Shapes: N outputs with evidence, T outputs of a row, K input positions.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from attnfocus.errors import ConfigError
from attnfocus.explanation import METHODS, Faithfulness, attribute, measure_faithfulness
from attnfocus.explanation.attribution import probe_of
from attnfocus.explanation.limits import USUAL_SIZES
from attnfocus.models.base import Model
from calibration.runs import TinyRun
from calibration.truth import NUM_ROWS, Output, outputs_of

OWN = "own"
SCALES = (0.05, 0.2, 5.0)  # of the output layer: same answers, same weights of attention
SEEDS = (1, 2)  # of the test, beside 0
NUM_METHOD_ROWS = 48
SIZES = replace(USUAL_SIZES, positions=1)  # of the search for other weights, which takes long and decides nothing


def verdict_of(run: TinyRun, num_examples: int | None) -> dict[str, Any]:
    """The verdict on a run, with the samples that thresholds can be fitted on.

    Args:
        num_examples: of the measurement; None: as many as the verdict takes by itself.
    """
    found = _measured(run, run.model, 0, num_examples)
    assert found.samples is not None  # it was measured here, not read from a file
    return {**_facts(found), "metrics": found.metrics, "samples": found.samples.facts()}


def varied_verdicts(run: TinyRun, num_examples: int | None) -> dict[str, dict[str, Any]]:
    """The verdicts with what should change none: `scale 5`, ..., `seed 1`, ..."""
    found = {f"scale {by:g}": _facts(_measured(run, scaled(run.model, by), 0, num_examples)) for by in SCALES}
    return found | {f"seed {seed}": _facts(_measured(run, run.model, seed, num_examples)) for seed in SEEDS}


def _measured(run: TinyRun, model: Model, seed: int, num_examples: int | None) -> Faithfulness:
    how: dict[str, Any] = {"num_examples": num_examples, "seed": seed, "split": "test", "most": SIZES}
    return measure_faithfulness(run.task, model, run.examples, **how)


def _facts(found: Faithfulness) -> dict[str, Any]:
    verdict = found.verdict
    return {
        "answer": verdict.answer,
        "reason": verdict.reason,
        "confidence": verdict.confidence,
        "near_border": verdict.near_border,
        "num_examples": found.num_examples,
    }


def scaled(model: Model, factor: float) -> Model:
    """A copy with the output layer multiplied, and nothing else: tied tables stay as they are."""
    model = copy.deepcopy(model)
    output = model.get_submodule("output")
    for name, each in list(output.named_parameters()):
        setattr(output, name, nn.Parameter(each.detach() * factor))
    return model


def method_hits(run: TinyRun) -> dict[str, float]:
    """Method -> share of outputs whose position of the highest |score| is evidence. What a model cannot do is left out.

    Outputs without evidence do not count, nor do a row's positions that say where the evidence is.
    """
    examples = run.examples[: min(NUM_METHOD_ROWS, NUM_ROWS)]
    outputs = [each for each in outputs_of(run, probe_of(run.task, run.model, examples)) if each.evidence]
    if not outputs:
        return {}
    found = {"chance": float(np.mean([len(each.evidence) / (each.length - len(each.frame)) for each in outputs]))}
    for method in METHODS:
        torch.manual_seed(0)
        try:
            scores = [each.scores for each in attribute(run.task, run.model, examples, method)]
        except ConfigError:
            continue
        found[method] = hit_rate([each[:, run.spec.first :] for each in scores], outputs)
    return found


def hit_rate(scores: Sequence[np.ndarray], outputs: Sequence[Output]) -> float:
    """Share of outputs whose highest |score| (T, K) lies on evidence; frames are left out."""
    hits = []
    for each in outputs:
        sizes = np.abs(scores[each.row][each.step]).astype(float)
        sizes[list(each.frame)] = -1
        hits.append(int(sizes.argmax()) in each.evidence)
    return float(np.mean(hits))
