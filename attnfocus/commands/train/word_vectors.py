"""Pretrained vectors: from the files that `model.embedding` names into the tables of a model."""

from collections.abc import Mapping

import torch

from attnfocus.data.codecs.base import Codec
from attnfocus.data.reading.vector_files import vector_size
from attnfocus.data.tokens.tokenizer import Tokenizer
from attnfocus.data.vectors import WordVectors, find_vectors, read_vectors
from attnfocus.errors import ConfigError
from attnfocus.models.base import Model
from attnfocus.models.embeddings import TokenEmbedding
from attnfocus.runs.assembly import Setup


def check_vectors(setup: Setup) -> None:
    """Refuses, before data are read, files that are not there or do not fit the model.

    Raises:
        ConfigError: the model has no such table, or one of another width.
        DataError: a file is missing, or its first line is no vector.
    """
    tables = _tables(setup, setup.trial_model()) if setup.embedding.files else {}
    for side, (key, given) in setup.embedding.files.items():
        path, wanted = find_vectors(given, key), tables[side].embedding_dim
        size = vector_size(path)
        if size != wanted:
            raise ConfigError(
                f"{key}: the vectors of {path} have {size} numbers, those of the model {wanted}. "
                f"Set model.embed_dim={size}, or give a file of {wanted} numbers."
            )


def vectors_of(setup: Setup, codec: Codec) -> dict[str, WordVectors]:
    """What the files hold of the vocabulary, by the side that it is for.

    Raises:
        DataError: a file cannot be read or is mostly no vectors, or no token has a vector.
    """
    return {
        side: read_vectors(find_vectors(given, key), _tokenizer(codec, side, key))
        for side, (key, given) in setup.embedding.files.items()
    }


def fill_tables(setup: Setup, model: Model, vectors: Mapping[str, WordVectors]) -> list[str]:
    """Puts vectors into the tables of a new model.

    Returns:
        What was found, a line for each file.
    """
    lines = []
    for side, found in vectors.items():
        table = _tables(setup, model)[side]
        ids, values = (torch.from_numpy(each).to(table.weight.device) for each in (found.ids, found.values))
        table.fill(ids, values, setup.embedding.rescale)
        lines.append(
            f"{setup.embedding.files[side][0]}: {found.coverage}{', frozen' if setup.embedding.frozen else ''}"
        )
    return lines


def freeze_tables(setup: Setup, model: Model) -> None:
    """Takes the tables with pretrained vectors out of training, if the configuration says so."""
    if setup.embedding.frozen:
        for side in setup.embedding.files:
            _tables(setup, model)[side].weight.requires_grad_(False)


def _tables(setup: Setup, model: Model) -> Mapping[str, TokenEmbedding]:
    tables = model.token_tables()
    for side, (key, _) in setup.embedding.files.items():
        if side not in tables:
            raise ConfigError(
                f"{key}: this model has no table of {side} tokens that vectors could fill. Leave it null."
            )
    if len(setup.embedding.files) == 2 and tables["source"] is tables["target"]:
        raise ConfigError(
            "model.embedding.target_vectors: source and target have one table here. Give model.embedding.vectors "
            "alone, or model.tied_embeddings=decoder."
        )
    return tables


def _tokenizer(codec: Codec, side: str, key: str) -> Tokenizer:
    tokenizer = codec.tokenizers().get(side)
    if tokenizer is None:
        raise ConfigError(f"{key}: the rows of this dataset are vectors, not tokens. Leave it null.")
    return tokenizer
