"""What attention carries from call to call.

Shapes: ... leading dims, G key heads, H heads, K keys.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Memory(NamedTuple):
    """What depends on the keys alone, computed once (`BaseAttention.prepare`). Leading dims come first everywhere."""

    keys: Tensor  # (..., G or H, K, any size): as the attention wants them
    values: Tensor  # (..., G or H, K, size of one head's value)
    mask: Tensor | None  # broadcastable to (..., Q, K), as it was given; None where it hides nothing

    @property
    def num_keys(self) -> int:
        """K. An attention that mixes its keys has another number of them here, and says K by its mask."""
        from_mask = 1 if self.mask is None else self.mask.shape[-1]
        return self.keys.shape[-2] if from_mask == 1 else from_mask


class History(NamedTuple):
    """Where earlier steps of a decoder looked."""

    previous: Tensor  # (..., H, 1, K): weights of the last step
    total: Tensor  # (..., H, 1, K): sum of the weights of all steps so far

    def after(self, weights: Tensor) -> "History":
        """The history after a step with these weights (..., H, 1, K)."""
        return History(weights, self.total + weights)

    def after_all(self, weights: Tensor) -> "History":
        """The history after some steps with these weights (..., H, Q, K)."""
        return History(weights[..., -1:, :], self.total + weights.sum(dim=-2, keepdim=True, dtype=self.total.dtype))


class Places(NamedTuple):
    """Positions in the sequence of the queries (..., Q) and keys (..., K) that meet in one piece of work.

    Where the attention's position reads its inputs, also what its clock shows there (`Position.clock`), by head.
    """

    queries: Tensor
    keys: Tensor
    query_clock: Tensor | None = None  # (..., H, Q)
    key_clock: Tensor | None = None  # (..., H, K)

    @classmethod
    def of(cls, num_queries: int, num_keys: int, device: torch.device, clock: Tensor | None = None) -> "Places":
        """All keys, and the queries as the last positions: one token at a time is then the same as all at once.

        clock: (..., H, K); queries before the first position have what 0 is there.
        """
        both = torch.arange(-num_queries, num_keys, device=device)  # of which each is a part
        places = both[num_keys:], both[num_queries:]
        return cls(*places) if clock is None else cls(*places, F.pad(clock, (num_queries - num_keys, 0)), clock)

    def at(self, rows: slice) -> "Places":
        """Those of some of the queries."""
        clock = None if self.query_clock is None else self.query_clock[..., rows]
        return self._replace(queries=self.queries[..., rows], query_clock=clock)

    @property
    def offsets(self) -> Tensor:
        """How far each key stands behind (< 0) or ahead of (> 0) each query: (..., Q, K)."""
        return self.keys.unsqueeze(-2) - self.queries.unsqueeze(-1)


MIN_ROOM = 16  # positions that are made room for at least, so that most are added without a copy


@dataclass
class _Buffer:
    """Tensors with room behind the positions that are used. Positions come first: those used are then one block."""

    keys: Tensor  # (room, N, G, dk)
    values: Tensor  # (room, N, G, dv)
    used: int

    @classmethod
    def like(cls, keys: Tensor, values: Tensor, room: int, num_rows: int) -> "_Buffer":
        """Empty, for keys and values (any length, any rows, G, size) of these kinds."""
        of_keys, of_values = (each.new_empty(room, num_rows, *each.shape[2:]) for each in (keys, values))
        return cls(of_keys, of_values, used=0)


class GrowingMemory:
    """Prepared keys and values of the positions so far; `BaseAttention.extend` adds the next.

    Adding a position costs O(N G (dk + dv)), whatever stands before it, but for a copy whenever the room is used up,
    which is half as much again as there was. What was there before is never changed: memories that grew from the same
    one go separate ways.
    """

    def __init__(self) -> None:
        self.length = 0
        self._buffer: _Buffer | None = None

    @property
    def memory(self) -> Memory:
        """All positions so far, of which there must be one, for `BaseAttention.attend`."""
        assert self._buffer is not None, "nothing was added yet"
        keys, values = self._buffer.keys[: self.length], self._buffer.values[: self.length]
        return Memory(keys.permute(1, 2, 0, 3), values.permute(1, 2, 0, 3), None)

    def append(self, new: Memory) -> "GrowingMemory":
        """The memory with n positions more: keys (N, G, n, dk), values (N, G, n, dv), no mask."""
        keys, values = (each.permute(2, 0, 1, 3) for each in (new.keys, new.values))  # (n, N, G, size)
        end = self.length + len(keys)
        has_graph = torch.is_grad_enabled() and (keys.requires_grad or values.requires_grad or self._has_graph())
        buffer = self._buffer
        if buffer is None or has_graph:  # nothing to copy; or no buffer to write into, which would break earlier graphs
            return self._of(self._joined(keys, values), end)
        if buffer.used != self.length or len(buffer.keys) < end:
            buffer = self._copied(_Buffer.like(keys, values, _room(end), keys.shape[1]), None)
        buffer.keys[self.length : end] = keys
        buffer.values[self.length : end] = values
        buffer.used = end
        return self._of(buffer, end)

    def rows(self, index: Tensor) -> "GrowingMemory":
        """The rows `index` (M,); one may be taken more than once."""
        if self._buffer is None:
            return self
        if self._has_graph():
            keys, values = self._buffer.keys[: self.length], self._buffer.values[: self.length]
            return self._of(
                _Buffer(keys.index_select(1, index), values.index_select(1, index), self.length), self.length
            )
        room = _Buffer.like(self._buffer.keys, self._buffer.values, _room(self.length + 1), len(index))
        return self._of(self._copied(room, index), self.length)

    def tail(self, count: int) -> "GrowingMemory":
        """A memory of the last `count` positions alone, which counts from there on; what stood before them is freed."""
        assert self._buffer is not None, "nothing was added yet"
        start = self.length - count
        keys, values = (each[start : self.length].clone() for each in (self._buffer.keys, self._buffer.values))
        return self._of(_Buffer(keys, values, used=count), count)

    def _copied(self, room: _Buffer, index: Tensor | None) -> _Buffer:
        """`room` with the positions so far written into it, of the rows `index` or of all."""
        if self._buffer is not None:
            for old, new in ((self._buffer.keys, room.keys), (self._buffer.values, room.values)):
                used, space = old[: self.length], new[: self.length]
                if index is None:
                    space.copy_(used)
                else:
                    torch.index_select(used, 1, index, out=space)
        room.used = self.length
        return room

    def _joined(self, keys: Tensor, values: Tensor) -> _Buffer:
        if self._buffer is not None:
            keys = torch.cat((self._buffer.keys[: self.length], keys))
            values = torch.cat((self._buffer.values[: self.length], values))
        return _Buffer(keys, values, used=len(keys))

    def _has_graph(self) -> bool:
        return self._buffer is not None and (self._buffer.keys.requires_grad or self._buffer.values.requires_grad)

    @staticmethod
    def _of(buffer: _Buffer, length: int) -> "GrowingMemory":
        grown = GrowingMemory()
        grown._buffer, grown.length = buffer, length
        return grown


@dataclass(frozen=True)
class RollingMemory:
    """Prepared keys and values of the first and the last positions so far, where the next positions see no others.

    Adding a position costs as much after many as after few; at most 2 num_last + num_first positions are kept, but for
    those that came in one call.

    Attributes:
        num_first, num_last: how many a position sees at most: of the sequence, and up to itself.
        length: how many positions there were.
    """

    num_first: int
    num_last: int
    length: int = 0
    _first: GrowingMemory = field(default_factory=GrowingMemory)  # positions 0, ... that are below num_first
    _last: GrowingMemory = field(default_factory=GrowingMemory)  # positions up to length

    def append(self, new: Memory) -> "RollingMemory":
        """The memory with n positions more, as in `GrowingMemory`."""
        first, last, missing = self._first, self._last, self.num_first - self._first.length
        if missing > 0:
            head = Memory(new.keys[..., :missing, :], new.values[..., :missing, :], None)
            first = first.append(head)
        if last.length >= 2 * self.num_last:
            last = last.tail(self.num_last)
        added = new.keys.shape[-2]
        return RollingMemory(self.num_first, self.num_last, self.length + added, first, last.append(new))

    @property
    def is_whole(self) -> bool:
        """Whether all positions are still there."""
        return self._last.length == self.length

    @property
    def memory(self) -> Memory:
        """What is kept, of which there must be one position, in its order."""
        last, before = self._last.memory, self._num_before
        if before == 0:
            return last
        pairs = zip(self._first.memory[:2], last[:2], strict=True)
        keys, values = (torch.cat((head[..., :before, :], tail), dim=-2) for head, tail in pairs)
        return Memory(keys, values, None)

    def positions(self, device: torch.device) -> Tensor:
        """Where what is kept stands in the sequence: (K,)."""
        last = torch.arange(self.length - self._last.length, self.length, device=device)
        return torch.cat((torch.arange(self._num_before, device=device), last)) if self._num_before else last

    @property
    def _num_before(self) -> int:
        """How many of the first positions are not among the last."""
        return min(self._first.length, self.length - self._last.length)

    def rows(self, index: Tensor) -> "RollingMemory":
        """The rows `index` (M,); one may be taken more than once."""
        first, last = self._first.rows(index), self._last.rows(index)
        return RollingMemory(self.num_first, self.num_last, self.length, first, last)


@dataclass(frozen=True)
class RunningSums:
    """What is kept of the positions so far where their sums are enough: as large after many as after one.

    Attributes:
        length: how many positions there were.
        tensors: (N, ...), as the attention that made them wants them; none before the first position.
    """

    length: int = 0
    tensors: tuple[Tensor, ...] = ()

    def require_enough(self, name: str, need_weights: bool, dropout: float) -> None:
        """Refuses what only the positions themselves could give to the attention of this name.

        Raises:
            ValueError: weights are asked for, or dropped at a rate above 0.
        """
        if need_weights and self.length > 0:
            raise ValueError(
                f"{name} kept sums of the {self.length} positions before these, over which no weights can be told any "
                "more: use begin(need_weights=True), or give the whole sequence at once."
            )
        if dropout > 0:
            raise ValueError(
                f"dropout={dropout} drops weights, and {name} kept sums in their place: use eval(), or begin "
                "in training too."
            )

    def rows(self, index: Tensor) -> "RunningSums":
        """The rows `index` (M,); one may be taken more than once."""
        return RunningSums(self.length, tuple(tensor.index_select(0, index) for tensor in self.tensors))


Past = GrowingMemory | RollingMemory | RunningSums  # what an attention keeps of a sequence that looks at itself


def _room(length: int) -> int:
    """For `length` positions and some more."""
    return length + max(MIN_ROOM, length // 2)
