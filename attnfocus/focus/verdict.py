"""Whether attention weights point to what a model's answers rest on: the rules, and how sure they are.

Every number is a share of a lead (`focus.leads`), so that a factor on the logits changes none. Shapes as in
`focus.samples`.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from attnfocus.focus.samples import RANKINGS, Floats, Samples, draws_of, mean_recalls, means, ratio

Answer = Literal["yes", "partly", "no", "cannot_tell"]
Reason = Literal[
    "points",  # yes
    "elsewhere",  # no: other positions decide
    "weak",  # partly: better than chance, far from the best that is known
    "few_texts",  # ... few answers depend on the input
    "even",  # ... most positions have much the same weight
    "together",  # ... what they point to is needed, and not enough
    "repeated",  # ... it is enough, and not needed
    "spread",  # ... it makes a small part of the answer
    "too_few",  # cannot tell: too few examples
    "unlearned",  # ... classes that it answers are no better than chance
    "unrelated",  # ... texts that it answers are no closer to the right ones than to those of other inputs
    "same_answer",  # ... every input has the same answer
    "input_unused",  # ... answers do not depend on the input
    "no_ranking",  # ... no known ranking of positions does better than chance
]
ANSWERS: tuple[Answer, ...] = get_args(Answer)  # what may be said of the weights grows less from the first on
_OF_SIGN: dict[int, Answer] = {1: "yes", 0: "partly", -1: "no"}
NUM_DRAWS = 1000  # of the bootstrap
INTERVAL = (2.5, 97.5)  # percent
_WEIGHTS, _RANDOM = RANKINGS.index("weights"), RANKINGS.index("random")


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What the verdict asks for. See `Estimates` for the measures.

    Attributes:
        examples: fewer tell nothing.
        reach: lead that must be lost without any input; an erasure that takes less is not looked at.
        dependent: share of the answers that must change without any input.
        few_texts: ... below this, weights count in few texts alone.
        room: what the best ranking must gain over chance, as a share of the reach, for a way to be looked at.
        skill_yes, skill_no: from where on weights point, and below which they do not.
        weakest: of the two ways, the skill that the worse one must have.
        gain, gain_no: what must be gained over chance, as a share of the reach; below the second weights do not point.
        only: ... in a way that is the only one to be looked at.
        heaviest: ... in the better way, by the positions that hold half of the weight, whatever those of 90 % gain.
        even: from this `half` on the weights are much alike.
        sure: share of the bootstrap's samples that must give the same answer; below, it is near the border.
    """

    examples: int = 8
    reach: float = 0.1
    dependent: float = 0.05
    few_texts: float = 0.15
    room: float = 0.1
    skill_yes: float = 0.5
    skill_no: float = 0.35
    weakest: float = 0.25
    gain: float = 0.15
    gain_no: float = 0.02
    only: float = 0.3
    heaviest: float = 0.05
    even: float = 0.35
    sure: float = 0.95


USUAL = Thresholds()


@dataclass(frozen=True)
class Verdict:
    """Attributes:
    confidence: share of the bootstrap's samples of examples that give the same answer, 0 to 1.
    near_border: the confidence is below `Thresholds.sure`.
    second: the answer that most of the other samples give; None: all give the same.
    """

    answer: Answer
    reason: Reason
    confidence: float = 1.0
    near_border: bool = False
    second: Answer | None = None

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "confidence": round(self.confidence, 4)}


@dataclass(frozen=True, eq=False)
class Estimates:
    """The measures of each sample of the bootstrap, the whole first: arrays (1 + B, ...).

    What was measured in several erasures counts as in the worst of them.
    """

    samples: Samples
    draws: Floats
    thresholds: Thresholds

    @cached_property
    def effects_by_share(self) -> Floats:
        """Of removing the lead lost, of keeping alone the lead left: (1 + B, E, W, R, S)."""
        left = means(self.draws, self.samples.left)
        return np.stack((1 - left[:, :, 0], left[:, :, 1]), axis=2)

    @cached_property
    def effects(self) -> Floats:
        """Mean over the shares: (1 + B, E, W, R)."""
        return self.effects_by_share.mean(axis=-1)

    @cached_property
    def reach(self) -> Floats:
        """Lead lost without any input: (1 + B, E)."""
        return 1 - means(self.draws, self.samples.nothing)

    @cached_property
    def dependent(self) -> Floats:
        """Share of the answers that change without any input: (1 + B,)."""
        return np.nanmax(means(self.draws, self.samples.nothing_changed), axis=1)

    @cached_property
    def half(self) -> Floats:
        """As in `Samples`: (1 + B,)."""
        return means(self.draws, self.samples.half)

    @cached_property
    def recall(self) -> Floats | None:
        return mean_recalls(self.draws, self.samples.answers, self.samples.targets)

    @cached_property
    def right(self) -> Floats:
        """As in `Samples`: (1 + B, 2)."""
        return means(self.draws, self.samples.right)

    @cached_property
    def is_used(self) -> NDArray[np.bool_]:
        """The erasures that take enough of a lead: (E,)."""
        return np.nan_to_num(self.reach[0]) >= self.thresholds.reach

    @cached_property
    def best(self) -> Floats:
        """Effect of the ranking that does best on the whole: (1 + B, E, W)."""
        known = np.nan_to_num(self.effects[0][..., :_RANDOM], nan=-np.inf)
        chosen = known.argmax(axis=-1)[None, ..., None]
        return np.take_along_axis(self.effects, np.broadcast_to(chosen, (len(self.draws), *chosen.shape[1:])), -1)[
            ..., 0
        ]

    @cached_property
    def room(self) -> Floats:
        """What the best ranking gains over chance, as a share of the reach: (1 + B, E, W)."""
        return ratio(self.best - self.effects[..., _RANDOM], self.reach[..., None])

    @cached_property
    def has_room(self) -> NDArray[np.bool_]:
        """Where a ranking can be told from chance: (E, W)."""
        return self.is_used[:, None] & (np.nan_to_num(self.room[0]) >= self.thresholds.room)

    @cached_property
    def gains(self) -> Floats:
        """What the weights gain over chance, as a share of the reach: (1 + B, W)."""
        return self._gains(self.effects)

    @cached_property
    def heaviest(self) -> Floats:
        """The gain of the positions that hold half of the weight, in the better way: (1 + B,)."""
        return _over_ways(np.nanmax, self._gains(self.effects_by_share[..., 0]))

    def _gains(self, effects: Floats) -> Floats:
        """(1 + B, E, W, R) -> (1 + B, W)"""
        found = ratio(effects[..., _WEIGHTS] - effects[..., _RANDOM], self.reach[..., None])
        return _worst(found, np.broadcast_to(self.is_used[:, None], found.shape[1:]))

    @cached_property
    def skills(self) -> Floats:
        """... as a share of what the best ranking gains, 1 at most: (1 + B, W); NaN where none gains anything."""
        gained = self.effects[..., _WEIGHTS] - self.effects[..., _RANDOM]
        return _worst(ratio(gained, self.best - self.effects[..., _RANDOM]), self.has_room)

    @cached_property
    def skill(self) -> Floats:
        """Mean of the ways: (1 + B,)."""
        return _over_ways(np.nanmean, self.skills)

    @cached_property
    def weakest(self) -> Floats:
        """Of the ways: (1 + B,)."""
        return _over_ways(np.nanmin, self.skills)

    @cached_property
    def gain(self) -> Floats:
        """Mean of the ways: (1 + B,)."""
        return _over_ways(np.nanmean, self.gains)


def estimates_of(samples: Samples, thresholds: Thresholds = USUAL, seed: int = 0) -> Estimates:
    """The measures with a bootstrap over examples, drawn by the seed."""
    return Estimates(samples, draws_of(len(samples), NUM_DRAWS, seed), thresholds)


def decide(samples: Samples, thresholds: Thresholds = USUAL, seed: int = 0) -> Verdict:
    """The verdict by the rules of docs/trust.md. The same for the same samples and seed."""
    return decided(estimates_of(samples, thresholds, seed))


def decided(of: Estimates) -> Verdict:
    """As `decide`, where the measures are there."""
    if len(of.samples) < of.thresholds.examples:
        return Verdict("cannot_tell", "too_few")
    reason = _nothing_learned(of)
    if reason is not None:
        return Verdict("cannot_tell", reason)
    if not of.has_room.any():
        return Verdict("cannot_tell", "no_ranking")
    answers = _answers(of)
    answer = _OF_SIGN[int(answers[0])]
    reasons: dict[Answer, Reason] = {"yes": "points", "no": "elsewhere"}
    reason = reasons.get(answer) or _why_partly(of)
    others = [_OF_SIGN[int(sign)] for sign in answers[1:] if sign != answers[0]]
    confidence = float((answers[1:] == answers[0]).mean())
    second = Counter(others).most_common(1)[0][0] if others else None
    return Verdict(answer, reason, confidence, confidence < of.thresholds.sure, second)


def _nothing_learned(of: Estimates) -> Reason | None:
    """Why no weights of this model could explain its answers."""
    limits = of.thresholds
    if len(np.unique(of.samples.answers)) < 2:
        return "same_answer"
    if of.recall is not None:
        chance = 1 / len(np.unique(of.samples.targets))
        if np.percentile(of.recall[1:], INTERVAL[0]) <= chance:
            return "unlearned"
    ahead = of.right[1:, 0] - of.right[1:, 1]
    if np.isfinite(ahead).all() and np.percentile(ahead, INTERVAL[0]) <= 0:
        return "unrelated"
    if not of.is_used.any() or of.dependent[0] < limits.dependent:
        return "input_unused"
    return None


def _answers(of: Estimates) -> NDArray[np.int64]:
    """1 yes, 0 partly, -1 no: (1 + B,)."""
    limits = of.thresholds
    is_yes = (of.skill >= limits.skill_yes) & (of.weakest >= limits.weakest) & (of.gain >= limits.gain)
    is_yes &= of.heaviest >= limits.heaviest
    is_yes &= (of.half < limits.even) & (of.dependent >= limits.few_texts)
    only = _only_way(of)
    if only is not None:
        is_yes &= of.gains[:, only] >= limits.only
    is_no = (of.skill < limits.skill_no) | (of.gain < limits.gain_no)
    return np.where(is_no, -1, np.where(is_yes, 1, 0))


def _only_way(of: Estimates) -> int | None:
    """The way in which alone a ranking can be told from chance; None: there is more than one."""
    ways = np.flatnonzero(of.has_room.any(axis=0))
    return int(ways[0]) if len(ways) == 1 else None


def _why_partly(of: Estimates) -> Reason:
    limits = of.thresholds
    if of.half[0] >= limits.even:
        return "even"
    if of.dependent[0] < limits.few_texts:
        return "few_texts"
    if of.weakest[0] < limits.weakest:
        return "repeated" if np.nanargmin(of.skills[0]) == 0 else "together"
    only = _only_way(of)
    if only is not None and of.skill[0] >= limits.skill_yes and of.gains[0, only] < limits.only:
        return "together" if only == 0 else "repeated"
    return "spread" if of.gain[0] < limits.gain else "weak"


def _worst(values: Floats, counts: NDArray[np.bool_]) -> Floats:
    """Over the erasures that count: (1 + B, E, W), (E, W) -> (1 + B, W); NaN where none does."""
    found = np.where(counts, values, np.inf).min(axis=1, where=~np.isnan(values), initial=np.inf)
    return np.where(np.isfinite(found), found, np.nan)


def _over_ways(function: Callable[..., Floats], values: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # none counts: NaN
        found: Floats = function(values, axis=1)
    return found
