"""Byte-pair encoding learned from words with their counts, however many texts they come from.

Sennrich et al. 2016, arXiv:1508.07909: again and again the most frequent pair of neighbors becomes a symbol. What is
learned is what the trainer of the `tokenizers` library learns, which has to go through all texts.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.tokens.id_lists import places_of
from attnfocus.stages import stage

Pair = tuple[int, int]
Array = NDArray[np.int64]
Places = NDArray[np.int32]

_BITS = 32  # a pair as a number: the left symbol above these, the right one below; ordered as the pairs are
_LOW = (1 << _BITS) - 1
_PAIR = (1 << 2 * _BITS) - 1
_MOST = 1 << 62  # no pair is as frequent
_TRUE: NDArray[Any] = np.ones(1, dtype=bool)


def learn_merges(
    counts: Mapping[str, int], symbols: Sequence[str], size: int, min_frequency: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """All symbols, those that merging makes included, and the pairs that were merged, in their order.

    Among pairs that are as frequent comes first the one whose symbols are older.

    Args:
        counts: word -> how often it occurs.
        symbols: what there is to begin with; a character that is none of these is left out of its word.
        size: the most symbols.
        min_frequency: a pair that is seen less often is not merged.
    """
    learner = _Learner(counts, symbols)
    merges: dict[Pair, None] = {}
    with stage("learning byte pairs", size) as learning:
        while len(learner.symbols) < size and (pair := learner.merge(max(min_frequency, 1))) is not None:
            merges.pop(pair, None)  # one that became frequent again comes where it did so last, as in the library
            merges[pair] = None
            learning.advance(len(learner.symbols) - learning.done)
    names = learner.symbols
    return names, [(names[left], names[right]) for left, right in merges]


class _Queue:
    """Pairs with words that they stand in: the most frequent first, then the oldest pair, then what came in first.

    There are hundreds of pairs for each that is merged: one number for each is kept, and all words in one array.
    """

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._spans = array("q")  # where the words of each start and end, two numbers after the other
        self._places = array("i")

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, counts: Sequence[int], keys: Sequence[int], starts: Array, places: NDArray[Any]) -> None:
        """Pairs with their counts; `starts`: where the words of each begin in `places`."""
        first = len(self._places)
        self._places.frombytes(places.astype(np.int32).tobytes())
        spans = np.stack((starts, np.append(starts[1:], len(places))), axis=1) + first
        number = len(self._spans) // 2
        self._spans.frombytes(spans.astype(np.int64).tobytes())
        for count, key in zip(counts, keys, strict=True):
            self._add(count, key, number)
            number += 1

    def push_again(self, count: int, key: int, number: int) -> None:
        """A pair that was taken out, with its words, as the last that came in."""
        self._spans.extend(self._spans[2 * number : 2 * number + 2])
        self._add(count, key, len(self._spans) // 2 - 1)

    def pop(self) -> tuple[int, int, int]:
        """Count, pair, and the number by which `places` gives its words."""
        entry = heapq.heappop(self._heap)
        return _MOST - (entry >> 3 * _BITS), entry >> _BITS & _PAIR, entry & _LOW

    def places(self, number: int) -> Places:
        start, end = self._spans[2 * number : 2 * number + 2]
        return np.array(self._places[start:end], dtype=np.int32)

    def _add(self, count: int, key: int, number: int) -> None:
        heapq.heappush(self._heap, (_MOST - count) << 3 * _BITS | key << _BITS | number)


class _Learner:
    """Words as symbols, end to end in one array, and a queue of pairs: the most frequent first, with their words.

    A pair can stand in the queue twice: when two ways of merging make the same symbol, it comes again with new words.
    A pair is merged in all its words at once, by arrays: a large corpus has some hundred thousand different words.
    """

    def __init__(self, counts: Mapping[str, int], symbols: Sequence[str]) -> None:
        self.symbols = list(symbols)
        self._numbers = {symbol: number for number, symbol in enumerate(symbols)}
        self._counts = np.fromiter(counts.values(), np.int64, len(counts))
        get = self._numbers.get
        flat, ends = array("i"), array("q")
        for word in counts:
            flat.extend(number for each in word if (number := get(each)) is not None)
            ends.append(len(flat))
        bounds: Array = np.array([0, *ends], dtype=np.int64)
        self._starts, self._sizes = bounds[:-1], bounds[1:] - bounds[:-1]
        self._flat = np.array(flat, dtype=np.int32)
        self._pairs: dict[int, int] = {}
        self._queue = _Queue()
        word_of = np.repeat(np.arange(len(counts), dtype=np.int32), self._sizes)
        at = np.flatnonzero(word_of[1:] == word_of[:-1])
        keys = self._flat[at].astype(np.int64) << _BITS | self._flat[at + 1]
        places = word_of[at]
        del at, word_of, flat  # of a large corpus some MB each
        self._count(keys, self._counts[places], places)

    def merge(self, least: int) -> Pair | None:
        """Merges the most frequent pair; None: there is none that is seen `least` times."""
        while self._queue:
            count, key, number = self._queue.pop()
            current = self._pairs.get(key, 0)
            if current != count:  # it has changed since
                self._queue.push_again(current, key, number)
                continue
            if count < least:
                return None
            pair = key >> _BITS, key & _LOW
            self._merge_in(np.unique(self._queue.places(number)).astype(np.int64), pair)
            return pair
        return None

    def _count(self, keys: Array, counts: Array, places: NDArray[Any] | None = None) -> None:
        """Counts pairs.

        Args:
            keys: (N,) pairs as numbers, in any order, with repetitions.
            counts: (N,) of each; below 0: they are gone.
            places: (N,) the words that they came into; None: they came into none.
        """
        if not len(keys):
            return
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.concatenate((_TRUE, keys[1:] != keys[:-1])))
        different = keys[starts].tolist()
        pairs = self._pairs
        for key, change in zip(different, np.add.reduceat(counts[order], starts).tolist(), strict=True):
            count = pairs.get(key, 0) + change
            if count:
                pairs[key] = count
            else:  # most pairs are soon gone
                pairs.pop(key, None)
        if places is not None:
            self._queue.push([pairs.get(key, 0) for key in different], different, starts, places[order])

    def _merge_in(self, places: Array, pair: Pair) -> None:
        """One symbol in the place of the pair in some words, each named once, and other pairs counted anew."""
        name = self.symbols[pair[0]] + self.symbols[pair[1]]
        new = self._numbers.setdefault(name, len(self.symbols))
        if new == len(self.symbols):
            self.symbols.append(name)
        sizes, starts = self._sizes[places], self._starts[places]
        word_of = np.repeat(np.arange(len(places)), sizes)
        before = self._flat[places_of(starts, sizes)].astype(np.int64)
        at = _matches(before, word_of, pair)
        if not len(at):
            return
        self._count_around(at, before, word_of, places, pair, new)
        is_kept = np.ones(len(before), dtype=bool)
        is_kept[at + 1] = False
        before[at] = new
        sizes -= np.bincount(word_of[at], minlength=len(places))
        self._flat[places_of(starts, sizes)] = before[is_kept]
        self._sizes[places] = sizes

    def _count_around(self, at: Array, before: Array, word_of: Array, places: Array, pair: Pair, new: int) -> None:
        """The pairs with the neighbors of what is merged, as if it were merged one after the other from the left."""
        has_left = np.flatnonzero((at > 0) & (word_of[at - 1] == word_of[at]))
        last = at[has_left] - 1
        is_merged = np.zeros(len(before) + 1, dtype=bool)
        is_merged[at + 1] = True  # the right one of a pair: what stands there has become the new symbol
        left = np.where(is_merged[last], new, before[last])
        after = np.minimum(at + 2, len(before) - 1)
        has_right = np.flatnonzero((at + 2 < len(before)) & (word_of[after] == word_of[at]))
        right = before[after[has_right]]
        words = places[word_of[at]]
        words = np.concatenate((words[has_left], words[has_right]))
        counts = self._counts[words]
        self._count(np.concatenate((left << _BITS | pair[0], pair[1] << _BITS | right)), -counts)
        self._count(np.concatenate((left << _BITS | new, new << _BITS | right)), counts, words)


def _matches(symbols: Array, word_of: Array, pair: Pair) -> Array:
    """Where a pair begins, from left to right and never over another; word_of: which word a symbol is of."""
    left, right = pair
    is_match = (symbols[:-1] == left) & (symbols[1:] == right) & (word_of[:-1] == word_of[1:])
    at = np.flatnonzero(is_match)
    if left != right or not len(at):
        return at
    number = np.arange(len(at))  # in a run of one symbol every second one begins a pair
    first = np.maximum.accumulate(np.where(np.concatenate((_TRUE, np.diff(at) > 1)), number, 0))
    return at[(number - first) % 2 == 0]
