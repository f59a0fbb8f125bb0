"""Words that the vocabulary does not hold, in outputs: each can be copied from where the model looked for it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from attnfocus.data.tokens.tokenizer import Tokenizer


def no_words_to_replace(kind: str) -> str | None:
    """The problem of `decoding.replace_unknown` with the tokens of a tokenizer, if it has one."""
    if kind in ("word", "whitespace"):
        return None
    return (
        f"decoding.replace_unknown: true needs words as tokens, and dataset.tokenizer.kind is {kind}. "
        "Use decoding.replace_unknown=false, or a model trained with dataset.tokenizer.kind=word or whitespace."
    )


def copied_words(source: str, tokenizer: Tokenizer, weights: Tensor, places: Sequence[int]) -> list[str]:
    """For each place of an output the word of the source with the highest weight, as it stands in the text.

    Args:
        weights: (H, T, S) of the output's tokens on those of the source; their mean over the heads counts.
        places: numbers of output tokens.
    """
    words = [source[slice(*span)].strip() for span in tokenizer.character_spans(source)]
    means = weights.mean(dim=0)[places]
    means[:, torch.tensor([not word for word in words])] = -1  # what only says where a space is, is no word
    return [words[place] for place in means.argmax(dim=-1).tolist()]
