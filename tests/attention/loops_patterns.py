"""The patterns as their papers write them, one pair of positions at a time.

PATTERNS[class name](pattern, i, j) -> whether the query at position i may look at the key at position j.
SELECTIVE[class name](pattern, scores, seen, i) -> list of bool, for a pattern that looks at the scores of the row of
query i; scores and seen hold the allowed keys only, never none of them.
"""

from collections.abc import Callable
from typing import Any


def full(pattern: Any, i: int, j: int) -> bool:
    return True


def causal(pattern: Any, i: int, j: int) -> bool:
    return j <= i


def seen_by(pattern: Any, i: int, j: int) -> bool:
    return pattern.direction == "both" or j <= i


def local(pattern: Any, i: int, j: int) -> bool:
    near = i - pattern.window <= j <= i + pattern.window
    return seen_by(pattern, i, j) and (near or min(i, j) < pattern.num_global)


def strided(pattern: Any, i: int, j: int) -> bool:
    distance = i - j if i > j else j - i
    return seen_by(pattern, i, j) and (distance <= pattern.stride or distance % pattern.stride == 0)


def block_sparse(pattern: Any, i: int, j: int) -> bool:
    first = (i // pattern.block_size - pattern.num_neighbors) * pattern.block_size
    end = (i // pattern.block_size + pattern.num_neighbors + 1) * pattern.block_size
    return seen_by(pattern, i, j) and first <= j < end


def drawn(pattern: Any, block: int, number: int) -> int:
    """Two rounds of xor-shift and multiply in 32 bits, then the remainder."""
    word = (block * 0x9E3779B1 + pattern.seed * 0x85EBCA6B + number * 0xC2B2AE35) % 2**32
    for _ in range(2):
        word = (word ^ word // 2**16) * 0x45D9F3B % 2**32
    return (word ^ word // 2**16) % (block + 1 if pattern.direction == "backward" else 2 * (block + 1))


def bigbird(pattern: Any, i: int, j: int) -> bool:
    random_blocks = [drawn(pattern, max(i, 0) // pattern.block_size, number) for number in range(pattern.num_random)]
    near = block_sparse(pattern, i, j) or j // pattern.block_size in random_blocks
    return seen_by(pattern, i, j) and (near or min(i, j) < pattern.num_global)


def prefix(pattern: Any, i: int, j: int) -> bool:
    return j <= i or max(i, j) < pattern.length


PATTERNS: dict[str, Callable[..., bool]] = {
    "BigBirdPattern": bigbird,
    "BlockSparsePattern": block_sparse,
    "CausalPattern": causal,
    "FullPattern": full,
    "LocalPattern": local,
    "PrefixPattern": prefix,
    "StridedPattern": strided,
}


def top_k(pattern: Any, scores: list[float], seen: list[int], i: int) -> list[bool]:
    """One after the other the largest that is left, the first of equal ones."""
    left = list(range(len(scores)))
    kept = []
    while left and len(kept) < pattern.k:
        kept.append(max(left, key=lambda j: (scores[j], -j)))
        left.remove(kept[-1])
    return [j in kept for j in range(len(scores))]


def moba(pattern: Any, scores: list[float], seen: list[int], i: int) -> list[bool]:
    """The own block first, then one after the other the block of the largest mean score, the first of equal ones."""
    blocks: dict[int, list[float]] = {}
    for j, score in zip(seen, scores, strict=True):
        blocks.setdefault(j // pattern.block_size, []).append(score)
    own = i // pattern.block_size
    ranked = sorted((-sum(each) / len(each), block) for block, each in blocks.items() if block != own)
    chosen = {own, *(block for _, block in ranked[: pattern.k - (own >= 0)])}
    return [j // pattern.block_size in chosen for j in seen]


SELECTIVE: dict[str, Callable[..., list[bool]]] = {
    "MobaPattern": moba,
    "TopKPattern": top_k,
}
