"""Raw names of a run (attentions, measures of focus, methods) as people read them."""

import re

from attnfocus.display.focus_words import MEASURE_WORDS


def measure_words(name: str) -> str:
    """`effective_positions` -> `effective positions`; one that is not known here without its underscores."""
    known = MEASURE_WORDS.get(name)
    return name.replace("_", " ") if known is None else known.name


def attention_words(name: str) -> str:
    """`decoder.layers.0.cross` -> `decoder layer 0 cross`: numbers count from 0, as the key `layer` does.

    Of a label, `layers.3 (sink_window)`, what stands in brackets stays: it is what was typed.
    """
    path, bracket, choice = name.partition(" (")
    return re.sub(r"layers?\.(\d+)", r"layer \1", path).replace(".", " ").replace("_", " ") + bracket + choice
