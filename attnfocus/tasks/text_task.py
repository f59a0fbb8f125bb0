"""Tasks whose answers are texts: how these are measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from attnfocus.data.codecs.base import Codec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.codecs.written import WrittenCodec
from attnfocus.tasks.base import Task
from attnfocus.tasks.measures.ceiling import ceiling
from attnfocus.tasks.measures.text import (
    BleuTokenizer,
    bleu_tokenizer_for,
    has_ngrams,
    no_ngrams_remark,
    text_scorers,
)

if TYPE_CHECKING:
    from attnfocus.data.rows import Row
    from attnfocus.decoding import DecodingOptions


class TextTask(Task):
    """BLEU, chrF and exact matches of texts. What splits words for BLEU is the same for all splits of a run."""

    codecs: ClassVar[tuple[type[Codec], ...]] = (TextPairCodec,)
    default_monitor: ClassVar[str] = "bleu"
    tested: ClassVar[tuple[str, ...]] = ("bleu", "chrf", "exact_match")
    right_metric: ClassVar[str | None] = "exact_match"
    writes: ClassVar[bool] = True

    @property
    def codec(self) -> WrittenCodec:
        assert isinstance(self._codec, WrittenCodec)
        return self._codec

    @classmethod
    def is_right(cls, prediction: str, target: str) -> bool:
        """Blanks at the ends apart."""
        return prediction.strip() == target.strip()

    @classmethod
    def text_scorers(cls, references: Sequence[str], evaluated: Mapping[str, Any]) -> dict[str, Any]:
        name: Any = evaluated.get("bleu_tokenizer")
        return text_scorers(name if name in get_args(BleuTokenizer) else bleu_tokenizer_for(None, references))

    @classmethod
    def incomparable(cls, left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, str]:
        names = [each.get("bleu_tokenizer") for each in (left, right)]
        if None in names or names[0] == names[1]:
            return {}
        return {"bleu": f"the words of BLEU are others (trainer.bleu_tokenizer {names[0]} and {names[1]})"}

    def bleu_tokenizer_of(self, references: Iterable[str]) -> BleuTokenizer:
        """What splits words for BLEU: the run's choice, which is the same for all splits."""
        return self.bleu_tokenizer or bleu_tokenizer_for(self.codec.target_writing, references)

    def monitor_for(self, rows: Sequence[Row]) -> str:
        """chrF where BLEU is 0 whatever the outputs are. A run that was saved before this was so goes on as it did."""
        if self.codec.target_writing is None or self._has_ngrams(rows):
            return self.default_monitor
        return "chrf"

    def remarks(self, rows: Sequence[Row], monitor: str, decoding: DecodingOptions) -> list[str]:
        references = [row.target for row in rows]
        remarks = [] if self._has_ngrams(rows) else [no_ngrams_remark(monitor)]
        words, tokenizer = self.bleu_tokenizer_of(references), self.codec.target_tokenizer
        limit = ceiling(references, tokenizer, words, replaces_unknown=decoding.replace_unknown)
        return remarks if limit is None else [*remarks, limit]

    def _has_ngrams(self, rows: Sequence[Row]) -> bool:
        references = [row.target for row in rows]
        return has_ngrams(references, self.bleu_tokenizer_of(references))
