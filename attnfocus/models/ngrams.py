"""Vectors of words that are made of vectors of their character n-grams (Bojanowski et al. 2017, arXiv:1607.04606).

    <where>  ->  <wh whe her ere re>  <whe wher here ere>  ...

Shapes: V tokens of a vocabulary, G n-grams of the token that has most, N rows of the table, D width.
"""

from collections.abc import Sequence
from zlib import crc32

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.special import SPECIAL_TOKENS

SIZES = (3, 4, 5)  # characters of an n-gram, the marks of a word's ends included
MAX_NGRAMS = 40  # of a token: longer ones are hardly words
NONE = 0  # the row that stands for no n-gram: it is 0 and stays 0


class NgramEmbedding(nn.Module):
    """A table of vectors for n-grams, and which of them each token of a vocabulary has.

    N-grams are told apart by a hash: two that share a row share its vector.

    Args:
        ids: rows of the table, (V, G) int64, with `NONE` where a token has fewer.
        num_rows: N, at least 1; the row `NONE` comes on top.
        embed_dim: D.
    """

    ids: Tensor

    def __init__(self, ids: Tensor, num_rows: int, embed_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_rows + 1, embed_dim))
        nn.init.normal_(self.weight, std=embed_dim**-0.5)
        with torch.no_grad():
            self.weight[NONE].zero_()
        self.register_buffer("ids", ids, persistent=False)  # the vocabulary gives them again

    def forward(self, tokens: Tensor, vectors: Tensor) -> Tensor:
        """Joins the own vectors (M, D) of tokens (M,) with those of their n-grams: (M, D).

        The sum of n n-grams is divided by sqrt(n), and that of both by sqrt(2), so that what comes out has the
        length of a new row, as if there were no n-grams. A token without any keeps its own vector.
        """
        ids = self.ids[tokens]
        counts = (ids != NONE).sum(dim=1, keepdim=True)
        of_ngrams = F.embedding_bag(ids, self.weight, mode="sum", padding_idx=NONE)
        joined = (vectors + of_ngrams / counts.clamp(min=1).sqrt()) * 0.5**0.5
        return torch.where(counts > 0, joined, vectors)


def ngram_ids(vocabulary: Sequence[str], num_rows: int) -> Tensor:
    """Which rows of a table of `num_rows` the tokens of a vocabulary have: (V, G), G at least 1.

    A token's n-grams are those of `<token>`; a whole token is none of them, as it has a vector of its own. Special
    tokens have none.
    """
    rows = [[] if number < len(SPECIAL_TOKENS) else _rows(token, num_rows) for number, token in enumerate(vocabulary)]
    width = max(1, *map(len, rows))
    return torch.tensor([row + [NONE] * (width - len(row)) for row in rows])


def _rows(token: str, num_rows: int) -> list[int]:
    text = f"<{token}>"
    found = {text[start : start + size] for size in SIZES for start in range(len(text) - size + 1)} - {text}
    return [1 + crc32(ngram.encode("utf-8", "replace")) % num_rows for ngram in sorted(found)][:MAX_NGRAMS]
