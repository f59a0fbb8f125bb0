"""Words of a vocabulary, and the spaces between them: what is encoded comes back as it was.

A token is a word; the space before it goes without saying where the rule (`spaces`) puts it, so that `Hello` is one
word with a space before it and without. Where a text differs from the rule a token of its own says so: JOIN that there
is no space, SPACE that there is one. Every run of blanks comes back as one space, those at the ends not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from attnfocus.data.tokens.chunks import CHUNK
from attnfocus.data.tokens.spaces import START, WORD, Context, SpaceRule
from attnfocus.data.tokens.vocabulary import WordKind, WordSplit, named_word
from attnfocus.special import SPECIAL_TOKENS, UNK

# No word holds a blank, so no text makes these.
SPACE: Final = " "
JOIN: Final = " \N{UNDERTIE}"
MARKS: Final = (JOIN, SPACE)
SHOWN: Final = {JOIN: "\N{UNDERTIE}", SPACE: "▁"}

Span = tuple[int, int]


class _Step(NamedTuple):
    """What a chunk gives: its ids, the characters [start, end) of the chunk that each covers, and what follows it."""

    ids: list[int]
    spans: list[Span]
    context: Context


class _Chunks(dict[str, tuple[list[int], "_Chunks"]]):
    """After some context: the ids of each chunk, and the same for what follows it. Made when first asked for."""

    def __init__(self, step: Callable[[Context, str], _Step], context: Context, others: dict[Context, _Chunks]) -> None:
        super().__init__()
        self._step, self._context, self._others = step, context, others
        others[context] = self

    def __missing__(self, chunk: str) -> tuple[list[int], _Chunks]:
        ids, _, context = self._step(self._context, chunk)
        following = self._others[context] if context in self._others else _Chunks(self._step, context, self._others)
        self[chunk] = ids, following
        return ids, following


class SpacedWords:
    """Texts to ids and back.

    Args:
        kind: `word`, or `whitespace`, whose words have a space between them whatever they are.
        tokens: the vocabulary in the order of the ids.
        split: the words of a chunk with the characters that they cover.
    """

    def __init__(self, kind: WordKind, tokens: Sequence[str], rule: SpaceRule, split: WordSplit) -> None:
        self.rule = rule
        self._has_kinds = kind == "word"
        self._tokens = tokens
        self._ids = {token: index for index, token in enumerate(tokens) if index >= len(SPECIAL_TOKENS)}
        self._split = split

    def encoder(self) -> Callable[[str], list[int]]:
        """A function from texts to ids, which splits only once what comes again."""
        first = _Chunks(self._step, Context(), {})

        def encode(text: str) -> list[int]:
            encoded: list[int] = []
            following = first
            for chunk in CHUNK.findall(text):
                ids, following = following[chunk]
                encoded += ids
            return encoded

        return encode

    def spans(self, text: str) -> list[Span]:
        """For every token the characters [start, end) that it covers: of SPACE the blanks, of JOIN none."""
        found: list[Span] = []
        context, place = Context(), 0
        for chunk in CHUNK.findall(text):
            _, spans, context = self._step(context, chunk)
            found += [(place + start, place + end) for start, end in spans]
            place += len(chunk)
        return found

    def decode(self, ids: Iterable[int], unknown: Callable[[], str]) -> str:
        """The text of ids, special ones apart; `unknown` gives the next unknown word."""
        parts: list[str] = []
        context, marked = Context(), None
        for id in ids:
            token = self._tokens[id]
            if token in (SPACE, JOIN):
                marked = token == SPACE
            elif id == UNK or id >= len(SPECIAL_TOKENS):
                word = unknown() if id == UNK else shown_word(token)
                after = self._then(context, None if id == UNK else word)
                has_space = self.rule.has_space(context.last, after.last) if marked is None else marked
                parts += [" ", word] if has_space and parts else [word]
                context, marked = after, None
        return "".join(parts)

    def _step(self, context: Context, chunk: str) -> _Step:
        ids: list[int] = []
        spans: list[Span] = []
        last_end = 0
        for number, (word, (start, end)) in enumerate(self._split(chunk)):
            id = self._ids.get(named_word(word), UNK)
            after = self._then(context, None if id == UNK else word)
            has_space = number == 0 and context.last != START  # a chunk has blanks at its start alone
            mark = self._ids.get(SPACE if has_space else JOIN)
            if has_space != self.rule.has_space(context.last, after.last) and mark is not None:
                ids.append(mark)
                spans.append((last_end, start))
            ids.append(id)
            spans.append((start, end))
            context, last_end = after, end
        return _Step(ids, spans, context)

    def _then(self, context: Context, word: str | None) -> Context:
        return context.then(word) if self._has_kinds else Context(WORD)


def shown_word(token: str) -> str:
    """A token as it stands in a text, or, of a mark, as it is shown."""
    return SHOWN.get(token) or token.removesuffix(" ")
