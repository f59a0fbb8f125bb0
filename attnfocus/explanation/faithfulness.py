"""Whether a run's attention weights point to what its answers rest on: a verdict on a sample, and what it rests on.

Shapes: B examples, T outputs of an example, N outputs that are tested, K input positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from attnfocus.data.codecs.base import Encoded
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation.attribution import probe_of
from attnfocus.explanation.erasures import PASSES, ErasureTest
from attnfocus.explanation.evidence import evidence_metrics
from attnfocus.explanation.limits import USUAL_SIZES, Sizes
from attnfocus.explanation.measures import estimated, grouped
from attnfocus.explanation.published import PublishedTests
from attnfocus.explanation.reading import place_to_read, read
from attnfocus.explanation.right_answers import shares_of_right_tokens
from attnfocus.focus.samples import Samples
from attnfocus.focus.verdict import USUAL, Thresholds, Verdict, decided, estimates_of
from attnfocus.focus.verdict_glossary import glossary
from attnfocus.focus.verdict_words import LANGUAGES, Facts, sentences
from attnfocus.models.base import Model
from attnfocus.tasks.base import Task
from attnfocus.tasks.looks import by_kind
from attnfocus.tasks.probe import Probe

_FEWEST = 8  # examples of the first chunk, however long
FORMAT = 2  # of faithfulness.json; that of older versions has none


@dataclass(frozen=True)
class Faithfulness:
    """What was measured on a sample of a split, and what it comes to.

    Attributes:
        verdict: the answer, its reason and how sure it is.
        metrics: `faithfulness/<measure>` -> number; docs/trust.md tells them. What could not be measured is not there.
        intervals: of those that the verdict rests on, the ends of the 95 % interval over examples.
        sentences: language (en, zh) -> the verdict, what may be said of these weights, and what may not.
        left_out: what could not be measured, or on fewer examples, and why.
        attentions: the one that was read first, then those whose weights were replaced.
        split, num_examples, num_outputs, seed: of what it was measured.
        samples: what was found on each example, from which `focus.verdict.decide` makes the verdict.
    """

    verdict: Verdict
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    sentences: dict[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    attentions: tuple[str, ...] = ()
    split: str = "test"
    num_examples: int = 0
    num_outputs: int = 0
    seed: int = 0
    samples: Samples | None = field(default=None, compare=False, repr=False)

    @property
    def glossary(self) -> dict[str, tuple[str, ...]]:
        """Language -> what words of the sentences mean; nothing where they have none of these."""
        return glossary(self.verdict, is_of_tokens=self.num_outputs > self.num_examples)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The metrics in groups, with intervals, directions and a few words."""
        return grouped(self.metrics, self.intervals)

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        shown = {name: value for name, value in vars(self).items() if name not in ("samples", "verdict")}
        return {
            "format": FORMAT,
            "verdict": self.verdict.facts(),
            **shown,
            "glossary": self.glossary,
            "groups": self.groups,
        }


def measure_faithfulness(
    task: Task,
    model: Model,
    examples: Sequence[Encoded],
    *,
    num_examples: int | None,
    seed: int,
    split: str,
    most: Sizes = USUAL_SIZES,
    thresholds: Thresholds = USUAL,
) -> Faithfulness:
    """The tests on examples drawn by the seed, for the outputs that the model itself gives (greedily).

    Args:
        num_examples: how many; None: 64, and twice as many again and again until the verdict is sure, `most.examples`
            are taken, or the next would be more than `most.work`.

    Raises:
        ConfigError: as `require_probabilities`.
        DataError: the model can read none of them, or says nothing to any.
    """
    require_probabilities(type(task))
    generator = torch.Generator().manual_seed(seed)
    longest = model.max_input_length
    legible = [each for each in examples if 0 < len(each.inputs) <= (longest or len(each.inputs))]
    order = torch.randperm(len(legible), generator=generator).tolist()[: num_examples or most.examples]
    if not order:
        raise DataError(f"faithfulness: the model can read no example of {split}.")
    test = _Test(task, model, [legible[number] for number in order], generator, most)
    for samples in test.growing(None if num_examples else most.chunk):
        estimates = estimates_of(samples, thresholds, seed)
        verdict = decided(estimates)
        if verdict.answer != "cannot_tell" and not verdict.near_border:
            break
    metrics, intervals = estimated(estimates)
    metrics |= {f"faithfulness/{name}": value for name, value in test.metrics.items()}
    facts = Facts(test.read, split, len(samples), metrics)
    return Faithfulness(
        verdict,
        metrics,
        intervals,
        {language: sentences(verdict, facts, language) for language in LANGUAGES},
        tuple(f"{name}: {reason}" for name, reason in test.left_out.items()),
        tuple(dict.fromkeys((test.read, *test.names))),
        split,
        len(samples),
        test.num_outputs,
        seed,
        samples,
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


class _Test:
    """The test on more and more of some examples.

    Attributes:
        metrics: of published tests, on the first chunk.
        read: the attention whose weights are tested.
        names: those whose weights are replaced.
        left_out: what could not be measured, or on fewer examples -> why.
    """

    def __init__(
        self, task: Task, model: Model, examples: Sequence[Encoded], generator: torch.Generator, most: Sizes
    ) -> None:
        self.task, self.model, self.examples = task, model, examples
        self.generator, self.most = generator, most
        self.metrics: dict[str, float] = {}
        self.left_out: dict[str, str] = {}
        self.names: list[str] = []
        self.read, self.num_outputs = "", 0
        self._others: list[torch.Tensor] = []
        self._work = 0

    def growing(self, first: int | None) -> Iterator[Samples]:
        """What was found on the first examples, on twice as many, ..., on all; None: on all at once.

        Raises:
            DataError: the model says nothing to any.
        """
        parts: list[Samples] = []
        done, target = 0, first or len(self.examples)
        while done < len(self.examples):
            size = min(self._as_many_as_fit(done), target - done, len(self.examples) - done)
            if size < 1:
                tested = sum(len(each) for each in parts)
                others = "" if tested == done else f"; {done - tested} had nothing to test"
                self.left_out["all measures"] = f"measured on {done} examples alone, as inputs are long{others}"
                break
            parts += self._part(self.examples[done : done + size], is_last=done + size == len(self.examples))
            done += size
            if done == target < len(self.examples):
                target = min(2 * target, len(self.examples))
                if parts:
                    yield Samples.together(parts)
        yield Samples.together(parts)

    def _as_many_as_fit(self, done: int) -> int:
        """Examples of the next chunk; 0: no more."""
        longest = max(len(each.inputs) for each in self.examples)
        fits = self.most.chunk
        if by_kind(self.model.places(), "self"):
            fits = min(fits, max(1, self.most.pairs // longest**2))
        if not done:
            return min(fits, max(_FEWEST, self.most.work // (PASSES * longest)))
        return min(fits, (self.most.work - self._work) * done // max(1, self._work))

    def _part(self, chosen: Sequence[Encoded], *, is_last: bool) -> list[Samples]:
        """Of a chunk; none where the model says nothing to any of it."""
        try:
            probe = probe_of(self.task, self.model, chosen, skip_empty=True)
        except DataError:
            if is_last and not self.read:
                raise
            return []
        with torch.no_grad():
            weights = probe.weights()
            importance = read(weights, probe.model, probe.mask, None, None, probe.rows)
        rows = torch.randperm(len(probe.examples), generator=self.generator)[: self.most.outputs].sort().values
        rows = rows.to(probe.examples.device)
        test = ErasureTest(probe, importance, rows, self.generator, others=self._others, cells=self.most.cells)
        if not test.has_left_out:
            self.left_out["leave_one_out"] = "not measured where inputs are long"
        chosen = [chosen[number] for number in probe.numbers]  # those whose output has a token
        right = shares_of_right_tokens(self.task, probe, chosen, self.generator.initial_seed())
        samples = test.samples([_class_of(each) for each in chosen], right)
        self._work += test.work
        self.num_outputs += len(test.rows)
        if self.read:
            return [samples]
        self._others = test.donors()
        self.read = place_to_read(weights, probe.model, None).name
        published = PublishedTests(probe, weights, importance, rows, self.generator, self.most)
        self._publish(published, chosen)
        changed = self.metrics.get("permuted_flips", float("nan"))
        return [samples.with_shuffled(changed)]

    def _publish(self, published: PublishedTests, chosen: Sequence[Encoded]) -> None:
        self.metrics |= published.of_inputs()
        probe: Probe = published.probe
        rows = [chosen[number].row for number in probe.examples[published.rows].tolist()]
        self.metrics |= evidence_metrics(self.task.codec, rows, published.importance)
        self.metrics |= published.of_weights()
        self.names = published.names
        self.left_out |= published.left_out


def _class_of(example: Encoded) -> int:
    """-1 where the target is no class."""
    return int(example.targets) if isinstance(example.targets, int | np.integer) else -1
