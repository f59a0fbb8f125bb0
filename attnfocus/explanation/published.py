"""Measures of published tests of weights, as the papers define them: by the model's own probabilities.

The verdict rests on none of them but the share of answers that shuffled weights change, which its words name. Shapes: B
examples, T outputs of an example, N outputs that are tested, M rows of one call, K input positions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from attnfocus.explanation.limits import Sizes
from attnfocus.explanation.reading import readable
from attnfocus.focus import erasure as checks
from attnfocus.focus.attributions import gradient_input, leave_one_out
from attnfocus.models.lengths import length_mask
from attnfocus.stages import counted, stage
from attnfocus.tasks.looks import Look, by_kind, looks_of
from attnfocus.tasks.probe import Probe

NUM_DRAWS = 4  # of permuted and random weights
ERASED = ("comprehensiveness", "sufficiency")


class PublishedTests:
    """The tests on the examples of a probe.

    Args:
        weights: of all attentions of the probe.
        read: (B, T, K) weights by which outputs look at positions.
        rows: (N,) of the outputs, those for what costs some passes each.

    Attributes:
        names: the attentions whose weights are replaced: the pooling, or all that look at the input.
        importance: of `rows`, how much each position counts, by what says so: (N, K).
        left_out: what could not be measured, or on fewer examples -> why.
    """

    def __init__(
        self,
        probe: Probe,
        weights: Mapping[str, Tensor],
        read: Tensor,
        rows: Tensor,
        generator: torch.Generator,
        most: Sizes,
    ) -> None:
        self.probe, self.read, self.rows = probe, read, rows
        self.generator, self.most = generator, most
        self.left_out: dict[str, str] = {}
        self.importance: dict[str, Tensor] = {}
        looks = {look.name: look for look in looks_of(probe.model, weights, probe.axis_lengths)}
        places = readable(look.place for look in looks.values())
        self.names = [place.name for place in by_kind(places, "pooling") or places]
        attentions = probe.model.attentions()
        self.attentions = {name: attentions.get(name) for name in self.names}
        self.weights = {name: weights[name] * looks[name].queries.unsqueeze(-1) for name in self.names}
        self.allowed = {name: self._allowed(looks[name]) for name in self.names}

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
            return probe.probabilities(probe.scores_of(probe.logits_without(kept, rows[of]), answers[of]))

        def scores(vectors: Tensor, of: Tensor) -> Tensor:
            return probe.score(vectors, rows[of])

        vectors = probe.vectors()[examples]
        importance = {
            "": self.read[examples, probe.steps[rows]].abs(),
            "_gradient": gradient_input(scores, vectors, torch.zeros_like(vectors)).abs(),
            "_random": torch.rand(mask.shape, generator=self.generator).to(mask.device),
        }
        names = {"": "attention", "_gradient": "gradient", "_random": "random"}
        self.importance = {names[name]: each for name, each in importance.items()}
        metrics = {}
        with torch.no_grad():
            for name, each in counted(importance.items(), "taking shares of inputs away", len(importance)):
                found = checks.erasure(probabilities, each, mask, self.generator)
                metrics[f"comprehensiveness{name}"] = _mean(found.comprehensiveness)
                metrics[f"sufficiency{name}"] = _mean(found.sufficiency)
        own = importance[""]
        metrics["agreement_gradient"] = _mean(checks.rank_agreement(own, importance["_gradient"], mask))
        metrics["agreement_leave_one_out"] = self._agreement_with_leaving_out()
        metrics["agreement_random"] = _mean(checks.rank_agreement(own, importance["_random"], mask))
        return {name: value for name, value in metrics.items() if value == value}

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
                self.left_out["shuffled, uniform and adversarial weights"] = reason
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
                metrics[f"{kind}_change"] = _mean(torch.cat(changes))
                metrics[f"{kind}_flips"] = _mean(torch.cat(flips))
        metrics["adversarial_distance"] = self._adversarial_distance(own[0].numel())
        metrics["random_distance"] = _mean(torch.cat(distances))
        return metrics

    def _changes(self, logits: Tensor, others: Tensor) -> Tensor:
        """Of the outputs: (B, T, C) twice -> (N,)."""
        probe, changes = self.probe, []
        for rows in torch.arange(len(probe.examples)).split(max(1, self.most.scores // logits.shape[-1])):
            places = probe.examples[rows], probe.steps[rows]
            one, other = (probe.log_probabilities_of(each[places]) for each in (logits, others))
            changes.append(checks.change_of_output(one, other))
        return torch.cat(changes)

    def _adversarial_distance(self, num_scores: int) -> float:
        """Over as many examples as fit; `num_scores` are the T C of each."""
        probe = self.probe
        fits = max(1, min(self.most.positions // probe.inputs.shape[1], self.most.scores // num_scores))
        count = min(len(probe.inputs), fits)
        if count < len(probe.inputs):
            self.left_out["adversarial_distance"] = f"measured on {count} examples alone, as they are large"
        few = torch.arange(count, device=probe.inputs.device)
        found = checks.adversarial(
            lambda weights: probe.log_probabilities_of(probe.logits_given(weights, few)),
            {name: each[:count] for name, each in self.weights.items()},
            {name: each[:count] for name, each in self.allowed.items()},
            self.generator,
            rows=None if probe.rows is None else probe.rows[:count],
        )
        chosen = probe.examples < count
        return _mean(found.distance[probe.examples[chosen], probe.steps[chosen]])


def _mean(values: Tensor) -> float:
    """Of what is a number; NaN if nothing is."""
    found = values.cpu().double().nanmean()
    return math.nan if found.isnan() else float(found)
