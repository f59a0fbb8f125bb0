"""Where spaces stand between the pieces of a text: a rule, learned from the training texts.

Most spaces follow from the pieces beside them: words have one between them, a comma has none before it, and what `“`
has depends on the language. So a text needs to say only where it differs from the rule (`spaced_words`).

Pieces of one kind share a rule: words, Chinese and Japanese characters, and each punctuation mark for itself; of quotes
the opening and the closing one. A word that the vocabulary does not hold is of a kind of its own, whatever it is: when
a text is put together nobody knows more of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from attnfocus.data.tokens.chunks import CHUNK
from attnfocus.data.tokens.vocabulary import WordSplit
from attnfocus.data.tokens.words import is_cjk

START, WORD, UNKNOWN, CJK = "", "word", "unknown", "cjk"  # kinds; any other is a punctuation mark
MIXED, REPEATED = "mixed", "repeated"  # a Chinese character beside a word; a mark beside its like, as in `--`
PAIRED = frozenset("\"'`*”")  # marks that open and close alike; the closing one is of the kind `""`
MAX_TEXTS, MAX_CHARACTERS = 10_000, 5_000_000  # that a rule is learned from


class Context(NamedTuple):
    """What of a text decides about its next space: the kind of the last piece, and which quotes are open."""

    last: str = START
    quotes: str = ""

    def then(self, piece: str | None) -> Context:
        """After one more piece; None: an unknown word."""
        kind = UNKNOWN if piece is None else kind_of(piece)
        if kind not in PAIRED:
            return Context(kind, self.quotes)
        if kind in self.quotes:
            return Context(kind * 2, self.quotes.replace(kind, ""))
        return Context(kind, "".join(sorted(self.quotes + kind)))


@lru_cache(maxsize=2**16)
def kind_of(piece: str) -> str:
    """WORD, CJK, or the punctuation mark itself."""
    if not any(map(str.isalnum, piece)):
        return piece
    return CJK if is_cjk(piece) else WORD


@dataclass(frozen=True)
class SpaceRule:
    """Between two pieces is a space, but for what is named here.

    Args:
        before, after: marks without a space before them, or after them.
        joined: which of CJK (with one another), MIXED and REPEATED have none.
    """

    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    joined: frozenset[str] = frozenset()

    def has_space(self, left: str, right: str) -> bool:
        """Whether one stands between two kinds of pieces."""
        if left == START:
            return False
        pair = _pair(left, right)
        if pair is not None:
            return pair not in self.joined
        return left not in self.after and right not in self.before

    def content(self) -> dict[str, list[str]]:
        """What a file holds of it."""
        return {name: sorted(marks) for name, marks in vars(self).items()}

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> SpaceRule:
        """The rule that a file holds.

        Raises:
            KeyError, ValueError: the content is damaged.
        """
        rule = {name: content[name] for name in ("before", "after", "joined")}
        if any(not isinstance(names, list) or not all(isinstance(n, str) for n in names) for names in rule.values()):
            raise ValueError("its spaces are not lists of texts")
        return cls(**{name: frozenset(names) for name, names in rule.items()})


def learned_rule(texts: Sequence[str], split: WordSplit) -> SpaceRule:
    """The rule that most spaces of some texts follow. Of many texts some are looked at, evenly from all."""
    size = sum(map(len, texts))
    step = max(1, -(-len(texts) // MAX_TEXTS), -(-size // MAX_CHARACTERS))
    votes: Counter[tuple[str, str]] = Counter()
    seen: dict[str, list[str]] = {}
    for text in texts[::step]:
        context = Context()
        for chunk in CHUNK.findall(text):
            if chunk not in seen:
                seen[chunk] = [piece for piece, _ in split(chunk)]
            for number, piece in enumerate(seen[chunk]):
                before, context = context, context.then(piece)
                for voted in _questions(before.last, context.last):
                    votes[voted] += 1 if number else -1
    return SpaceRule(
        before=frozenset(_without_space(votes, "before")),
        after=frozenset(_without_space(votes, "after")),
        joined=frozenset(pair for pair in (CJK, MIXED, REPEATED) if votes["joined", pair] >= 0),
    )


def _pair(left: str, right: str) -> str | None:
    """The name of a pair that is decided as one; None: a mark is there, and the marks decide."""
    if _is_mark(left) or _is_mark(right):
        return REPEATED if left == right else None
    if CJK not in (left, right):
        return WORD
    return MIXED if WORD in (left, right) else CJK


def _is_mark(kind: str) -> bool:
    return kind not in (WORD, UNKNOWN, CJK)


def _questions(left: str, right: str) -> Iterator[tuple[str, str]]:
    """What the space between two pieces is evidence of. Beside another mark it says less than beside a word."""
    if left == START:
        return
    pair = _pair(left, right)
    if pair is not None:
        yield "joined", pair
        return
    if _is_mark(right):
        yield ("before beside a mark" if _is_mark(left) else "before"), right
    if _is_mark(left):
        yield ("after beside a mark" if _is_mark(right) else "after"), left


def _without_space(votes: Counter[tuple[str, str]], side: str) -> Iterator[str]:
    """The marks without a space on a side: by their places beside words, or, if there are none, beside other marks."""
    beside_words = {mark: count for (question, mark), count in votes.items() if question == side}
    beside_marks = {mark: count for (question, mark), count in votes.items() if question == f"{side} beside a mark"}
    return (mark for mark, count in {**beside_marks, **beside_words}.items() if count > 0)
