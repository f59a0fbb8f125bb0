"""Which tables of tokens join the vectors of words with those of their character n-grams."""

from collections.abc import Mapping

import torch

from attnfocus.data.tokens.tokenizer import Tokenizer
from attnfocus.errors import ConfigError, Problem
from attnfocus.models.embeddings import TokenEmbedding
from attnfocus.models.ngrams import NgramEmbedding, ngram_ids
from attnfocus.runs.schema import EmbeddingOptions

KEY = "model.embedding.ngrams"
USUAL_NGRAMS = 20_000  # rows of the table of n-grams, with ngrams=auto
WORD_KINDS = ("word", "whitespace", "torchtext")  # tokenizers whose tokens are words


def add_ngrams(
    tables: Mapping[str, TokenEmbedding], tokenizers: Mapping[str, Tokenizer], options: EmbeddingOptions
) -> None:
    """Gives the source's table a table of n-grams, if the options ask for one.

    A target has none: it is written token by token, and an output layer knows no letters.

    Args:
        tables, tokenizers: by the side (source, target) that they are for.

    Raises:
        ConfigError: a number of rows is given, and the source has no tokens or no table of its own.
    """
    require_ngrams(options, tables, tokenizers)
    if "source" not in tables or "source" not in tokenizers or _is_one(tables):
        return
    table, tokenizer = tables["source"], tokenizers["source"]
    num_rows = num_ngrams_of(options, tokenizer)
    if num_rows:
        # Of a model without numbers only the shapes of its parameters count.
        has_numbers = not table.weight.is_meta
        ids = ngram_ids(tokenizer.vocabulary, num_rows) if has_numbers else torch.empty(len(table.weight), 1)
        table.ngrams = NgramEmbedding(ids, num_rows, table.embedding_dim)


def require_ngrams(
    options: EmbeddingOptions, tables: Mapping[str, TokenEmbedding], tokenizers: Mapping[str, Tokenizer] | None = None
) -> None:
    """Refuses a number of rows that could have no effect.

    Args:
        tables: of a model, of any sizes.
        tokenizers: None: those of the data are not known yet.

    Raises:
        ConfigError: the source has no tokens, or no table of its own.
    """
    if options.ngrams in (0, "auto"):
        return
    reason, others = None, ""
    if tokenizers is not None and "source" not in tokenizers:
        reason = "the rows of this dataset are vectors, not tokens, and have no letters"
    elif "source" not in tables:
        reason = "this model has no table of source tokens that n-grams could be added to"
    elif _is_one(tables):
        reason = "source and target have one table here, and what is written has no n-grams"
        others = ", or model.tied_embeddings=decoder"
    if reason is not None:
        text = f"{KEY}={options.ngrams}: {reason}. Set {KEY}=0 (or auto){others}."
        raise ConfigError([Problem(text, KEY, [f"{KEY}=0"])])


def _is_one(tables: Mapping[str, TokenEmbedding]) -> bool:
    """Whether source and target have the same table."""
    return tables["source"] is tables.get("target")


def num_ngrams_of(options: EmbeddingOptions, tokenizer: Tokenizer) -> int:
    """Rows of the table of n-grams; 0: there is none. `auto` is for words alone: a piece of a word has few letters."""
    if options.ngrams != "auto":
        return options.ngrams
    return USUAL_NGRAMS if tokenizer.kind in WORD_KINDS and not options.files else 0
