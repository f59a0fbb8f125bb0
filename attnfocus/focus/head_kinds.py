"""Names of heads: what a head's weights have in common over a sample of inputs, each by a rule with a score.

For each kind a rule says which keys of a query it is about: the one before it, those with the same token, ... A head's
score is the share of weight on these keys, m, against what equal weights would put there, c: (m - c) / (1 - c), means
over the queries that have such a key and others; 0 at chance and below, 1 if all weight lies there.

Shapes: B examples, H heads, Q queries, K keys. Weights are shares: of each query >= 0 and with the sum 1 (or 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from attnfocus.attention.role import Kind
from attnfocus.focus.alignment import mutual_links
from attnfocus.focus.measures import entropy_of_shares

PREVIOUS, NEXT, FIRST, POSITIONAL = "previous token", "next token", "first token", "same offset"
SAME, INDUCTION, SEPARATOR, ALIGNMENT = "same token", "induction", "separator", "alignment"
DIFFUSE, MIXED = "diffuse", "mixed"
KINDS = (PREVIOUS, NEXT, FIRST, POSITIONAL, SAME, INDUCTION, SEPARATOR, ALIGNMENT, DIFFUSE, MIXED)  # as they are listed

NAMED = 0.4  # the least score of a name; below it a head is diffuse or mixed
SPREAD = 0.8  # the least normalized entropy of a diffuse head
EVERYWHERE = 0.5  # share of the queries that must have a key at an offset, to call it the same offset everywhere


@dataclass(frozen=True)
class Tokens:
    """What stands along the axes of weights.

    Attributes:
        queries: ids (B, Q) of what the queries read; None: no tokens, or another sequence's than the keys'.
        keys: ids (B, K); None: no tokens.
        separators: bool (B, K), punctuation and special tokens; None: no tokens.
        asked: bool (B, Q), the queries whose output counts; by them kinds that go by the text are measured.
        links: bool (B, Q, K), what is known to translate what; None: nothing is known.
    """

    queries: Tensor | None
    keys: Tensor | None
    separators: Tensor | None
    asked: Tensor
    links: Tensor | None = None


def kind_scores(parts: Tensor, pairs: Tensor, kind: Kind, tokens: Tokens) -> dict[str, Tensor]:
    """Kind -> the score (H,) of each head, of the kinds that there can be here; docs/heads.md has all rules.

    Args:
        parts: (B, H, Q, K), float32 or wider, 0 where the query or the key is padding.
        pairs: bool (B, 1, Q, K), True where both are real.
        kind: what the attention is for.
    """
    offsets = _offsets(parts)  # (Q, K), key less query
    is_causal = kind == "self" and not bool((parts * (offsets > 0)).any())
    allowed = (pairs & (offsets <= 0)) if is_causal else pairs
    sample = _Sample(parts, allowed, tokens.asked[:, None, :])
    first = torch.zeros_like(offsets, dtype=torch.bool)
    first[:, 0] = True
    found = {FIRST: sample.score(first)}
    if tokens.separators is not None:
        found[SEPARATOR] = sample.score(tokens.separators[:, None, None, :] & ~first)
    if kind == "self" and parts.shape[2] == parts.shape[3]:
        found |= {PREVIOUS: sample.score(offsets == -1), POSITIONAL: sample.best_offset(offsets, left_out=(-1, 1))}
        if not is_causal:
            found[NEXT] = sample.score(offsets == 1)
        if tokens.queries is not None and tokens.keys is not None:
            same = (tokens.queries.unsqueeze(-1) == tokens.keys.unsqueeze(-2)).unsqueeze(1)  # (B, 1, Q, K)
            after = torch.nn.functional.pad(same[..., :-1], (1, 0)) & (offsets != 1)
            found[SAME] = sample.score(same & (offsets != 0), of_asked=True)
            found[INDUCTION] = sample.score(after, of_asked=True)
    if kind == "cross":
        links = tokens.links
        found[ALIGNMENT] = sample.alignment() if links is None else sample.score(links.unsqueeze(1), of_asked=True)
    found[DIFFUSE] = sample.spread()
    return {name: each for name, each in found.items() if not bool(each.isnan().all())}


def name_of(scores: Mapping[str, float]) -> str:
    """The kind with the highest score, if that is at least `NAMED`; else diffuse, by `SPREAD`, or mixed."""
    named = {name: score for name, score in scores.items() if name != DIFFUSE and score >= NAMED}
    if named:
        return max(named, key=lambda name: named[name])
    return DIFFUSE if scores.get(DIFFUSE, 0.0) >= SPREAD else MIXED


class _Sample:
    """Weights, and which of them count.

    Args:
        parts: shares (B, H, Q, K).
        allowed: (B, 1, Q, K) what a query may look at.
        asked: (B, 1, Q) as in `Tokens`.
    """

    def __init__(self, parts: Tensor, allowed: Tensor, asked: Tensor) -> None:
        self._parts, self._allowed, self._asked = parts, allowed, asked
        self._count = allowed.sum(dim=-1)  # (B, 1, Q)
        self._looks = parts.sum(dim=-1) > 0  # (B, H, Q)

    def score(self, keys: Tensor, *, of_asked: bool = False) -> Tensor:
        """(H,) of the weight on some keys, bool (B or 1, 1, Q, K) or (Q, K); NaN where no query has a choice."""
        keys = keys & self._allowed
        number = keys.sum(dim=-1)  # (B, 1, Q)
        has_choice = (number > 0) & (number < self._count) & self._looks
        if of_asked:
            has_choice = has_choice & self._asked
        mass = (self._parts * keys).sum(dim=-1)
        chance = (number / self._count.clamp_min(1)).expand_as(mass)
        return _above_chance(_mean(mass, has_choice), _mean(chance, has_choice))

    def best_offset(self, offsets: Tensor, left_out: tuple[int, ...]) -> Tensor:
        """(H,) of the one offset that most weight lies at, of those that enough queries have."""
        first = int(offsets.min())
        index = (offsets - first).flatten()
        size = int(index.max()) + 1
        mass = self._parts.new_zeros(self._parts.shape[1], size)
        mass.index_add_(1, index, self._parts.sum(dim=0).flatten(-2))
        there = self._parts.new_zeros(size).index_add_(0, index, self._allowed.sum(dim=(0, 1)).flatten().to(mass.dtype))
        num_queries = (self._count > 0).sum()
        is_common = there >= EVERYWHERE * num_queries
        for offset in left_out:
            if 0 <= offset - first < size:
                is_common[offset - first] = False
        means = torch.where(is_common, mass / there.clamp_min(1), 0.0).amax(dim=-1)
        return _above_chance(means, _mean(1 / self._count.clamp_min(1), self._count > 0).expand_as(means))

    def alignment(self) -> Tensor:
        """(H,) of the weight on mutual links, over the links there could be; chance: keys dealt anew to each query.

        Any sharp weights have such links, a half of those that could be where each query looks anywhere.
        """
        generator = torch.Generator().manual_seed(0)
        numbers = torch.rand(self._parts.shape, generator=generator).to(self._parts.device)
        order = numbers.masked_fill(~self._allowed, 2.0).argsort(dim=-1)  # padding stays behind
        dealt = self._parts.gather(-1, order)
        return _above_chance(self._linked(self._parts), self._linked(dealt))

    def _linked(self, parts: Tensor) -> Tensor:
        links = mutual_links(parts) & self._asked.unsqueeze(-1)
        rows = (self._asked & (self._count > 0)).sum(dim=-1)  # (B, 1)
        possible = rows.minimum(self._allowed.any(dim=-2).sum(dim=-1)).sum()
        return (parts * links).sum(dim=(0, 2, 3)) / possible.clamp_min(1)

    def spread(self) -> Tensor:
        """(H,) mean of entropy / ln(number of keys)."""
        has_choice = self._looks & (self._count > 1)
        most = self._count.clamp_min(2).to(self._parts.dtype).log()
        return _mean(entropy_of_shares(self._parts) / most, has_choice).clamp(0, 1)


def _offsets(parts: Tensor) -> Tensor:
    queries, keys = (torch.arange(size, device=parts.device) for size in parts.shape[-2:])
    return keys - queries.unsqueeze(-1)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Of (B, H or 1, Q) over what is chosen: (H or 1,); NaN of nothing."""
    chosen = chosen.expand_as(values)
    return (values * chosen).sum(dim=(0, 2)) / chosen.sum(dim=(0, 2))


def _above_chance(mass: Tensor, chance: Tensor) -> Tensor:
    return ((mass - chance) / (1 - chance)).clamp(0, 1)
