"""Inspections made by hand, for the tests of what they are shown as."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from attnfocus.inspection.inspection import Inspection
from attnfocus.models import Place
from attnfocus.tasks import FocusMap, Inspected, Prediction

FACTS = {
    "run": "/runs/one",
    "model": "seq2seq",
    "attention": "additive",
    "dataset": "dates",
    "checkpoint": "best",
    "step": 1200,
}
PLACES = {
    "cross": Place("cross", "cross", "output", "input"),
    "self": Place("self", "self", "output", "output"),
    "pooling": Place("pooling", "pooling", "learned", "input"),
    "0": Place("0", "self", "input", "input"),
}
HOSTILE = ("</script><script>window.hit=1</script>", '<img src=x onerror="window.hit=2">', "<!--", "'\"&%style%")


def focus_map(
    queries: Sequence[str],
    keys: Sequence[str],
    *,
    name: str = "cross",
    heads: int = 1,
    method: str = "attention",
    seed: int = 0,
    signed: bool = False,
) -> FocusMap:
    scores = np.random.default_rng(seed).normal(size=(heads, len(queries), len(keys)))
    weights = scores if signed else np.exp(3 * scores) / np.exp(3 * scores).sum(-1, keepdims=True)
    place = PLACES.get(name.split(".")[-1])
    return FocusMap(
        method,
        name,
        weights.astype(np.float32),
        tuple(queries),
        tuple(keys),
        tuple(range(heads)),
        None if place is None else replace(place, name=name),
    )


def example(*maps: FocusMap, source: str = "3. Mai", text: str = "05-03", number: int = 1) -> Inspected:
    return Inspected(Prediction(str(number), text, -0.1, source, text), maps)


def sequence(heads: int = 2) -> Inspection:
    """Two examples of a model with two attentions of `heads` heads, and an attribution."""
    made = []
    for number, source in enumerate(("3. Mai", "5 juil"), 1):
        maps = [focus_map("05-03", source, name=f"decoder.layers.{n}.cross", heads=heads, seed=n) for n in range(2)]
        gradient = focus_map("05-03", source, name="", method="gradient_input", seed=number, signed=True)
        made.append(example(*maps, gradient, source=source, number=number))
    return Inspection(
        FACTS,
        "text",
        tuple(made),
        {"en": "Weights say little.", "zh": "不可信。"},
        {"faithfulness/sufficiency": 0.25, "faithfulness/skill": 0.5},
        intervals={"faithfulness/skill": (0.25, 0.75)},
        glossary={"en": ["lead: how far."], "zh": ["领先：多远。"]},
    )


def hostile() -> Inspection:
    """Tokens, texts and names that would like to be markup."""
    tokens = (*HOSTILE, "\u202e", "\udc80", "\x1b[31m", "")
    text = " ".join(HOSTILE)
    maps = (focus_map(tokens, tokens), focus_map(("label",), tokens, name="pooling"))
    facts = {**FACTS, "run": HOSTILE[0], "model": HOSTILE[1]}
    verdict = {"en": text, "zh": text}
    return Inspection(facts, "text", (example(*maps, source=text, text=text),), verdict, {HOSTILE[0]: 1.0})


def large(num_tokens: int = 200, num_layers: int = 12, num_heads: int = 12) -> Inspection:
    tokens = [f"token{number}" for number in range(num_tokens)]
    maps = [
        focus_map(tokens, tokens, name=f"layers.{layer}", heads=num_heads, seed=layer) for layer in range(num_layers)
    ]
    return Inspection(FACTS, "text", (example(*maps, source=" ".join(tokens), text="yes"),))
