"""What the script of the page reads: the run, its examples, their maps, the colors."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from attnfocus.display.documents import ramps
from attnfocus.display.focus_words import MEASURE_WORDS
from attnfocus.explanation.measures import grouped
from attnfocus.inspection.content import Content, best_map, focus_rows, is_long, likelihood, num_weights
from attnfocus.inspection.known import linked_map, rationale_keys
from attnfocus.inspection.page.coding import coded, coded_picture, sketch, sketch_size
from attnfocus.inspection.scale import default_scale
from attnfocus.inspection.spread import NEARLY_UNIFORM
from attnfocus.tasks import FocusMap, Inspected, Prediction
from attnfocus.tasks.answers import Subtracted
from attnfocus.visible import visible

MAX_FINE = 1_000_000  # weights of a page that are coded in 16 bits; of more, in 8
MAX_CLASSES = 8  # whose probabilities are shown


def page_data(inspection: Content) -> dict[str, Any]:
    """Everything, in types that JSON has."""
    left_out = inspection.left_out
    shown = [each for number, each in enumerate(inspection.examples) if number not in left_out]
    is_fine = sum(num_weights(example) for example in shown) <= MAX_FINE
    maps = next((example.maps for example in inspection.examples if example.maps), ())
    return {
        "run": {key: _visible(value) for key, value in inspection.facts.items()},
        "kind": inspection.kind,
        "verdict": None if inspection.verdict is None else dict(inspection.verdict),
        "glossary": {language: list(lines) for language, lines in inspection.glossary.items()},
        "faithfulness": grouped(inspection.faithfulness, inspection.intervals),
        "measures": _measures(inspection),
        "head_kinds": {name: [visible(kind) for kind in kinds] for name, kinds in inspection.head_kinds.items()},
        "palette": ramps(),
        "nearly_uniform": NEARLY_UNIFORM,
        "scale": inspection.scale or default_scale(maps),
        "minus": next((visible(each.minus.label) for each in maps if each.minus is not None), None),
        "examples": [
            _example(example, (is_fine, inspection.has_details), inspection.max_values if number in left_out else None)
            for number, example in enumerate(inspection.examples)
        ],
    }


def _measures(inspection: Content) -> dict[str, dict[str, str]]:
    """What the measures of focus are, those that the maps have: name -> words of both languages, what is higher."""
    maps = [each for example in inspection.examples for each in example.maps if each.method == "attention"]
    names = {name: None for each in maps for row in focus_rows(each) for name in row}
    return {name: MEASURE_WORDS[name]._asdict() for name in names if name in MEASURE_WORDS}


def _example(example: Inspected, detail: tuple[bool, bool], room: int | None) -> dict[str, Any]:
    """As `_map`; `room`: of an example whose weights are left out, the numbers that sketches may have; else None."""
    answer = example.prediction
    facts = {"id": visible(answer.id), "source": visible(answer.source), "target": visible(answer.target)}
    if answer.skipped is not None:
        return {**facts, "note": f"skipped: {answer.skipped}", "maps": []}
    facts |= {"prediction": visible(answer.text)}
    if not example.maps:
        return {**facts, "note": "The output is empty: there is nothing to show.", "maps": []}
    shown = example.maps if room is None else tuple(each for each in example.maps if is_long(each.weights))
    if not shown or (room is not None and sum(map(_sketch_size, shown)) > room):
        return {**facts, "note": "Left out: too many weights for one page. Choose a layer or head.", "maps": []}
    tokens: dict[tuple[str, ...], int] = {}
    detail = (detail[0], detail[1] and room is None)
    maps = [_map(example, each, tokens, detail) for each in shown]
    for number, each in enumerate(shown):
        if each.minus is not None:
            maps.append({**_map(example, _taken_away(each, each.minus), tokens, detail), "twin": number})
    return {
        **facts,
        "likelihood": likelihood(answer.score),
        "verdict": _verdict(example),
        "classes": _classes(answer),
        "links": None if example.links is None else _links(example),
        "picture": None if answer.picture is None else coded_picture(answer.picture),
        "tokens": [[visible(token) for token in each] for each in tokens],
        "maps": maps,
        "first": shown.index(best_map([each for each in shown if each.method == shown[0].method])),
    }


def _sketch_size(each: FocusMap) -> int:
    """With those of what is taken away and of the difference."""
    return sketch_size(each.weights) * (1 if each.minus is None else 3)


def _taken_away(each: FocusMap, minus: Subtracted) -> FocusMap:
    """The other run's map as one to look at: its name says whose it is."""
    name = ", ".join(filter(None, (each.label, minus.label)))
    place = None if each.place is None else replace(each.place, name=name, words="")
    return replace(each, name=name, place=place, weights=minus.weights, minus=None)


def _verdict(example: Inspected) -> str | None:
    """`right` or `wrong` of a label; of a text only whether it is that of the data."""
    answer = example.prediction
    if not answer.target or answer.is_number:
        return None
    names = ("right", "wrong") if example.is_one_answer else ("same", "differs")
    return names[answer.text != answer.target]


def _classes(answer: Prediction) -> list[tuple[str, float]] | None:
    """The likeliest classes, and that of the data wherever it stands."""
    if not answer.labels:
        return None
    ordered = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])
    shown = [pair for place, pair in enumerate(ordered) if place < MAX_CLASSES or pair[0] == answer.target]
    return [(visible(label), round(share, 4)) for label, share in shown]


def _links(example: Inspected) -> list[tuple[int, int, int]]:
    assert example.links is not None
    possible, sure = example.links
    return [(query, key, int((query, key) in sure)) for query, key in sorted(possible | sure)]


def _map(
    example: Inspected, each: FocusMap, tokens: dict[tuple[str, ...], int], detail: tuple[bool, bool]
) -> dict[str, Any]:
    """`detail`: whether weights have 16 bits, and whether a sketch has its details."""
    is_fine, has_details = detail
    rationale = rationale_keys(example, each)
    facts: dict[str, Any] = {
        "method": each.method,
        "name": each.name,
        "label": each.label,
        "of": None if each.place is None else [each.place.queries, each.place.keys],
        "heads": list(each.heads),
        "shape": list(each.weights.shape),
        "queries": tokens.setdefault(each.query_tokens, len(tokens)),
        "keys": tokens.setdefault(each.key_tokens, len(tokens)),
        "signed": bool((each.weights < 0).any()),
        "gold": "rationale" if rationale is not None else "links" if linked_map(example, each) else None,
        "rationale": rationale,
        "focus": [_rounded(row) for row in focus_rows(each)] if each.method == "attention" else [],
    }
    if is_long(each.weights):
        facts |= _sketched(each.weights, has_details)
        if each.minus is not None:  # which two sketches do not tell
            facts["difference"] = _sketched(each.difference, has_details)
        return facts
    return {**facts, **coded(each.weights, is_fine)}


def _sketched(weights: np.ndarray, has_details: bool) -> dict[str, Any]:
    made = sketch(weights, has_details)
    return {"largest": made["top"]["largest"], "sketch": made}


def _rounded(row: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in row.items()}


def _visible(value: str | int) -> str | int:
    return visible(value) if isinstance(value, str) else value
