"""Which texts are the same once they are tokenized: `Yes , we can` and `yes, we can` for lower-casing words."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.data.tokens.torchtext_words import make_splitter
from attnfocus.data.tokens.vocabulary import word_split


def token_keys(texts: Iterable[str], options: TokenizerOptions) -> Callable[[str], Hashable]:
    """What is equal exactly for those of the texts that are cut into the same tokens, whatever is in the vocabulary.

    To cut every text would take as long as to encode it: only those are cut that are alike but for blanks and case.
    """
    prepared = str.lower if options.lowercase else str
    if options.kind == "torchtext":
        split_words = make_splitter(options.torchtext, options.language)
        return lambda text: split_words(prepared(text))
    if options.kind not in ("word", "whitespace"):  # blanks are tokens, or parts of them
        return prepared
    first: dict[str, str] = {}
    several: set[str] = set()
    for text in map(prepared, texts):
        without = "".join(text.split())
        if first.setdefault(without, text) != text:
            several.add(without)
    split = word_split(options.kind)

    def key(text: str) -> Hashable:
        text = prepared(text)
        without = "".join(text.split())
        if without not in several:
            return without
        pieces = split(text.encode("utf-8", "replace").decode())  # half a surrogate pair is no character
        return tuple(shown for piece, _ in pieces if (shown := piece.strip()))

    return key
