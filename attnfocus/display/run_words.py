"""Raw names of a run (attentions, measures of focus, methods) as people read them."""

import re

MEASURES = {
    "effective_positions": "effective positions",
    "positions": "positions of the input",
    "normalized_entropy": "entropy, 1: uniform",
    "top_mass": "weight of the largest position",
    "first_mass": "weight of the first position",
    "last_mass": "weight of the last position",
    "special_mass": "weight of special tokens",
    "distance": "mean distance in positions",
    "diagonality": "nearness to the diagonal",
    "monotonicity": "share of steps forward",
    "coverage_deviation": "uneven coverage of the input",
    "head_disagreement": "disagreement of the heads",
    "total_weight": "sum of a query's weights",
    "max_logit": "largest logit",
    "measured_queries": "queries measured of each input",
    "drift": "change since the evaluation before",
}


def measure_words(name: str) -> str:
    """`effective_positions` -> `effective positions`; one that is not known here without its underscores."""
    return MEASURES.get(name, name.replace("_", " "))


def attention_words(name: str) -> str:
    """`decoder.layers.0.cross` -> `decoder layer 0 cross`: numbers count from 0, as the key `layer` does.

    Of a label, `layers.3 (sink_window)`, what stands in brackets stays: it is what was typed.
    """
    path, bracket, choice = name.partition(" (")
    return re.sub(r"layers?\.(\d+)", r"layer \1", path).replace(".", " ").replace("_", " ") + bracket + choice
