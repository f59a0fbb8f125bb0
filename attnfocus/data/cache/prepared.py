"""Prepared sets in the cache: which can be kept, what they are known by, how they are written and read.

What is kept are sets from files of one's own (`parallel_text`, `labelled_text`) that are large, with a codec of texts
and a tokenizer of ours: the rows, what they are encoded to, the tokenizer, and what is said of them.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from attnfocus.data.cache.arrays import num_bytes, read_examples, write_examples
from attnfocus.data.cache.folder import CacheFolder, DamagedError, checked_content, digest_of
from attnfocus.data.codecs.base import Codec, load_codec
from attnfocus.data.codecs.packed import PackedExamples
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.examples import Examples
from attnfocus.data.preparation import DatasetOptions, Prepared
from attnfocus.data.rows import Source
from attnfocus.data.sources.files import LabelledText, ParallelText
from attnfocus.data.text_rows import TextRows
from attnfocus.errors import CheckpointError
from attnfocus.files import reason_of
from attnfocus.stages import Stage, stage
from attnfocus.version import __version__

PREPARATION = 1  # to be raised when the same files and options give other rows, tokens, figures or lines
MIN_BYTES = 20_000_000  # of files; less is read in a second or two
_CODECS: list[type[Codec]] = [TextPairCodec, TextLabelCodec]


@dataclass(frozen=True)
class _Files:
    """What a set is read from: path, size and time of change of each file before it was read."""

    states: list[tuple[str, int, int]]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> _Files:
        return cls([(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths])

    @property
    def size(self) -> int:
        return sum(size for _, size, _ in self.states)

    def digests(self) -> list[str]:
        with stage("looking for prepared data", self.size) as looking:
            return [digest_of(Path(path), looking, follow_links=True) for path, _, _ in self.states]


def cached(
    folder: CacheFolder,
    source: Source,
    options: DatasetOptions,
    seed: int,
    codecs: Sequence[type[Codec]],
    prepare: Callable[[], Prepared],
) -> Prepared:
    """What `prepare` gives, from the cache where it is there, and kept where it is not.

    Args:
        seed: of the run, which counts where there are folds.
        codecs: that the rows may be read by.

    Raises:
        ConfigError: the cache folder must not be used.
    """
    of_texts = {each for each in codecs if each.input_kind == "text"}
    if type(source) not in (ParallelText, LabelledText) or not folder.max_bytes or not of_texts <= set(_CODECS):
        return prepare()
    assert isinstance(source, ParallelText | LabelledText)
    files = _Files.of(source.files())
    if options.codec is not None or options.tokenizer.kind == "torchtext" or files.size < MIN_BYTES:
        return prepare()
    try:
        folder.ready()
        key = _key(source, files, options, seed)
    except OSError as error:
        prepared = prepare()
        prepared.report.append(f"warning: prepared data are not kept: {reason_of(error)}. paths.cache_gb=0 wants none")
        return prepared
    notes = []
    entry = folder.find(key)
    if entry is not None:
        try:
            return _read(entry)
        except (DamagedError, CheckpointError) as error:
            folder.drop(key)
            notes.append(f"warning: prepared data in {entry} were damaged ({error}), and are made anew")
    prepared = prepare()
    if _can_be_kept(prepared) and _Files.of(source.files()) == files:  # a file may have changed while it was read
        try:
            with stage("keeping prepared data", 2 * _num_bytes(prepared)) as keeping:  # they are written and checked
                folder.keep(key, lambda path: _write(path, prepared, keeping), keeping)
        except OSError as error:
            notes.append(f"warning: prepared data are not kept in {folder.path}: {reason_of(error)}")
    prepared.report.extend(notes)
    return prepared


def _key(source: ParallelText | LabelledText, files: _Files, options: DatasetOptions, seed: int) -> str:
    content: dict[str, Any] = {
        "preparation": PREPARATION,
        "versions": [__version__, tokenizers.__version__, np.__version__, unicodedata.unidata_version],
        "source": [type(source).__name__, source.identity()],
        "files": [[path, digest] for (path, _, _), digest in zip(files.states, files.digests(), strict=True)],
        "options": asdict(options),
        "seed": None if options.split.folds is None else seed,
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _can_be_kept(prepared: Prepared) -> bool:
    packed = [examples.packed for examples in prepared.splits.values()]
    return type(prepared.codec) in _CODECS and all(
        each is not None and isinstance(each.rows, TextRows) for each in packed
    )


def _num_bytes(prepared: Prepared) -> int:
    return sum(num_bytes(examples.packed) for examples in prepared.splits.values() if examples.packed is not None)


def _write(folder: Path, prepared: Prepared, keeping: Stage) -> dict[str, Any]:
    prepared.codec.save(folder)
    for split, examples in prepared.splits.items():
        assert isinstance(examples.packed, PackedExamples)
        write_examples(folder, split, examples.packed, keeping)
    return {
        "splits": list(prepared.splits),
        "report": prepared.report,
        "fingerprints": prepared.fingerprints,
        "named_fingerprints": prepared.named_fingerprints,
    }


def _read(entry: Path) -> Prepared:
    content = checked_content(entry)
    try:
        codec = load_codec(entry, _CODECS)
        splits = {split: Examples.of_packed(read_examples(entry, split), codec) for split in content["splits"]}
        prints = content["fingerprints"], content["named_fingerprints"]
        return Prepared(splits, codec, list(content["report"]), *prints)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(str(error)) from error
