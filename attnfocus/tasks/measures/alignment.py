"""Cross-attention against known alignments.

Shapes: B sentences, H heads, T target tokens with EOS, S source tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from attnfocus.data.codecs.base import Codec
from attnfocus.data.gold import TokenLinks
from attnfocus.data.rows import Row
from attnfocus.focus.alignment import AlignmentCounts, alignment_counts, argmax_links
from attnfocus.models.base import Place
from attnfocus.tasks.looks import Look, by_kind

ALIGNMENT_ERROR_RATE = "alignment_error_rate"


def aligning_place(places: Iterable[Place]) -> Place | None:
    """Which attention is read as an alignment. Of cross-attentions that of the last layer but one, which translates
    best in Transformers (Garg et al. 2019, arXiv:1909.02074, sec. 4.1), or the only one. Of a language model, which has
    none, the last one: what it says next is read off it. None: the model writes nothing.
    """
    places = list(places)
    cross = by_kind(places, "cross")
    own = [place for place in by_kind(places, "self") if place.queries == "output"]
    return cross[max(len(cross) - 2, 0)] if cross else own[-1] if own else None


class AlignmentErrors:
    """The alignment error rate of teacher-forced weights, over the rows whose alignment is known.

    A target token is linked with the source token that has most of the weight, mean over heads, when the model
    *predicts* it: of the query that holds the token before. EOS is left out, and so are target tokens without any known
    link (the dashes of dates): what they should look at is not known.
    """

    def __init__(self, codec: Codec, counts: AlignmentCounts | None = None) -> None:
        self._codec = codec
        self.counts = counts or AlignmentCounts()

    def add(self, rows: Sequence[Row], looks: Sequence[Look]) -> None:
        """The rows of a batch and where it looked: row t of a map belongs to the t-th token predicted."""
        place = aligning_place(look.place for look in looks)
        if place is None or not any(row.alignment or row.regions for row in rows):
            return
        self.counts += _counts_of(self._codec, rows, next(look for look in looks if look.place == place))

    def metrics(self) -> dict[str, float]:
        """Empty where no alignment was known."""
        return {ALIGNMENT_ERROR_RATE: self.counts.error_rate} if self.counts.sure + self.counts.links else {}


class AlignmentByAttention:
    """The same of each attention of a language model, where nobody knows beforehand which of them looks for evidence.

    Attributes:
        counts: by the attention's name: plain numbers that add up.
    """

    def __init__(self, codec: Codec, counts: dict[str, dict[str, int]] | None = None) -> None:
        self._codec = codec
        self.counts = {} if counts is None else counts

    def add(self, rows: Sequence[Row], looks: Sequence[Look]) -> None:
        """The rows of a batch and where it looked: row t of a map belongs to the token predicted at position t."""
        if any(row.alignment or row.regions for row in rows):
            for look in looks:
                so_far = AlignmentCounts(**self.counts.get(look.name, {}))
                self.counts[look.name] = dict(vars(so_far + _counts_of(self._codec, rows, look)))

    def rates(self) -> dict[str, float]:
        """Attention -> its error rate; empty where no evidence was known."""
        counts = {name: AlignmentCounts(**each) for name, each in self.counts.items()}
        return {name: each.error_rate for name, each in counts.items() if each.sure + each.links}

    def metrics(self) -> dict[str, float]:
        """That of the attention which agrees best."""
        rates = self.rates()
        return {ALIGNMENT_ERROR_RATE: min(rates.values())} if rates else {}


def _counts_of(codec: Codec, rows: Sequence[Row], look: Look) -> AlignmentCounts:
    """Of the rows whose alignment is known, by one attention, mean over heads."""
    links, counts = argmax_links(look.weights.mean(dim=1)).cpu(), AlignmentCounts()  # (B, T, S)
    for number, row in enumerate(rows):
        gold = codec.links(row)
        if gold is not None:
            counts += _counts(links[number], gold)
    return counts


def _counts(links: Tensor, gold: TokenLinks) -> AlignmentCounts:
    """Counts of one sentence: links (T, S)."""
    sure, possible = torch.zeros_like(links), torch.zeros_like(links)
    for known, pairs in ((sure, gold.sure), (possible, gold.possible)):
        places = torch.tensor(sorted(pairs), dtype=torch.int64).reshape(-1, 2)
        known[places[:, 0], places[:, 1]] = True
    return alignment_counts(links & possible.any(dim=-1, keepdim=True), sure, possible)
