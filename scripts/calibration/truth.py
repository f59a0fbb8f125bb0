"""Whether the weights of a run point to what decides: by changes of the rows and of the weights, by construction.

No measure of the verdict that is judged plays a part: nothing is erased, and nothing is ranked by gradients. Words are
replaced by others that the generator could have drawn in their place, so that the model reads a row of its task.

Of each output of a sample, as the model itself answers: E are its evidence positions, A the fewest positions that hold
half of its attention weight. `flips(S)`: the share of outputs whose answer changes when the words at S are redrawn, so
that the answer changes by the rule of the task where that is possible inside S, and else stays as it is.

- What decides is plain if flips(E) >= 0.8, and flips(all but E) <= 0.15 while the answer stays by the rule.
- Where evidence decides together (the best of as many positions as A flip less than half), A are the fewest positions
  that hold 90 % of the weight.
- aim = (flips(A) - flips(as many at random)) / (flips(the best as many) - flips(as many at random)), where the best
  begin with E: 1 if half of the weight is where it should be, 0 if it could as well be anywhere.
- right: aim >= 0.75, and at least half of the weight lies on E.
- wrong: aim <= 0.25, and less than half of the weight lies on E, or less than 0.1 more than E's share of the positions.
- Where A is so wide that any as many would do nearly as well (a difference below 0.15), weights name no position: wrong
  if E is at most a third of the input and holds less than half of the weight, else unclear.
- unclear: all else, with the reason; also wrong weights of which a quarter or more lies on the positions that say where
  the evidence is (the mark of `marked`, the keys of `lookup`), which no change can leave in place.

Whether the answer needs the weights is a question of its own: `moved`, the share of outputs whose answer changes when
the weight on E is given to all other positions in proportion. Right weights with `moved` <= 0.05 point to what decides,
but the answer would be the same with others: `idle`.

Shapes: B rows, N outputs with evidence, L positions, M changed rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.explanation.attribution import probe_of
from attnfocus.explanation.reading import place_to_read, read
from attnfocus.special import BOS
from attnfocus.tasks.probe import Probe
from calibration.planted import changed
from calibration.runs import TinyRun

Answer = Literal["right", "wrong", "unclear"]
NUM_ROWS, NUM_OUTPUTS, NUM_DRAWS = 96, 96, 3
DECIDES, KEEPS = 0.8, 0.15  # flips of the evidence at least, of all else at most
RIGHT, WRONG = 0.75, 0.25  # aim
TELLS = 0.15  # the best positions against as many at random, at least
HALF, MOST = 0.5, 0.9  # of the weight
TOGETHER = 0.5  # flips of the best positions below which evidence decides together
ABOVE_CHANCE = 0.1  # of the weight on evidence
FRAMED = 0.25  # of the weight on what says where the evidence is, from where on wrong weights are not plainly so
FEW = 1 / 3  # of the positions that are evidence, at most
IDLE = 0.05  # of outputs that change without the weight on the evidence


@dataclass(frozen=True)
class Changes:
    """What changes of words and weights do to the answers, as shares of the outputs.

    Attributes:
        evidence, other, top, random, best: flips of the evidence, of all else, and of A, of as many positions at random
            and of the best as many (see the module).
        inside: share of the weight that lies on evidence.
        framed: ... that lies on the positions that say where the evidence is.
        density: share of the positions that are evidence.
        moved: answers that change without the weight on the evidence.
    """

    evidence: float = 0.0
    other: float = 0.0
    top: float = 0.0
    random: float = 0.0
    best: float = 0.0
    inside: float = 0.0
    framed: float = 0.0
    density: float = 0.0
    moved: float = 0.0

    @property
    def aim(self) -> float:
        """1: half of the weight is where it should be; 0: it could as well be anywhere."""
        gap = self.best - self.random
        return (self.top - self.random) / gap if gap > 0 else 0.0

    @property
    def is_learned(self) -> bool:
        return self.evidence >= DECIDES and self.other <= KEEPS


@dataclass(frozen=True)
class Truth:
    """What is so, why, and by which changes."""

    answer: Answer
    reason: str
    changes: Changes

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "aim": self.changes.aim, "is_learned": self.changes.is_learned}


@dataclass(frozen=True)
class Output:
    """One output of one row: its number among the rows, which output it is, its evidence and its frame."""

    row: int
    step: int
    evidence: tuple[int, ...]
    length: int
    frame: tuple[int, ...] = ()


def truth_of(run: TinyRun) -> Truth:
    """The truth of a run, by the rule of this module."""
    probe = probe_of(run.task, run.model, run.examples[:NUM_ROWS])
    outputs = outputs_of(run, probe)
    if not outputs:
        return Truth("unclear", "no output has evidence", Changes())
    with torch.no_grad():
        weights = read(probe.weights(), probe.model, probe.mask, None, None, probe.rows).abs()
    first = run.spec.first
    shares = [share_of(weights[each.row, each.step, : first + each.length].numpy()) for each in outputs]
    pairs = list(zip(outputs, shares, strict=True))
    random = np.random.default_rng(0)

    def flips(chosen: Callable[[Output, int], Sequence[int]], draws: int, *, answer_changes: bool = True) -> float:
        """Of the positions that are chosen for an output, of which `chosen` is told the number too."""
        places = [(number, chosen(each, number)) for _ in range(draws) for number, each in enumerate(outputs)]
        words = [
            changed(run.planted, run.rows[outputs[n].row], at, outputs[n].step, random, answer_changes=answer_changes)
            for n, at in places
        ]
        return _flipped(run, probe, [outputs[number] for number, _ in places], words)

    def of_best(sets: Sequence[Sequence[int]]) -> float:
        return flips(lambda each, number: best(random, each, len(sets[number])), NUM_DRAWS)

    tops = [fewest(share, HALF, first) for share in shares]
    best_flips = of_best(tops)
    if best_flips < TOGETHER:
        tops = [fewest(share, MOST, first) for share in shares]
        best_flips = of_best(tops)
    return judged(
        Changes(
            evidence=flips(lambda each, _: each.evidence, 1),
            other=flips(lambda each, _: others_of(each), 1, answer_changes=False),
            top=flips(lambda _, number: tops[number], NUM_DRAWS),
            random=flips(lambda each, number: drawn(random, each, len(tops[number])), NUM_DRAWS),
            best=best_flips,
            inside=float(np.mean([share[first:][list(each.evidence)].sum() for each, share in pairs])),
            framed=float(np.mean([share[first:][list(each.frame)].sum() for each, share in pairs])),
            density=float(np.mean([len(each.evidence) / each.length for each in outputs])),
            moved=_moved(run, probe, outputs),
        )
    )


def judged(changes: Changes) -> Truth:
    """The rule of this module on its numbers."""
    if changes.evidence < DECIDES:
        return Truth("unclear", "the answer does not follow the evidence: the task is not learned", changes)
    if changes.other > KEEPS:
        return Truth("unclear", "positions without evidence change the answer", changes)
    tells = changes.best - changes.random >= TELLS
    if tells and changes.aim >= RIGHT and changes.inside >= HALF:
        return Truth("right", "idle" if changes.moved <= IDLE else "needed", changes)
    if tells and changes.aim <= WRONG and changes.inside < max(HALF, changes.density + ABOVE_CHANCE):
        is_wrong, reason = True, "other positions have the weight"
    else:
        is_wrong = not tells and changes.density <= FEW and changes.inside < HALF
        reason = "right for a part of the outputs, or with a part of the weight" if tells else "weights are spread"
    if is_wrong and changes.framed >= FRAMED:
        return Truth("unclear", "the weight is on what says where the evidence is", changes)
    return Truth("wrong" if is_wrong else "unclear", reason, changes)


def outputs_of(run: TinyRun, probe: Probe) -> list[Output]:
    """The outputs of the model's own answers that have evidence, at most `NUM_OUTPUTS`, evenly spread."""
    found = []
    for number, step in zip(probe.examples.tolist(), probe.steps.tolist(), strict=True):
        row = run.rows[number]
        if step < len(row.outputs) and row.evidence[step]:
            found.append(Output(number, step, row.evidence[step], len(row.words), row.frame))
    if not found:
        return []
    return [found[number] for number in np.linspace(0, len(found) - 1, min(len(found), NUM_OUTPUTS)).astype(int)]


def share_of(weights: np.ndarray) -> np.ndarray:
    """Weights (L,) as shares of their sum; all alike where the sum is 0."""
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(weights), 1 / len(weights))


def fewest(share: np.ndarray, part: float, first: int = 0) -> tuple[int, ...]:
    """The fewest positions that hold a part of the weight, as places of words; those before the words are left out.

    Args:
        first: the position of the first word.
    """
    order = np.argsort(-share, kind="stable")
    count = int(np.searchsorted(np.cumsum(share[order]), part - 1e-6)) + 1
    return tuple(place - first for place in order[:count].tolist() if place >= first)


def others_of(output: Output) -> list[int]:
    return [place for place in range(output.length) if place not in output.evidence]


def drawn(random: np.random.Generator, output: Output, count: int) -> list[int]:
    return random.permutation(output.length)[:count].tolist()


def best(random: np.random.Generator, output: Output, count: int) -> list[int]:
    """So many positions, evidence first."""
    first, rest = random.permutation(output.evidence).tolist(), random.permutation(others_of(output)).tolist()
    return [*first, *rest][:count]


def _flipped(run: TinyRun, probe: Probe, outputs: Sequence[Output], texts: Sequence[Sequence[str]]) -> float:
    """Share of outputs (M) whose answer changes when their rows have these words (M)."""
    rows = torch.tensor([each.row for each in outputs])
    steps = torch.tensor([each.step for each in outputs])
    return float((_answered(run, probe, texts, rows, steps) != probe.answers[rows, steps]).float().mean())


def _answered(run: TinyRun, probe: Probe, texts: Sequence[Sequence[str]], rows: Tensor, steps: Tensor) -> Tensor:
    """What the model answers to changed rows (M,), of a written answer given its own words before it: (M,)."""
    inputs, tokenizer = probe.inputs[rows].clone(), run.task.codec.tokenizers()["source"]
    ids = {word: tokenizer.encode(word)[0] for word in run.planted.vocabulary}
    for row, words in zip(inputs, texts, strict=True):
        row[run.spec.first : run.spec.first + len(words)] = torch.tensor([ids[word] for word in words])
    lengths = probe.lengths[rows]
    with torch.no_grad():
        if probe.rows is not None:
            logits = run.model(inputs, lengths).logits
            return logits[torch.arange(len(rows)), probe.rows[rows, steps]].argmax(dim=-1)
        if not run.planted.writes:
            answers: Tensor = run.model(inputs, lengths).logits.argmax(dim=-1)
            return answers
        written = probe.answers[rows]
        read_so_far = torch.cat((torch.full_like(written[:, :1], BOS), written[:, :-1]), dim=1)
        logits = run.model(inputs, lengths, read_so_far).logits
    return logits[torch.arange(len(rows)), steps].argmax(dim=-1)


def _moved(run: TinyRun, probe: Probe, outputs: Sequence[Output]) -> float:
    """Share of outputs whose answer changes when the weight on the evidence goes to all other positions."""
    with torch.no_grad():
        own = probe.weights()
        name = place_to_read(own, probe.model, None).name
        weights = own[name]
        first = weights.shape[-1] - probe.mask.shape[1]  # the column of `cls`
        keep = torch.ones_like(weights)
        for each in outputs:
            keep[each.row, :, query_of(each, probe, weights), [first + run.spec.first + at for at in each.evidence]] = 0
        given = weights * keep
        real = F.pad(probe.mask, (first, 0), value=True)[:, None, None, :]
        if probe.rows is not None:
            real = real & torch.ones(weights.shape[-2:], dtype=torch.bool).tril()
        given = torch.where(given.sum(dim=-1, keepdim=True) > 1e-6, given, keep * real)  # where nothing is elsewhere
        given = given / given.sum(dim=-1, keepdim=True).clamp_min(1e-9) * weights.sum(dim=-1, keepdim=True)
        everything = torch.arange(len(probe.inputs))
        found = probe.logits_given({name: given}, everything).argmax(dim=-1)
    rows = torch.tensor([each.row for each in outputs])
    steps = torch.tensor([each.step for each in outputs])
    return float((found[rows, steps] != probe.answers[rows, steps]).float().mean())


def query_of(output: Output, probe: Probe, weights: Tensor) -> int | slice:
    """The row of the weights (B, H, Q, K) that the output reads; all rows where it reads them together."""
    if probe.rows is not None:
        return int(probe.rows[output.row, output.step])
    return output.step if weights.shape[2] > output.step and probe.num_outputs.max() > 1 else slice(None)
