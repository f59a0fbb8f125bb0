"""What an inspection has found, before anything is drawn: the run, its examples, their maps, and what they are called.

Shapes: H heads, Q queries, K keys.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from attnfocus.display.text import number
from attnfocus.grid import Picture
from attnfocus.tasks import FocusMap, Inspected
from attnfocus.tasks.measures.focus import FocusTable, focus_table

Kind = Literal["text", "vectors", "image", "sound", "signal"]  # what the positions of an input are
ScaleName = Literal["one", "largest", "uniform"]  # what a color means, see `inspection.scale`

MAX_WHOLE = 400_000  # weights of a head, of a map that a page holds as it is
_DECIMALS = 5


@dataclass(frozen=True, repr=False)
class Content:
    """Some examples of a run, and where it looked.

    Attributes:
        facts: what the run is: `run`, `model`, `attention`, `dataset`, `checkpoint`, `step`; `minus`: the other run or
            step, where two are compared.
        kind: whether the positions of an input are tokens of a text or vectors.
        examples: in the order asked for.
        verdict: how far the weights can be read as an explanation, language (en, zh) -> text; None when that was not
            tested.
        faithfulness: the numbers behind it.
        head_kinds: attention -> what each of its heads does; empty when that was not looked at.
        max_values: weights that one page or JSON file holds; 12 layers of 12 heads at 200 tokens are 5.8 million.
        has_details: whether a page has all weights of maps that are too large to be seen at once.
        intervals: of some of the numbers behind the verdict, the ends of the 95 % interval over examples.
        glossary: what words of the verdict mean, language -> lines.
        scale: of the colors, on the screen and where a page opens; None: as `scale.default_scale` says.
    """

    facts: Mapping[str, str | int]
    kind: Kind
    examples: tuple[Inspected, ...]
    verdict: Mapping[str, str] | None = None
    faithfulness: Mapping[str, float] = field(default_factory=dict)
    head_kinds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    max_values: int = 24_000_000
    scale: ScaleName | None = None
    has_details: bool = True
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    glossary: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def as_facts(self) -> dict[str, Any]:
        """Everything, in types that JSON has."""
        return {
            **self.facts,
            "kind": self.kind,
            "verdict": None if self.verdict is None else dict(self.verdict),
            "faithfulness": dict(self.faithfulness),
            "head_kinds": {name: list(kinds) for name, kinds in self.head_kinds.items()},
            "examples": [
                _example_facts(example, place in self.left_out) for place, example in enumerate(self.examples)
            ],
        }

    @cached_property
    def left_out(self) -> frozenset[int]:
        """The examples whose maps are in no page and no JSON: together with those before they would be too large."""
        total, found = 0, set()
        for place, example in enumerate(self.examples):
            total += num_weights(example)
            if total > self.max_values:
                found.add(place)
        return frozenset(found)


def num_weights(example: Inspected) -> int:
    """Of all its maps, with those that are taken away; of long maps with the differences, which a page holds, too."""
    return sum(
        each.weights.size * (1 if each.minus is None else 3 if is_long(each.weights) else 2) for each in example.maps
    )


def is_long(weights: np.ndarray) -> bool:
    """Whether a page keeps a map (H, Q, K) as a sketch, whose details follow where one looks."""
    return weights.shape[1] > 1 and weights.shape[1] * weights.shape[2] > MAX_WHOLE


def best_map(maps: Sequence[FocusMap]) -> FocusMap:
    """Of several attentions the one to look at first.

    The cross-attention of the last layer but one (Garg et al. 2019, sec. 4.1, arXiv:1909.02074); else the pooling,
    which comes last, or the last layer.
    """
    crossing = [each for each in maps if each.kind == "cross"]
    return crossing[-2] if len(crossing) > 1 else [*maps, *crossing][-1]


def title_of(each: FocusMap) -> str:
    """`attention, cross`, or `gradient input`, with what is taken away."""
    method = each.method.replace("_", " ")
    title = f"{method}, {each.label}" if each.name else method
    return title if each.minus is None else f"{title}, minus {each.minus.label}"


def focus_of(each: FocusMap) -> FocusTable:
    """How focused the map is, by head."""
    planes = {} if each.place is None else {each.name: each.place.plane}
    return focus_table({each.name: each.weights}, {} if each.kind is None else {each.name: each.kind}, planes)


def focus_rows(each: FocusMap) -> list[Mapping[str, float]]:
    """The measures of each head, means over its queries; none for a head that looked nowhere."""
    found = {row.head: row.measures for row in focus_of(each).rows}
    return [found.get(head, {}) for head in range(len(each.heads))]


def picture_of(example: Inspected, each: FocusMap) -> Picture | None:
    """What the map is drawn over, where its columns are the positions of one; None: it is drawn as a table."""
    picture = example.prediction.picture
    if picture is None or not each.is_of_input:
        return None
    return picture if each.weights.shape[2] >= len(picture.boxes) else None


def written_queries(each: FocusMap) -> tuple[str, ...] | None:
    """What a map of an output of several tokens is asked for, one after the other; None: one thing, or the input."""
    is_output = each.place is None or each.place.queries == "output"
    return each.query_tokens if is_output and len(each.query_tokens) > 1 else None


def likelihood(score: float) -> str:
    """A log probability as people read it: as a probability, unless that is tiny; empty where there is none."""
    if not math.isfinite(score):
        return ""
    likely = math.exp(min(score, 0.0))
    return f"probability {number(likely)}" if likely >= 0.001 else f"log probability {number(score)}"


def _example_facts(example: Inspected, is_left_out: bool) -> dict[str, Any]:
    answer = example.prediction
    facts: dict[str, Any] = {"id": answer.id, "source": answer.source, "target": answer.target}
    if answer.skipped is not None:
        return {**facts, "skipped": answer.skipped}
    facts |= {"prediction": answer.text, "score": answer.score}
    if is_left_out:
        return {**facts, "left_out": "too many weights for one file: choose a layer or head, or fewer examples"}
    return {**facts, "maps": [_map_facts(each) for each in example.maps]}


def _map_facts(each: FocusMap) -> dict[str, Any]:
    return {
        "method": each.method,
        "attention": each.name,
        "heads": list(each.heads),
        "queries": list(each.query_tokens),
        "keys": list(each.key_tokens),
        "weights": each.weights.astype(float).round(_DECIMALS).tolist(),
        **({} if each.minus is None else {"minus": each.minus.weights.astype(float).round(_DECIMALS).tolist()}),
        "focus": focus_rows(each) if each.method == "attention" else [],
    }
