"""A codec from the files of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attnfocus.data.codecs.base import CODEC_FILE, FORMAT_VERSION, Codec
from attnfocus.data.tokens.tokenizer import read_json
from attnfocus.errors import CheckpointError


def load_codec(directory: Path, codecs: Sequence[type[Codec]]) -> Codec:
    """The codec that `save` wrote. Nothing in the files is executed.

    Args:
        codecs: the classes that it may be of: those of the task, or the data set's own.

    Raises:
        CheckpointError: a file is missing, damaged, of a newer format, or of another kind.
    """
    path = directory / CODEC_FILE
    content = read_json(path, FORMAT_VERSION)
    kinds = {codec.kind: codec for codec in codecs}
    try:
        return kinds[content["kind"]].load(directory, content)
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged: {error}. Use an undamaged copy.") from error
