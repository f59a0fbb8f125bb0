"""What is known of a row beyond its target, in tokens: which words translate which, and why a label is right.

Rows hold it in characters; a tokenizer says which tokens cover them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from attnfocus.data.rows import Links, Row
from attnfocus.data.tokens.tokenizer import Tokenizer


class TokenLinks(NamedTuple):
    """Pairs (target token, source token), both counted from 0, without BOS and EOS. Sure ones are possible, too."""

    possible: frozenset[tuple[int, int]]
    sure: frozenset[tuple[int, int]]


def token_links(row: Row, source: Tokenizer, target: Tokenizer) -> TokenLinks | None:
    """The row's alignment between tokens: two are linked if any of their characters are.

    None: none is known, or the tokens cannot be placed in the text (see `tokens_at`).
    """
    if not row.alignment or not isinstance(row.input, str):
        return None
    sources, targets = tokens_at(row.input, source), tokens_at(row.target, target)
    if sources is None or targets is None:
        return None

    def linked(pairs: Links) -> frozenset[tuple[int, int]]:
        return frozenset((t, s) for left, right in pairs for t in targets[left] for s in sources[right])

    return TokenLinks(linked(row.alignment), linked(row.alignment if row.sure is None else row.sure))


def token_rationale(row: Row, tokenizer: Tokenizer) -> tuple[bool, ...] | None:
    """For each token of the input whether it is part of the row's rationale: any of its characters is.

    None: none is known, or the tokens cannot be placed in the text (see `tokens_at`).
    """
    if not row.rationale or not isinstance(row.input, str):
        return None
    spans = _spans(row.input, tokenizer)
    if spans is None:
        return None
    is_marked = [False] * len(row.input)
    for start, end in row.rationale:
        is_marked[start:end] = [True] * (min(end, len(row.input)) - start)
    return tuple(any(is_marked[start:end]) for start, end in spans)


def tokens_at(text: str, tokenizer: Tokenizer) -> list[list[int]] | None:
    """For each character of the text the tokens that cover it.

    None: the tokenizer does not tell (those of torchtext).
    """
    spans = _spans(text, tokenizer)
    if spans is None:
        return None
    found: list[list[int]] = [[] for _ in text]
    for number, (start, end) in enumerate(spans):
        for place in range(start, min(end, len(text))):
            found[place].append(number)
    return found


def _spans(text: str, tokenizer: Tokenizer) -> Sequence[tuple[int, int]] | None:
    return None if tokenizer.kind == "torchtext" else tokenizer.character_spans(text)
