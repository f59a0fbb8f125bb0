"""What a person would look at before training: lengths, classes, and how much the vocabulary does not know."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.codecs.base import Codec, Encoded
from attnfocus.data.codecs.label import LabelCodec
from attnfocus.data.examples import Examples
from attnfocus.special import UNK

MAX_SAMPLED = 20_000  # rows, spread over the split, that unknown tokens are counted in
LONG = 50  # times the median: a row that makes a batch of padding


@dataclass(frozen=True)
class Lengths:
    """Positions of one side of a split's rows, without BOS and EOS.

    Args:
        values: (N,), in the order of the rows.
        longest_id: the row that has most.
    """

    values: NDArray[np.int64]
    longest_id: str

    @property
    def median(self) -> int:
        return int(np.median(self.values))

    @property
    def longest(self) -> int:
        return int(self.values.max())

    def quantile(self, share: float) -> int:
        """The least number of positions that `share` of the rows do not exceed."""
        return int(np.quantile(self.values, share, method="inverted_cdf"))


@dataclass(frozen=True)
class SplitStatistics:
    """What there is in one split, which is not empty.

    Args:
        lengths: side (`source`, `target`) -> of the input, and of an output that is a sequence.
        unknown: side -> share of its tokens that the vocabulary does not hold, of sides with a vocabulary.
        classes: label -> rows, in the order of the codec's labels; empty where targets are no labels.
    """

    num_rows: int
    lengths: Mapping[str, Lengths]
    unknown: Mapping[str, float]
    classes: Mapping[str, int]


def split_statistics(examples: Examples, codec: Codec) -> SplitStatistics:
    rows = examples.rows
    sizes = examples.lengths if examples.alike is None else examples.lengths[:1]
    sides = {"source": sizes[:, 0]}
    if sizes[:, 1].any():
        around = 2 if "target" in codec.tokenizers() else 0  # BOS and EOS
        sides["target"] = np.maximum(sizes[:, 1] - around, 0)
    lengths = {side: Lengths(values, rows[int(values.argmax())].id) for side, values in sides.items()}
    classes: dict[str, int] = {}
    if isinstance(codec, LabelCodec):
        counts = Counter(row.target for row in rows)
        classes = {label: counts[label] for label in codec.labels}
    unknown = {} if codec.is_lazy else _unknown_shares(examples, codec)
    return SplitStatistics(len(rows), lengths, unknown, classes)


def _unknown_shares(examples: Examples, codec: Codec) -> dict[str, float]:
    step = max(1, len(examples) // MAX_SAMPLED)
    sample = examples[::step]
    sides = codec.tokenizers().keys() & {"source", "target"}
    return {side: _unknown_share([_tokens(each, side) for each in sample]) for side in sorted(sides)}


def _tokens(example: Encoded, side: str) -> NDArray[np.int64]:
    """Ids of one side, without BOS and EOS."""
    ids = example.inputs if side == "source" else np.asarray(example.targets)[1:-1]
    return np.asarray(ids, dtype=np.int64)


def _unknown_share(texts: Sequence[NDArray[np.int64]]) -> float:
    ids = np.concatenate(texts)
    return float((ids == UNK).mean()) if len(ids) else 0.0


def nearly_equal_labels(labels: Collection[str]) -> list[list[str]]:
    """Labels that differ in case, blanks or Unicode form alone, together."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        form = unicodedata.normalize("NFKC", label).casefold()
        groups.setdefault(unicodedata.normalize("NFC", "".join(form.split())), []).append(label)
    return [group for group in groups.values() if len(group) > 1]


def labels_of_one_row(splits: Mapping[str, SplitStatistics]) -> list[str]:
    """The labels that a single row of all splits has, which stays in train."""
    total: Counter[str] = Counter()
    for split in splits.values():
        total.update(split.classes)
    return [label for label, count in total.items() if count == 1]
