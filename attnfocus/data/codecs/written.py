"""What codecs have in common whose targets are texts that a model writes, token by token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attnfocus.data.codecs.base import Codec
from attnfocus.data.tokens.tokenizer import Tokenizer
from attnfocus.data.tokens.writing import Writing


class WrittenCodec(Codec):
    """
    Attributes:
        target_tokenizer: of the texts that are written.
        target_writing: how those of train are written; None: nobody has noted it, in a run of an older version.
    """

    target_tokenizer: Tokenizer
    target_writing: Writing | None

    def target_tokens(self, ids: Iterable[Any]) -> list[str]:
        """What names target ids."""
        return self.target_tokenizer.tokens(int(i) for i in ids)

    def decode_target(self, ids: Iterable[Any], unknown: Sequence[str] | None = None) -> str:
        """The text of target ids; PAD, BOS and EOS give nothing. `unknown`: as in `Tokenizer.decode`."""
        return self.target_tokenizer.decode((int(i) for i in ids), unknown)
