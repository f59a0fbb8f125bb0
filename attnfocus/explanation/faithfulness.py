"""How far a run's attention weights can be read as an explanation: the tests of `focus.erasure` on a sample.

Shapes: B examples, T outputs of an example, N outputs that are tested, M rows of one call, H heads, Q queries,
K input positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attnfocus.data.codecs.base import Encoded
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation.attribution import probe_of
from attnfocus.explanation.evidence import evidence_metrics
from attnfocus.explanation.reading import read, readable
from attnfocus.focus import erasure as checks
from attnfocus.focus.attributions import gradient_input, leave_one_out
from attnfocus.focus.temperature import inverse_temperature, tempered, wide
from attnfocus.focus.verdict import TEMPERED, gain_over_chance, verdict
from attnfocus.models.base import Model
from attnfocus.models.lengths import length_mask
from attnfocus.stages import counted, stage
from attnfocus.tasks.base import Task
from attnfocus.tasks.looks import Look, by_kind, looks_of
from attnfocus.tasks.probe import Probe, log_odds

NUM_DRAWS = 4  # of permuted and random weights


@dataclass(frozen=True)
class Sizes:
    """What a test may cost at most; beyond it is made on fewer examples, which is told.

    Attributes:
        outputs: of all examples together, for what costs some passes each.
        cells: positions read for leave-one-out: K inputs of K - 1 positions for each example.
        positions, scores: read and answered at once by the search for other weights: 60 passes.
        pairs: examples times squared length, where weights are those of self-attention.
    """

    outputs: int = 256
    cells: int = 2**20
    positions: int = 2**13
    scores: int = 2**22
    pairs: int = 2**22


@dataclass(frozen=True)
class Faithfulness:
    """What was measured on a sample of a split, and what it comes to.

    Attributes:
        verdict: one or two sentences in plain words, with the numbers that they rest on.
        metrics: `faithfulness/<measure>` -> number; docs/focus.md tells them. What could not be measured is not there.
            `tempered_...` and the adversarial distance, on which the verdict rests, are at one temperature for all
            models (`focus.temperature`), `1 / temperature` times the model's own logits; all else is of its own
            probabilities.
        left_out: what could not be measured, or on fewer examples, and why.
        attentions: those whose weights were tested.
        split, num_examples, num_outputs, seed: of what it was measured.
    """

    verdict: str
    metrics: dict[str, float]
    left_out: tuple[str, ...] = ()
    attentions: tuple[str, ...] = ()
    split: str = "test"
    num_examples: int = 0
    num_outputs: int = 0
    seed: int = 0

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def measure_faithfulness(
    task: Task,
    model: Model,
    examples: Sequence[Encoded],
    *,
    num_examples: int,
    seed: int,
    split: str,
    most: Sizes = Sizes(),
) -> Faithfulness:
    """The tests on `num_examples` examples drawn by the seed, for the outputs that the model itself gives (greedily).

    Raises:
        ConfigError: as `require_probabilities`.
        DataError: the model can read none of them, or says nothing to any.
    """
    require_probabilities(type(task))
    generator = torch.Generator().manual_seed(seed)
    longest = model.max_input_length
    legible = [each for each in examples if 0 < len(each.inputs) <= (longest or len(each.inputs))]
    drawn = torch.randperm(len(legible), generator=generator)[:num_examples].tolist()
    if not drawn:
        raise DataError(f"faithfulness: the model can read no example of {split}.")
    chosen = [legible[number] for number in drawn]
    few = chosen[: _as_many_as_fit(model, max(len(each.inputs) for each in chosen), most.pairs)]
    probe = probe_of(task, model, few, skip_empty=True)
    sample = _Sample(probe, generator, most)
    is_each_one = len(few) == len(probe.inputs)  # an output without a token has left its example out
    if len(few) < len(chosen):
        sample.left_out["all measures"] = f"measured on {len(few)} examples alone, as inputs are long"
    metrics = sample.of_inputs()
    if is_each_one:
        rows = [few[number].row for number in probe.examples[sample.rows].tolist()]
        found = evidence_metrics(task.codec, rows, sample.importance)
        metrics |= {f"faithfulness/{name}": value for name, value in found.items()}
    metrics |= sample.of_weights()
    metrics["faithfulness/temperature"] = 1 / sample.factor
    left_out = tuple(f"{name}: {reason}" for name, reason in sample.left_out.items())
    return Faithfulness(
        verdict(metrics), metrics, left_out, tuple(sample.names), split, len(probe.inputs), len(probe.examples), seed
    )


def require_probabilities(task: type[Task]) -> None:
    """Refuses a task that these tests are not for.

    Raises:
        ConfigError: its answers have no probability.
    """
    if not task.has_probabilities:
        raise ConfigError(
            f"faithfulness: compares probabilities of answers, which those of {task.name} have not. Use "
            "faithfulness=false; attnfocus inspect method=leave_one_out shows how far each position moves an answer."
        )


def _as_many_as_fit(model: Model, longest: int, pairs: int) -> int:
    if not by_kind(model.places(), "self"):
        return pairs
    return max(1, pairs // longest**2)


class _Sample:
    """The examples of a probe, with the weights by which their outputs look at the input."""

    def __init__(self, probe: Probe, generator: torch.Generator, most: Sizes) -> None:
        self.probe, self.generator, self.most = probe, generator, most
        self.left_out: dict[str, str] = {}
        self.importance: dict[str, Tensor] = {}  # of `rows`: how much each position counts, by what says so (N, K)
        with torch.no_grad():
            weights = probe.weights()
            self.read = read(weights, probe.model, probe.mask, None, None, probe.rows)
        looks = {look.name: look for look in looks_of(probe.model, weights, probe.axis_lengths)}
        places = readable(look.place for look in looks.values())
        self.names = [place.name for place in by_kind(places, "pooling") or places]
        attentions = probe.model.attentions()
        self.attentions = {name: attentions.get(name) for name in self.names}
        self.weights = {name: weights[name] * looks[name].queries.unsqueeze(-1) for name in self.names}
        self.allowed = {name: self._allowed(looks[name]) for name in self.names}
        rows = torch.randperm(len(probe.examples), generator=generator)[: most.outputs].sort().values
        self.rows = rows.to(probe.examples.device)  # of the outputs, for what costs some passes each
        with torch.no_grad():
            logits = probe.of_outputs(probe.logits_given({}, torch.arange(len(probe.inputs), device=self.rows.device)))
        self.factor = inverse_temperature(logits[self.rows])

    def _allowed(self, look: Look) -> Tensor:
        """Keys that weights may be moved to, broadcastable to (B, H, Q, K): real ones that the pattern lets be seen."""
        weights, attention = self.weights[look.name], self.attentions[look.name]
        real = length_mask(look.num_keys, weights.shape[3])[:, None, None, :]
        sees_everything = attention is not None and attention.sees_everything
        return real.expand_as(weights) if sees_everything else real & (weights != 0)

    def of_inputs(self) -> dict[str, float]:
        """What taking inputs away tells of the weights, beside gradients and chance."""
        probe, rows = self.probe, self.rows
        examples, answers = probe.examples[rows], probe.of_outputs(probe.answers)[rows]
        mask = probe.mask[examples]

        def probabilities(kept: Tensor, of: Tensor) -> Tensor:
            """As the model gives them, and at the one temperature: (M, 2)."""
            logits, chosen = probe.logits_without(kept, rows[of]), answers[of]
            own = probe.probabilities(probe.scores_of(logits, chosen))
            return torch.stack((wide(own), self._odds(logits, chosen).sigmoid()), dim=1)

        def odds(vectors: Tensor, of: Tensor) -> Tensor:
            return self._odds(probe.logits_of_vectors(vectors, rows[of]), answers[of])

        vectors = probe.vectors()[examples]
        importance = {
            "": self.read[examples, probe.steps[rows]].abs(),
            "_gradient": gradient_input(odds, vectors, torch.zeros_like(vectors)).abs(),
            "_random": torch.rand(mask.shape, generator=self.generator).to(mask.device),
        }
        names = {"": "attention", "_gradient": "gradient", "_random": "random"}
        self.importance = {names[name]: each for name, each in importance.items()}
        metrics = {}
        with torch.no_grad():
            for name, each in counted(importance.items(), "taking inputs away", len(importance)):
                found = checks.erasure(probabilities, each, mask, self.generator)
                for number, scale in enumerate(("", TEMPERED)):
                    metrics[f"{scale}comprehensiveness{name}"] = _mean(found.comprehensiveness[:, number])
                    metrics[f"{scale}sufficiency{name}"] = _mean(found.sufficiency[:, number])
        for scale in ("", TEMPERED):
            metrics[f"{scale}gain_over_chance"] = gain_over_chance(metrics, scale)
        own = importance[""]
        metrics["agreement_gradient"] = _mean(checks.rank_agreement(own, importance["_gradient"], mask))
        metrics["agreement_leave_one_out"] = self._agreement_with_leaving_out()
        metrics["agreement_random"] = _mean(checks.rank_agreement(own, importance["_random"], mask))
        return {f"faithfulness/{name}": value for name, value in metrics.items() if value == value}

    def _odds(self, logits: Tensor, answers: Tensor) -> Tensor:
        """Log-odds of the answers (M,) by the logits (M, C), at the one temperature."""
        return log_odds(wide(logits) * self.factor, answers)

    def _agreement_with_leaving_out(self) -> float:
        probe = self.probe
        cells = (probe.lengths**2).cumsum(dim=0)
        count = max(1, int((cells <= self.most.cells).sum()))
        if count < len(cells):
            self.left_out["agreement_leave_one_out"] = f"measured on {count} examples alone, as inputs are long"
        with torch.no_grad(), stage("leaving out inputs one by one"):
            found = leave_one_out(probe.scores_without, probe.mask[:count])  # (count, T, K)
        chosen = probe.examples < count
        examples, steps = probe.examples[chosen], probe.steps[chosen]
        left_out = found[examples, steps].abs()
        return _mean(checks.rank_agreement(self.read[examples, steps], left_out, probe.mask[examples]))

    def of_weights(self) -> dict[str, float]:
        """What other weights in the place of the model's own change."""
        for name, attention in self.attentions.items():
            if attention is None or not attention.weights_can_be_replaced:
                kind = "an attention of the model's own" if attention is None else type(attention).__name__
                reason = f"{kind} ({name}) makes its output of no weights that could be replaced"
                self.left_out["permuted, uniform and adversarial weights"] = reason
                return {}
        probe, generator = self.probe, self.generator
        everything = torch.arange(len(probe.inputs), device=probe.inputs.device)

        others = {
            "permuted": lambda name: checks.permuted(self.weights[name], self.allowed[name], generator),
            "uniform": lambda name: checks.uniform(self.weights[name], self.allowed[name]),
            "random": lambda name: checks.random_weights(self.weights[name], self.allowed[name], generator),
        }
        metrics, distances = {}, []
        with torch.no_grad(), stage("shuffling weights", 2 * NUM_DRAWS + 1) as shuffling:
            own = probe.logits_given({}, everything)
            for kind, make in others.items():
                changes, flips = [], []
                for _ in range(1 if kind == "uniform" else NUM_DRAWS):
                    given = {name: make(name) for name in self.names}
                    found = probe.logits_given(given, everything)
                    changes.append(self._changes(own, found))
                    flips.append(probe.of_outputs(own.argmax(dim=-1) != found.argmax(dim=-1)).float())
                    if kind == "random":
                        apart = checks.distances(self.weights, given, own.shape[1], probe.rows)
                        distances.append(probe.of_outputs(apart))
                    shuffling.advance()
                for number, scale in enumerate(("", TEMPERED)):
                    metrics[f"{scale}{kind}_change"] = _mean(torch.cat(changes)[:, number])
                metrics[f"{kind}_flips"] = _mean(torch.cat(flips))
        metrics["adversarial_distance"] = self._adversarial_distance(own[0].numel())
        metrics["random_distance"] = _mean(torch.cat(distances))
        return {f"faithfulness/{name}": value for name, value in metrics.items()}

    def _changes(self, logits: Tensor, others: Tensor) -> Tensor:
        """Of the outputs, as the model gives them and at the one temperature: (B, T, C) twice -> (N, 2)."""
        probe, changes = self.probe, []
        for rows in torch.arange(len(probe.examples)).split(max(1, self.most.scores // logits.shape[-1])):
            places = probe.examples[rows], probe.steps[rows]
            one, other = logits[places], others[places]
            own = checks.change_of_output(probe.log_probabilities_of(one), probe.log_probabilities_of(other))
            at_one_temperature = checks.change_of_output(tempered(one, self.factor), tempered(other, self.factor))
            changes.append(torch.stack((own.to(at_one_temperature.dtype), at_one_temperature), dim=1))
        return torch.cat(changes)

    def _adversarial_distance(self, num_scores: int) -> float:
        """At the one temperature, over as many examples as fit; `num_scores` are the T C of each."""
        probe = self.probe
        fits = max(1, min(self.most.positions // probe.inputs.shape[1], self.most.scores // num_scores))
        count = min(len(probe.inputs), fits)
        if count < len(probe.inputs):
            self.left_out["adversarial_distance"] = f"measured on {count} examples alone, as they are large"
        few = torch.arange(count, device=probe.inputs.device)
        found = checks.adversarial(
            lambda weights: tempered(probe.logits_given(weights, few), self.factor),
            {name: each[:count] for name, each in self.weights.items()},
            {name: each[:count] for name, each in self.allowed.items()},
            self.generator,
            rows=None if probe.rows is None else probe.rows[:count],
        )
        chosen = probe.examples < count
        return _mean(found.distance[probe.examples[chosen], probe.steps[chosen]])


def _mean(values: Tensor) -> float:
    """Of what is a number; NaN if nothing is."""
    return float(values.cpu().double().nanmean())
