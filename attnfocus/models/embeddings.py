"""From token ids or vectors to what a model computes with.

Shapes: B batch, L positions, D embed_dim.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.positions.sinusoids import angles
from attnfocus.attention.projections import linear
from attnfocus.errors import DataError
from attnfocus.grid import Grid
from attnfocus.models.documents import Documents
from attnfocus.models.inputs import InputFactory, LinearInput, text_input_problem
from attnfocus.models.ngrams import NgramEmbedding
from attnfocus.special import PAD

PositionKind = Literal["none", "sinusoidal", "learned"]
Tying = Literal["none", "decoder", "all"]  # which tables of a translator are one; see `tables_of`


class TokenEmbedding(nn.Embedding):
    """sqrt(D) times the rows of a table of N(0, 1 / D), for D = embed_dim (Vaswani et al. 2017, sec. 3.4).

    The entries that a model reads are then of order 1, and rows of length 1 serve as a tied output layer too: their
    product with a vector whose entries are of order 1 is of order 1. The row of padding is 0 and stays 0.
    """

    def __init__(self, vocab_size: int, embed_dim: int) -> None:
        super().__init__(vocab_size, embed_dim, padding_idx=PAD)
        self.scale = math.sqrt(embed_dim)
        self.ngrams: NgramEmbedding | None = None

    def reset_parameters(self) -> None:
        """Draws the table anew."""
        with torch.no_grad():
            nn.init.normal_(self.weight, std=self.embedding_dim**-0.5)
            self.weight[PAD].zero_()

    def forward(self, ids: Tensor) -> Tensor:
        """ids (...) -> (..., D)."""
        if self.ngrams is None:
            return super().forward(ids) * self.scale
        tokens, places = ids.unique(return_inverse=True)
        return (self.ngrams(tokens, super().forward(tokens)) * self.scale)[places]

    def fill(self, ids: Tensor, vectors: Tensor, rescale: bool = False) -> None:
        """Puts pretrained vectors (N, D) where the model reads them for `ids` (N,); to be called on a new table.

        What is read for the others, padding apart, stays random, with the mean square of the vectors (as found better
        by Kim 2014, sec. 4.3, arXiv:1408.5882).

        Args:
            rescale: multiply all vectors by one number, so that their entries are of order 1, as those of a new table.
        """
        rows = vectors / self.scale
        length = rows.square().sum(dim=-1).mean().sqrt()
        with torch.no_grad():
            if rescale and length > 0:
                rows = rows / length
            elif length > 0:
                self.weight.mul_(length)
            self.weight[ids] = rows


class InputEmbedding(nn.Module):
    """Token ids (B, L) through a table, or vectors (B, L, input_dim) through what `input` makes: (B, L, D).

    Exactly one of `vocab_size` and `input_dim` is given. Whatever stands in a padded position, NaN too, is replaced by
    padding's own value, so that it reaches neither a result nor a gradient.

    Raises:
        ValueError: an `input` that makes no sense for token ids, or that needs a grid where there is none.
    """

    def __init__(
        self,
        embed_dim: int,
        *,
        vocab_size: int | None,
        input_dim: int | None,
        input: InputFactory = LinearInput,
        grid: Grid | None = None,
    ) -> None:
        super().__init__()
        if (vocab_size is None) == (input_dim is None):
            raise ValueError(
                f"exactly one of vocab_size (token ids) and input_dim (vectors) must be given, "
                f"got vocab_size={vocab_size} and input_dim={input_dim}"
            )
        self.takes_ids = vocab_size is not None
        if vocab_size is not None:
            problem = text_input_problem(input)
            if problem is not None:
                raise ValueError(problem)
            self.embed: nn.Module = TokenEmbedding(vocab_size, embed_dim)
        elif input_dim is not None:
            self.embed = input(input_dim=input_dim, embed_dim=embed_dim, grid=grid)

    def tables(self) -> dict[str, TokenEmbedding]:
        """The table of the source's tokens; none for vectors."""
        return {"source": self.embed} if isinstance(self.embed, TokenEmbedding) else {}

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Embed inputs; `mask` (B, L) is True at real positions."""
        if self.takes_ids:
            return self.embed(inputs.masked_fill(~mask, 0))
        return self.embed(inputs.masked_fill(~mask.unsqueeze(-1), 0), mask)


class PositionEmbedding(nn.Module):
    """Adds to each position what tells it from the others.

    sinusoidal: PE(p, 2i) = sin(p / 10000^(2i/D)), PE(p, 2i+1) = cos(same)   (Vaswani et al. 2017, sec. 3.5)
    learned: a table of `max_length` rows; a longer input raises DataError.

    On a grid with rows and columns, half of the sinusoids tell the row and half the column (He et al. 2022, app. A.1,
    arXiv:2111.06377); learned are a vector for each row and one for each column, which are added.
    """

    def __init__(self, kind: PositionKind, embed_dim: int, max_length: int, grid: Grid | None = None) -> None:
        super().__init__()
        self.kind = kind
        self.plane = grid if grid is not None and grid.is_plane else None
        self.max_length = max_length if kind == "learned" and self.plane is None else None
        if kind == "learned":
            most_rows = max_length if self.plane is None or self.plane.rows is None else self.plane.rows
            num_vectors = most_rows + (0 if self.plane is None else self.plane.columns)
            self.table = nn.Parameter(torch.empty(num_vectors, embed_dim))
            nn.init.normal_(self.table)  # entries of order 1, as those of the sinusoids

    def forward(self, embedded: Tensor, first: int = 0, documents: Documents | None = None) -> Tensor:
        """(B, L, D), whose first stands at position `first` -> (B, L, D).

        Args:
            documents: texts in these rows, each of which begins at position 0 anew.
        """
        num_positions, embed_dim = embedded.shape[-2:]
        if self.kind == "none":
            return embedded
        if self.plane is not None:
            return embedded + self._on_plane(num_positions, embedded)
        end = first + num_positions if documents is None else documents.longest
        if self.kind == "sinusoidal":
            waves = sinusoids(end - first, embed_dim, embedded.device, first).to(embedded.dtype)
            return embedded + (waves if documents is None else waves[documents.positions])
        if self.max_length is not None and end > self.max_length:
            raise DataError(
                f"an input of {end} positions is longer than model.max_length={self.max_length}. "
                "Train with a larger model.max_length or with model.position=sinusoidal, or leave long inputs out."
            )
        if documents is not None:
            return embedded + F.embedding(documents.positions, self.table)
        return embedded + self.table[first:end]

    def _on_plane(self, num_positions: int, like: Tensor) -> Tensor:
        """(L, D) of positions row by row."""
        assert self.plane is not None
        columns = self.plane.columns
        if self.kind == "learned":
            down, right = self.table[:-columns], self.table[-columns:]
            if num_positions > len(down) * columns:
                raise DataError(
                    f"an input of {num_positions // columns} rows is longer than model.max_length={len(down)}. "
                    "Train with a larger model.max_length or with model.position=sinusoidal."
                )
            return (down.unsqueeze(1) + right).flatten(0, 1)[:num_positions]
        half = like.shape[-1] // 2
        down = sinusoids(-(-num_positions // columns), half, like.device).unsqueeze(1)
        right = sinusoids(columns, like.shape[-1] - half, like.device)
        rows = len(down)
        both = torch.cat((down.expand(-1, columns, -1), right.expand(rows, -1, -1)), dim=-1)
        return both.flatten(0, 1)[:num_positions].to(like.dtype)


def sinusoids(num_positions: int, embed_dim: int, device: torch.device | None = None, first: int = 0) -> Tensor:
    """The sinusoidal vectors of positions from `first` on, float32 (L, D); an odd D leaves out the last cosine."""
    positions = torch.arange(first, first + num_positions, device=device)
    turns = angles(positions, embed_dim, 10000.0, torch.float32)  # (L, ceil(D / 2))
    return torch.stack((turns.sin(), turns.cos()), dim=-1).flatten(1)[:, :embed_dim]


def require_one_vocabulary(tying: Tying, source_vocab_size: int | None, target_vocab_size: int) -> None:
    """Refuses to tie the tables of two vocabularies, as far as their sizes tell.

    Raises:
        ValueError: both sizes, and what works.
    """
    if tying == "all" and source_vocab_size is None:
        raise ValueError("tied_embeddings=all: the inputs are vectors and have no table. Use tied_embeddings=decoder.")
    if tying == "all" and source_vocab_size != target_vocab_size:
        raise ValueError(
            f"tied_embeddings=all needs one vocabulary, got {source_vocab_size} source and {target_vocab_size} "
            "target tokens. Use a shared tokenizer, or tied_embeddings=decoder."
        )


def source_reader(
    table: TokenEmbedding | None, input_dim: int | None, embed_dim: int, input: InputFactory, grid: Grid | None
) -> TokenEmbedding | InputEmbedding:
    """What reads a translator's source: its table of tokens, or what `input` makes for vectors of `input_dim`.

    Raises:
        ValueError: as `InputEmbedding`.
    """
    if table is None or input_dim is not None:
        vocab_size = None if table is None else table.num_embeddings
        return InputEmbedding(embed_dim, vocab_size=vocab_size, input_dim=input_dim, input=input, grid=grid)
    problem = text_input_problem(input)
    if problem is not None:
        raise ValueError(problem)
    return table


def read_source(reader: TokenEmbedding | InputEmbedding, source: Tensor, mask: Tensor) -> Tensor:
    """Token ids (B, S), or vectors (B, S, input_dim), as (B, S, D); mask (B, S) is True at real positions."""
    return reader(source, mask) if isinstance(reader, InputEmbedding) else reader(source)


def tables_of(
    tying: Tying, vocab_sizes: tuple[int | None, int], embed_dim: int, readout_dim: int
) -> tuple[TokenEmbedding, TokenEmbedding | None, nn.Linear]:
    """A translator's tables of target and source tokens, and its output layer, of `readout_dim` inputs.

    The rows of an output layer of its own are drawn as those of a table: Xavier's bound, which takes the vocabulary for
    a width, would start the scores near 0, from where they learn slowly.

    Args:
        tying: which share their weights: none, target and output (Press & Wolf 2017, arXiv:1608.05859), or all.
        vocab_sizes: of source (None: it is no tokens, and has no table) and target.
        embed_dim: width of the tables; where they are tied, `readout_dim` too.
        readout_dim: width of what the output layer reads.
    """
    source_vocab_size, target_vocab_size = vocab_sizes
    target = TokenEmbedding(target_vocab_size, embed_dim)
    source: TokenEmbedding | None = target
    if tying != "all":
        source = None if source_vocab_size is None else TokenEmbedding(source_vocab_size, embed_dim)
    output = linear(readout_dim, target_vocab_size)
    if tying == "none":
        nn.init.normal_(output.weight, std=readout_dim**-0.5)
    else:
        output.weight = target.weight
    return target, source, output


def table_of(
    tied: bool, vocab_size: int, embed_dim: int, readout_dim: int, bias: bool = True
) -> tuple[TokenEmbedding, nn.Linear]:
    """A language model's table of tokens, and its output layer, of `readout_dim` inputs: drawn as in `tables_of`."""
    table, output = TokenEmbedding(vocab_size, embed_dim), linear(readout_dim, vocab_size, bias)
    if tied:
        output.weight = table.weight
    else:
        nn.init.normal_(output.weight, std=readout_dim**-0.5)
    return table, output
