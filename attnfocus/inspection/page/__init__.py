"""The HTML page of an inspection: one file with its script, style and data, that asks nothing of a network.

The data stand in a script element of type application/json. Weights are coded as the square root of their share of the
map's largest, in 8 or 16 bits, gzipped, in base64: half of the codes are spent on the smallest quarter of the weights.

Shapes: H heads, Q queries, K keys.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from attnfocus.files import strict_json
from attnfocus.inspection.content import Content, best_map, focus_rows, likelihood
from attnfocus.tasks import FocusMap, Inspected
from attnfocus.visible import visible

MAX_FINE = 1_000_000  # weights of a page that are coded in 16 bits; of more, in 8
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'"}  # no text can end the element, or look like markup
_CODES: Mapping[tuple[bool, bool], str] = {  # (fine, signed) -> numpy's name
    (False, False): "u1",
    (False, True): "i1",
    (True, False): "<u2",
    (True, True): "<i2",
}


def page_of(inspection: Content) -> str:
    """The document, in ASCII."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {"policy": policy, "style": style, "script": script, "data": embedded_json(page_data(inspection))}
    page = _asset("page.html")
    for name, text in parts.items():  # the data come last: they may hold anything
        page = page.replace(f"%{name}%", text)
    return page


def page_data(inspection: Content) -> dict[str, Any]:
    """What the script reads."""
    shown = [each for number, each in enumerate(inspection.examples) if number not in inspection.left_out]
    is_fine = sum(each.weights.size for example in shown for each in example.maps) <= MAX_FINE
    return {
        "run": {key: _visible(value) for key, value in inspection.facts.items()},
        "kind": inspection.kind,
        "verdict": inspection.verdict,
        "faithfulness": dict(inspection.faithfulness),
        "examples": [
            _example_data(example, is_fine, number in inspection.left_out)
            for number, example in enumerate(inspection.examples)
        ],
    }


def embedded_json(content: Mapping[str, Any]) -> str:
    """JSON in ASCII without a character that means something to HTML: safe inside a script element."""
    return json.dumps(strict_json(content), ensure_ascii=True, separators=(",", ":")).translate(_ESCAPES)


def coded(weights: np.ndarray, is_fine: bool) -> dict[str, Any]:
    """`code`: numpy's name of the integers; `largest`: what the highest stands for; `data`: see the module."""
    values = np.nan_to_num(np.asarray(weights, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    code = _CODES[is_fine, bool((values < 0).any())]
    largest = float(np.abs(values).max(initial=0.0))
    highest = np.iinfo(np.dtype(code)).max
    roots = np.sqrt(np.abs(values) / (largest or 1.0)) * np.sign(values)
    integers = np.rint(roots * highest).astype(code)
    data = base64.b64encode(gzip.compress(integers.tobytes(), compresslevel=6, mtime=0)).decode("ascii")
    return {"code": code.lstrip("<"), "largest": largest, "data": data}


def _example_data(example: Inspected, is_fine: bool, is_left_out: bool) -> dict[str, Any]:
    answer = example.prediction
    facts = {"id": visible(answer.id), "source": visible(answer.source), "target": visible(answer.target)}
    if answer.skipped is not None:
        return {**facts, "note": f"skipped: {answer.skipped}", "maps": []}
    facts |= {"prediction": visible(answer.text)}
    if not example.maps:
        return {**facts, "note": "The output is empty: there is nothing to show.", "maps": []}
    if is_left_out:
        return {**facts, "note": "Left out: too many weights for one page. Choose a layer or head.", "maps": []}
    tokens: dict[tuple[str, ...], int] = {}
    maps = [_map_data(each, tokens, is_fine) for each in example.maps]
    return {
        **facts,
        "likelihood": likelihood(answer.score),
        "tokens": [[visible(token) for token in each] for each in tokens],
        "maps": maps,
        "first": example.maps.index(best_map([each for each in example.maps if each.method == example.maps[0].method])),
    }


def _map_data(each: FocusMap, tokens: dict[tuple[str, ...], int], is_fine: bool) -> dict[str, Any]:
    return {
        "method": each.method,
        "name": each.name,
        "of": None if each.place is None else [each.place.queries, each.place.keys],
        "heads": list(each.heads),
        "shape": list(each.weights.shape),
        "queries": tokens.setdefault(each.query_tokens, len(tokens)),
        "keys": tokens.setdefault(each.key_tokens, len(tokens)),
        "focus": [_rounded(row) for row in focus_rows(each)] if each.method == "attention" else [],
        **coded(each.weights, is_fine),
    }


def _rounded(row: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in row.items()}


def _visible(value: str | int) -> str | int:
    return visible(value) if isinstance(value, str) else value


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="ascii")
