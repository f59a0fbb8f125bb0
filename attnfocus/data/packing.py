"""Short texts side by side in the rows of a batch.

Shapes: B rows.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Packing:
    """Where the texts of a batch stand when they are laid side by side.

    Args:
        lengths: of each text, in positions, > 0.
        rows: the row of each.
        starts: its first position there.
        num_rows: B.
        limit: the most positions of a row, or those of the longest text.
    """

    lengths: tuple[int, ...]
    rows: tuple[int, ...]
    starts: tuple[int, ...]
    num_rows: int
    limit: int

    @classmethod
    def of(cls, lengths: Sequence[int], limit: int) -> Packing:
        """As few rows as two ways find: in the order of the texts, which a plan chose so; or best fit, as where a
        process has some of these texts alone.
        """
        found = min((in_order(lengths, limit), best_fit(lengths, limit)), key=len)
        rows, starts = [0] * len(lengths), [0] * len(lengths)
        for row, texts in enumerate(found):
            place = 0
            for text in texts:
                rows[text], starts[text] = row, place
                place += lengths[text]
        return cls(tuple(lengths), tuple(rows), tuple(starts), len(found), limit)

    def twice(self) -> Packing:
        """Of every text two, the second ones in rows of their own."""
        again = tuple(row + self.num_rows for row in self.rows)
        return Packing(self.lengths * 2, self.rows + again, self.starts * 2, 2 * self.num_rows, self.limit)


def in_order(lengths: Sequence[int], limit: int) -> list[list[int]]:
    """Texts in rows of at most `limit` positions, in their order: the fewest rows that keep it."""
    rows: list[list[int]] = []
    room = 0
    for text, length in enumerate(lengths):
        if length > room:
            rows.append([])
            room = limit
        rows[-1].append(text)
        room -= length
    return rows


def best_fit(lengths: Sequence[int], limit: int) -> list[list[int]]:
    """The longest first, each into the fullest row that has room for it (best fit decreasing)."""
    rows: list[list[int]] = []
    by_room: dict[int, list[int]] = {}
    rooms: list[int] = []  # the keys of `by_room`, sorted
    for text in sorted(range(len(lengths)), key=lambda each: -lengths[each]):
        length = lengths[text]
        place = bisect_left(rooms, length)
        if place == len(rooms):
            row, room = len(rows), limit
            rows.append([])
        else:
            room = rooms[place]
            row = by_room[room].pop()
            if not by_room[room]:
                del by_room[room], rooms[place]
        rows[row].append(text)
        left = room - length
        if left > 0:
            if left not in by_room:
                insort(rooms, left)
            by_room.setdefault(left, []).append(row)
    return rows
