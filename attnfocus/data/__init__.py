"""Data: sources, rows, tokens, batches.

The names here are what a dataset's YAML gives as `_target_`, and what users import. Each is imported when it is first
asked for, so that naming a set costs nothing; code of our own imports from the modules.
"""

from attnfocus.late_names import late_names

_NAMES = {
    "array_rows": ("ArrayRows",),
    "batches": ("Batch", "BatchPlan", "collate"),
    "clean": ("CleanOptions", "clean_text"),
    "codecs.base": ("Codec", "Encoded", "load_codec"),
    "codecs.history": ("HistoryCodec",),
    "codecs.image_label": ("ImageLabelCodec",),
    "codecs.label": ("LabelCodec",),
    "codecs.number": ("NumberCodec",),
    "codecs.series": ("SeriesLabelCodec", "SeriesNumberCodec"),
    "codecs.sound_label": ("SoundLabelCodec",),
    "codecs.sound_text": ("SoundTextCodec",),
    "codecs.text": ("TextCodec",),
    "codecs.text_label": ("TextLabelCodec",),
    "codecs.text_number": ("TextNumberCodec",),
    "codecs.text_pair": ("TextPairCodec",),
    "codecs.vector_label": ("VectorLabelCodec",),
    "codecs.windows": ("WindowCodec",),
    "preparation": ("DatasetOptions", "Prepared", "prepare"),
    "reading.download": ("default_data_dir",),
    "rows": ("RawData", "Row", "Source"),
    "sources.canvas": ("Canvas",),
    "sources.copying": ("Copying", "SelectiveCopying"),
    "sources.dates": ("Dates",),
    "sources.eraser": ("EraserMovies",),
    "sources.files": ("LabelledText", "ParallelText"),
    "sources.fsdd": ("FSDD",),
    "sources.fsdd_strings": ("FSDDStrings",),
    "sources.hub": ("HubPairs", "HubText"),
    "sources.hub_stream": ("HubRunningText",),
    "sources.identity": ("Identity",),
    "sources.induction": ("Induction",),
    "sources.languages": ("Languages",),
    "sources.listops": ("ListOps",),
    "sources.interactions": ("Interactions", "VideoGames"),
    "sources.media_files": ("ImageFiles", "SoundFiles"),
    "sources.mnist": ("MNIST",),
    "sources.named_domains": ("Banking77", "PhraseBank"),
    "sources.named_labelled": ("AGNews", "MR", "SST2", "SST5", "THUCNews", "TREC"),
    "sources.named_pairs": ("CMUDict", "Multi30k", "TatoebaCmn"),
    "sources.needle": ("Needle",),
    "sources.parity": ("Parity",),
    "sources.recall": ("Recall",),
    "sources.series": ("EEGConfusion", "SeriesFiles"),
    "sources.running_text": ("RunningText", "TinyShakespeare"),
    "sources.sorting": ("Sorting",),
    "split": ("SplitOptions",),
    "tokens.tokenizer": ("Tokenizer", "TokenizerOptions"),
    "reading.vector_files": ("vector_size",),
    "vectors": ("WordVectors", "find_vectors", "read_vectors"),
}

__all__, __getattr__, __dir__ = late_names(__name__, _NAMES)
