"""Attention from blocks of queries to blocks of keys.

Shapes: Q queries, K keys, N blocks. Masks are bool, True = may attend.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention.memory import Places
from attnfocus.attention.patterns.base import Direction, Pattern
from attnfocus.attention.patterns.local import neighbors, of_global, within
from attnfocus.limits import NonNegativeInt, NumPositions


class BlockSparsePattern(Pattern):
    """Query i may look at key j where |i // b - j // b| <= num_neighbors, with blocks of b = block_size positions

    num_neighbors=0 is attention inside the own block: the blockwise attention of Qiu et al. 2019 (arXiv:1911.02972)
    under the identity permutation, and the first set of the "fixed" attention of Child et al. 2019 (sec. 4.3,
    arXiv:1904.10509). direction=backward cuts away j > i.

    Cost: O(K block_size num_neighbors) work and memory by blocks, O(Q K) where weights are asked for.

    Args:
        block_size: positions in a block.
        num_neighbors: blocks to each side, besides the query's own.
        direction: both sides, or backward only.
    """

    same_sequence_only = True

    def __init__(
        self, *, block_size: NumPositions = 16, num_neighbors: NonNegativeInt = 1, direction: Direction = "both"
    ) -> None:
        self.block_size: int = block_size
        self.num_neighbors, self.direction = num_neighbors, direction

    def allows(self, places: Places) -> Tensor:
        allowed = within(_block_offsets(places, self.block_size), self.num_neighbors, self.direction)
        return allowed & (places.offsets <= 0) if self.direction == "backward" else allowed

    def blocks(self, num_blocks: int) -> Tensor:
        return neighbors(num_blocks, self.num_neighbors, self.direction)


class BigBirdPattern(Pattern):
    """Global positions, a window of blocks, and random blocks   (Zaheer et al. 2020, sec. 2, arXiv:2007.14062)

    Query i may look at key j where |i // b - j // b| <= num_neighbors, where i or j is one of the first `num_global`
    positions (the paper's "internal" construction), or where j // b was drawn for the query block i // b.

    The draws must not depend on the number of keys, or padding would change results. So each of the `num_random` blocks
    of query block n is a fixed hash of (seed, n, number of the draw), taken among the blocks 0 ... 2 n + 1: behind and
    ahead are about equally likely, and what lies behind the end is no block (late blocks have fewer). With
    direction=backward it is taken among 0 ... n, and j > i is cut away, for global positions too. A draw may meet the
    window or another draw; then it adds nothing. All heads and layers share the draws of one seed.

    Cost: O(K (block_size (num_neighbors + num_random) + num_global)) work and memory by blocks, O(Q K) where weights
    are asked for.

    Args:
        block_size: b, positions in a block.
        num_neighbors: blocks to each side, besides the query's own; the paper's window of 3 blocks is 1.
        num_random: blocks drawn for each block of queries.
        num_global: number of global positions.
        direction: both sides, or backward only.
        seed: of the draws.
    """

    same_sequence_only = True

    def __init__(
        self,
        *,
        block_size: NumPositions = 16,
        num_neighbors: NonNegativeInt = 1,
        num_random: NonNegativeInt = 2,
        num_global: NonNegativeInt = 16,
        direction: Direction = "both",
        seed: NonNegativeInt = 0,
    ) -> None:
        self.block_size: int = block_size
        self.num_neighbors, self.num_random, self.num_global = num_neighbors, num_random, num_global
        self.direction, self.seed = direction, seed

    def allows(self, places: Places) -> Tensor:
        allowed = within(_block_offsets(places, self.block_size), self.num_neighbors, self.direction)
        if self.num_global > 0:
            allowed = allowed | of_global(places, self.num_global)
        # More queries than keys would put the first of them before position 0, where no block is.
        query_blocks = places.queries.clamp(min=0) // self.block_size
        key_blocks = (places.keys // self.block_size).unsqueeze(-2)
        for number in range(self.num_random):
            allowed = allowed | (self._drawn(query_blocks, number).unsqueeze(-1) == key_blocks)
        return allowed & (places.offsets <= 0) if self.direction == "backward" else allowed

    def blocks(self, num_blocks: int) -> Tensor:
        every = torch.arange(num_blocks)
        draws = [self._drawn(every, number).unsqueeze(-1) for number in range(self.num_random)]
        return _once(torch.cat((neighbors(num_blocks, self.num_neighbors, self.direction), *draws), dim=-1))

    def _drawn(self, blocks: Tensor, number: int) -> Tensor:
        """The draw of that number for each query block, any shape; the block may lie behind the end."""
        salt = (self.seed * 0x85EBCA6B + number * 0xC2B2AE35) & _WORD
        among = blocks + 1 if self.direction == "backward" else 2 * blocks + 2
        return _hashed((blocks * 0x9E3779B1 + salt) & _WORD) % among


def _block_offsets(places: Places, block_size: int) -> Tensor:
    return Places(places.queries // block_size, places.keys // block_size).offsets


def _once(table: Tensor) -> Tensor:
    """The table (N, columns) with -1 instead of repeated blocks, and of blocks that do not exist."""
    table = table.masked_fill(table >= len(table), -1).sort(dim=-1).values
    return table.masked_fill(F.pad(table[:, 1:] == table[:, :-1], (1, 0)), -1)


_WORD = 2**32 - 1


def _hashed(words: Tensor) -> Tensor:
    """Scatters words of 32 bits, one to one: shifts and odd multipliers, small enough that no product overflows."""
    for _ in range(2):
        words = ((words ^ (words >> 16)) * 0x45D9F3B) & _WORD
    return words ^ (words >> 16)
