"""Byte-pair encoding learned from words with their counts, however many texts they come from.

Sennrich et al. 2016, arXiv:1508.07909: again and again the most frequent pair of neighbors becomes a symbol. What is
learned is what the trainer of the `tokenizers` library learns, which has to go through all texts.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from attnfocus.stages import stage

Pair = tuple[int, int]


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


class _Learner:
    """Words as lists of symbols, and a queue of pairs: the most frequent first, with the words to look for it in.

    A pair can stand in the queue twice: when two ways of merging make the same symbol, it comes again with new words.
    """

    def __init__(self, counts: Mapping[str, int], symbols: Sequence[str]) -> None:
        self.symbols = list(symbols)
        self._numbers = {symbol: number for number, symbol in enumerate(symbols)}
        self._counts = list(counts.values())
        get = self._numbers.get
        self._words = [[number for each in word if (number := get(each)) is not None] for word in counts]
        self._pairs: defaultdict[Pair, int] = defaultdict(int)
        self._queue: list[tuple[int, Pair, int, Iterable[int]]] = []
        self._num_queued = 0
        where: defaultdict[Pair, list[int]] = defaultdict(list)
        for place, (word, count) in enumerate(zip(self._words, self._counts, strict=True)):
            for pair in pairwise(word):
                self._pairs[pair] += count
                if (places := where[pair])[-1:] != [place]:
                    places.append(place)
        for pair, places in where.items():
            self._push(pair, places)

    def merge(self, least: int) -> Pair | None:
        """Merges the most frequent pair; None: there is none that is seen `least` times."""
        while self._queue:
            negative, pair, _, places = heapq.heappop(self._queue)
            if self._pairs[pair] != -negative:  # it has changed since
                self._push(pair, places)
                continue
            if -negative < least:
                return None
            self._merge_in(places, pair)
            return pair
        return None

    def _push(self, pair: Pair, places: Iterable[int]) -> None:
        self._num_queued += 1
        heapq.heappush(self._queue, (-self._pairs[pair], pair, self._num_queued, places))

    def _merge_in(self, places: Iterable[int], pair: Pair) -> None:
        """One symbol in the place of the pair in some words, and other pairs counted anew."""
        name = self.symbols[pair[0]] + self.symbols[pair[1]]
        new = self._numbers.setdefault(name, len(self.symbols))
        if new == len(self.symbols):
            self.symbols.append(name)
        where: defaultdict[Pair, list[int]] = defaultdict(list)
        pairs = self._pairs
        for place in places:
            count = self._counts[place]
            gone, come = _merged(self._words[place], pair, new)
            for other in gone:
                pairs[other] -= count
            for other in come:
                pairs[other] += count
                where[other].append(place)
        for other, of_other in where.items():
            self._push(other, of_other)


def _merged(word: list[int], pair: Pair, new: int) -> tuple[list[Pair], list[Pair]]:
    """Merges a pair in a word, from left to right; the pairs with its neighbors that are gone, and those that came."""
    left, right = pair
    gone: list[Pair] = []
    come: list[Pair] = []
    start = 0
    while True:
        try:
            at = word.index(left, start, len(word) - 1)
        except ValueError:
            return gone, come
        start = at + 1
        if word[at + 1] != right:
            continue
        if at:
            gone.append((word[at - 1], left))
            come.append((word[at - 1], new))
        if at + 2 < len(word):
            gone.append((right, word[at + 2]))
            come.append((new, word[at + 2]))
        word[at : at + 2] = [new]
