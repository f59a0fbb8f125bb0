"""Texts as the bytes of UTF-8: 256 tokens for every text of any script, and nothing to be learned.

The id of a byte is the byte itself behind the special tokens. A character takes one token (ASCII) to four.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.tokens.vocabulary import Vocabulary
from attnfocus.special import SPECIAL_TOKENS, UNK

FIRST = len(SPECIAL_TOKENS)  # the id of byte 0


def _name(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else f"<{byte:02X}>"


BYTES = Vocabulary([*SPECIAL_TOKENS, *map(_name, range(256))])  # printable ASCII as it is, any other as `<E4>`


class Utf8Bytes:
    """Texts to ids and back.

    Args:
        tokens: the vocabulary of a file.

    Raises:
        ValueError: it is not that of bytes.
    """

    def __init__(self, tokens: Sequence[str] = BYTES.tokens) -> None:
        if list(tokens) != list(BYTES.tokens):
            raise ValueError("its tokens are not the 256 bytes")

    @staticmethod
    def encoder() -> Callable[[str], list[int]]:
        """A function from texts to ids."""
        return lambda text: byte_ids(text).tolist()

    @staticmethod
    def spans(text: str) -> list[tuple[int, int]]:
        """For every byte the character [start, end) that it is a part of."""
        return [(place, place + 1) for place, character in enumerate(text) for _ in character.encode()]

    @staticmethod
    def decode(ids: Iterable[int], unknown: Callable[[], str]) -> str:
        """The text of ids, special ones apart; `unknown` gives what stands for the next UNK.

        What is no whole character becomes U+FFFD: one for the beginning of a character that is cut, one for each byte
        that can begin none.
        """
        content = bytearray()
        for id in ids:
            if id >= FIRST:
                content.append(id - FIRST)
            elif id == UNK:
                content += unknown().encode()
        return content.decode("utf-8", "replace")


def byte_ids(text: str) -> NDArray[np.uint16]:
    """The ids (L,) of a text without half surrogate pairs."""
    return np.frombuffer(text.encode(), np.uint8).astype(np.uint16) + np.uint16(FIRST)


def byte_sizes(ids: Iterable[int]) -> tuple[int, int]:
    """Characters and bytes of some ids; a character that is cut counts where it begins."""
    values = [id - FIRST for id in ids if id >= FIRST]
    return sum(value & 0xC0 != 0x80 for value in values), len(values)
