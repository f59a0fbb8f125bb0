"""What a task says of examples: predictions, evaluations, and where the model looked.

Shapes: H heads, Q queries, K keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attnfocus.attention.role import Kind
from attnfocus.data.gold import TokenLinks
from attnfocus.events import Heads, Sample
from attnfocus.grid import Picture
from attnfocus.models.base import Place
from attnfocus.tasks.measures.focus import FocusTable

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Candidate:
    """One of several outputs. `rank_score` is what they are sorted by: the score with the penalties of decoding."""

    text: str
    score: float
    rank_score: float


@dataclass(frozen=True)
class Prediction:
    """What the model answers for one example.

    `score` is the natural log of the probability that the model gives to `text`, or of the label.
    `class_probabilities` are those of all classes, in the order of `labels`; empty where an answer is no class.
    `unknown` is the share of the input's tokens that the model does not know (1: it knows none of them); None where the
    input has no tokens.
    `weights` maps an attention's name to a float32 array (heads, queries, keys), real positions only; it is filled,
    with the tokens that label its axes and what each attention is for (`kinds`), only when weights were asked for.
    `key_unit` is what `key_tokens` count, where they are numbers such as seconds.
    `n_best` holds the outputs, this one first, when more than one was asked for (`decoding.num_best`).
    `is_number`: `text` is a number that was measured, which is neither right nor wrong; `score` is NaN.
    `picture` is what the weights of the input's positions are drawn over, where they come with one.
    `skipped` says in plain words why there is no answer; `text` is then empty and `score` is NaN.
    """

    id: str
    text: str
    score: float
    source: str = ""
    target: str = ""
    skipped: str | None = None
    key_tokens: tuple[str, ...] = ()
    key_unit: str | None = None
    query_tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] | None = None
    n_best: tuple[Candidate, ...] = ()
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    class_probabilities: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    unknown: float | None = None
    picture: Picture | None = None
    is_number: bool = False

    def __repr__(self) -> str:
        """What is known of it, without the weights."""
        shown: dict[str, object] = {"id": self.id, "text": self.text, "probability": float(f"{self.probability:.4g}")}
        if self.skipped is not None:
            shown = {"id": self.id, "skipped": self.skipped}
        more = {"source": self.source, "target": self.target, "unknown": self.unknown, "n_best": self.n_best}
        shown |= {name: value for name, value in more.items() if value}
        if self.weights is not None:
            shown["weights"] = list(self.weights)
        return f"Prediction({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def probability(self) -> float:
        """What the model gives to `text`, 0 to 1; NaN where there is no answer."""
        return math.exp(self.score)

    @property
    def probabilities(self) -> dict[str, float]:
        """Label -> its probability, of all classes; empty where an answer is no class."""
        return dict(zip(self.labels, self.class_probabilities, strict=True))


@dataclass(frozen=True)
class Evaluation:
    """Result of one pass over a split. `predictions` follow the order of their ids, whatever the batches were.

    `samples` are some examples with their maps, the same in every evaluation of a split; `answers` some without maps,
    wrong ones first. `focus` says how focused each attention and head is; means over them are among the metrics.
    """

    metrics: dict[str, float]
    predictions: list[Prediction]
    samples: tuple[Sample, ...] = ()
    extras: dict[str, object] = field(default_factory=dict)
    focus: FocusTable = field(default_factory=lambda: FocusTable(()))
    answers: tuple[Sample, ...] = ()

    @property
    def heads(self) -> Heads:
        """Measures of focus: attention -> measure -> a value for each head."""
        return self.focus.heads()


@dataclass(frozen=True)
class Subtracted:
    """What is taken away from a map where two runs, or two steps of one, are compared.

    Attributes:
        label: what it is of: `step 100`, or a run's name and its step.
        weights: (H, Q, K) float32, of the same heads and tokens.
    """

    label: str
    weights: np.ndarray


@dataclass(frozen=True)
class FocusMap:
    """How much each key counts for each query, by one method.

    Attributes:
        method: `attention`, or the name of an attribution.
        name: the attention's name (`cross`, `layers.0`); empty for a method that is about the whole model.
        weights: (H, Q, K) float32; below 0 where a method, or an attention, can subtract.
        query_tokens, key_tokens: Q and K labels of the axes.
        heads: H numbers, those of the model's own heads.
        place: which attention it is; None for a method that is about the whole model.
        minus: the same map of another run or step, where the difference is looked at.
    """

    method: str
    name: str
    weights: np.ndarray
    query_tokens: tuple[str, ...]
    key_tokens: tuple[str, ...]
    heads: tuple[int, ...]
    place: Place | None = None
    minus: Subtracted | None = None

    @property
    def label(self) -> str:
        """The name for people, with the attention's words where the layers have different ones."""
        return self.name if self.place is None else self.place.label

    @property
    def difference(self) -> np.ndarray:
        """(H, Q, K): the weights without those of `minus`; the weights themselves where there is none."""
        return self.weights if self.minus is None else self.weights - self.minus.weights

    @property
    def is_of_input(self) -> bool:
        """Whether its columns are the positions of the input: those of a patch may be heads, or what was written."""
        return not self.is_patch if self.place is None else self.place.keys == "input"

    @property
    def is_patch(self) -> bool:
        """Whether it says what a part of the model brings back when it is put into another input's run."""
        return self.method.startswith("patch_")

    @property
    def kind(self) -> Kind | None:
        """What the attention is for."""
        return None if self.place is None else self.place.kind


@dataclass(frozen=True)
class Inspected:
    """A prediction, and the maps that belong to it; none for an input that was skipped.

    Attributes:
        is_one_answer: the answer is one for the whole input, such as a label, and not a text or one for each position.
        links: what is known to translate what, as (position of the output, position of the input); None: it is not.
        rationale: for each position of the input whether people name it as evidence; None: that is not known.
        asked: of maps of a whole text the rows that the answer is read off; None: all.
    """

    prediction: Prediction
    maps: tuple[FocusMap, ...] = ()
    is_one_answer: bool = False
    links: TokenLinks | None = None
    rationale: tuple[bool, ...] | None = None
    asked: tuple[int, ...] | None = None
