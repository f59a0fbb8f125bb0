"""Data: sources, rows, tokens, batches.

The names here are what a dataset's YAML gives as `_target_`, and what users import. Each is imported when it is first
asked for, so that naming a set costs nothing; code of our own imports from the modules.
"""

import importlib
from typing import Any

_NAMES = {
    "batches": ("Batch", "BatchPlan", "collate"),
    "clean": ("CleanOptions", "clean_text"),
    "codecs.base": ("Codec", "Encoded", "LabelCodec", "load_codec"),
    "codecs.text": ("TextCodec",),
    "codecs.text_label": ("TextLabelCodec",),
    "codecs.text_pair": ("TextPairCodec",),
    "codecs.vector_label": ("VectorLabelCodec",),
    "preparation": ("DatasetOptions", "Prepared", "prepare"),
    "reading.download": ("default_data_dir",),
    "rows": ("RawData", "Row", "Source"),
    "sources.dates": ("Dates",),
    "sources.eraser": ("EraserMovies",),
    "sources.files": ("LabelledText", "ParallelText"),
    "sources.hub": ("HubPairs", "HubText"),
    "sources.identity": ("Identity",),
    "sources.languages": ("Languages",),
    "sources.named_labelled": ("AGNews", "MR", "SST2", "SST5", "THUCNews", "TREC"),
    "sources.named_pairs": ("CMUDict", "Multi30k", "TatoebaCmn"),
    "split": ("SplitOptions",),
    "tokens.tokenizer": ("Tokenizer", "TokenizerOptions"),
    "vectors": ("WordVectors", "find_vectors", "read_vectors", "vector_size"),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_MODULE_OF]
