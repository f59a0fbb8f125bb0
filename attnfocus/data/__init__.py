"""Data: sources, rows, tokens, batches.

The names here are what a dataset's YAML gives as `_target_` and what commands use. Each is imported when it is first
asked for, so that naming a set costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnfocus.data.batches import Batch as Batch
    from attnfocus.data.batches import BatchPlan as BatchPlan
    from attnfocus.data.batches import collate as collate
    from attnfocus.data.clean import CleanOptions as CleanOptions
    from attnfocus.data.clean import clean_text as clean_text
    from attnfocus.data.codec import Encoded as Encoded
    from attnfocus.data.codec import TextLabelCodec as TextLabelCodec
    from attnfocus.data.codec import TextPairCodec as TextPairCodec
    from attnfocus.data.codec import VectorLabelCodec as VectorLabelCodec
    from attnfocus.data.codec import load_codec as load_codec
    from attnfocus.data.dates import Dates as Dates
    from attnfocus.data.download import default_data_dir as default_data_dir
    from attnfocus.data.eraser import EraserMovies as EraserMovies
    from attnfocus.data.files import LabelledText as LabelledText
    from attnfocus.data.files import ParallelText as ParallelText
    from attnfocus.data.hub import HubPairs as HubPairs
    from attnfocus.data.hub import HubText as HubText
    from attnfocus.data.identity import Identity as Identity
    from attnfocus.data.languages import Languages as Languages
    from attnfocus.data.named_labelled import MR as MR
    from attnfocus.data.named_labelled import SST2 as SST2
    from attnfocus.data.named_labelled import SST5 as SST5
    from attnfocus.data.named_labelled import TREC as TREC
    from attnfocus.data.named_labelled import AGNews as AGNews
    from attnfocus.data.named_labelled import THUCNews as THUCNews
    from attnfocus.data.named_pairs import CMUDict as CMUDict
    from attnfocus.data.named_pairs import Multi30k as Multi30k
    from attnfocus.data.named_pairs import TatoebaCmn as TatoebaCmn
    from attnfocus.data.preparation import DatasetOptions as DatasetOptions
    from attnfocus.data.preparation import Prepared as Prepared
    from attnfocus.data.preparation import prepare as prepare
    from attnfocus.data.rows import RawData as RawData
    from attnfocus.data.rows import Row as Row
    from attnfocus.data.rows import Source as Source
    from attnfocus.data.split import SplitOptions as SplitOptions
    from attnfocus.data.tokenizer import Tokenizer as Tokenizer
    from attnfocus.data.tokenizer import TokenizerOptions as TokenizerOptions
    from attnfocus.data.vectors import WordVectors as WordVectors
    from attnfocus.data.vectors import find_vectors as find_vectors
    from attnfocus.data.vectors import read_vectors as read_vectors
    from attnfocus.data.vectors import vector_size as vector_size

_NAMES = {
    "batches": ("Batch", "BatchPlan", "collate"),
    "clean": ("CleanOptions", "clean_text"),
    "codec": ("Encoded", "TextLabelCodec", "TextPairCodec", "VectorLabelCodec", "load_codec"),
    "dates": ("Dates",),
    "download": ("default_data_dir",),
    "eraser": ("EraserMovies",),
    "files": ("LabelledText", "ParallelText"),
    "hub": ("HubPairs", "HubText"),
    "identity": ("Identity",),
    "languages": ("Languages",),
    "named_labelled": ("MR", "SST2", "SST5", "TREC", "AGNews", "THUCNews"),
    "named_pairs": ("CMUDict", "Multi30k", "TatoebaCmn"),
    "preparation": ("DatasetOptions", "Prepared", "prepare"),
    "rows": ("RawData", "Row", "Source"),
    "split": ("SplitOptions",),
    "tokenizer": ("Tokenizer", "TokenizerOptions"),
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
