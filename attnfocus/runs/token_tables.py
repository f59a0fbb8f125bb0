"""How new tables of tokens begin: how large their entries are, and whether words have n-grams of characters."""

from collections.abc import Mapping

import torch

from attnfocus.data.tokens.tokenizer import Tokenizer
from attnfocus.models.embeddings import TokenEmbedding
from attnfocus.models.ngrams import NgramEmbedding, ngram_ids
from attnfocus.runs.schema import EmbeddingOptions

USUAL_NGRAMS = 20_000  # rows of the table of n-grams, with ngrams=auto
USUAL_SCALE = 0.1  # of tables of words, with scale=auto
WORD_KINDS = ("word", "whitespace", "torchtext")  # tokenizers whose tokens are words


def start_tables(
    tables: Mapping[str, TokenEmbedding], tokenizers: Mapping[str, Tokenizer], options: EmbeddingOptions
) -> None:
    """Gives new tables the scale and the n-grams that the options ask for. Tables for pretrained vectors stay.

    Args:
        tables, tokenizers: by the side (source, target) that they are for. Only the source's has n-grams: a target is
            written token by token, and an output layer has no letters.
    """
    for side, table in tables.items():
        if side in options.files or (side == "target" and table is tables.get("source")):
            continue
        tokenizer = tokenizers[side]
        num_ngrams = num_ngrams_of(options, tokenizer) if side == "source" else 0
        scale = options.scale if options.scale != "auto" else (USUAL_SCALE if num_ngrams else 1.0)
        ngrams = None
        if num_ngrams:
            is_numbered = not table.weight.is_meta
            ids = ngram_ids(tokenizer.vocabulary, num_ngrams) if is_numbered else torch.empty(len(table.weight), 1)
            ngrams = NgramEmbedding(ids, num_ngrams, table.embedding_dim)
        if ngrams is not None or scale != 1:
            table.start(scale, ngrams)


def num_ngrams_of(options: EmbeddingOptions, tokenizer: Tokenizer) -> int:
    """Rows of the table of n-grams; 0: there is none. `auto` is for words alone: a piece of a word has few letters."""
    if options.ngrams != "auto":
        return options.ngrams
    return USUAL_NGRAMS if tokenizer.kind in WORD_KINDS else 0
