"""Several texts in one row, none of which sees another.

Shapes: N texts, B rows, W positions of a row, n texts of a group, l positions of the longest in it, D width. Texts
stand one behind the other from the beginning of a row; what is behind the last is padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from attnfocus.attention import BaseAttention
from attnfocus.models.length_groups import length_groups


class Documents:
    """Where the texts of packed rows stand.

    Args:
        lengths: positions of each text, > 0.
        rows: the row of each.
        starts: its first position there.
        num_rows: B.
        device: of the tensors that are laid out.

    Attributes:
        numbers: (B, W) the text at each position, -1 at padding.
        positions: (B, W) how many positions of the same text come before; 0 at padding.
        longest: positions of the longest text.
        in_one_call: whether an attention that can do so reads all texts in one call with a mask: an accelerator wants
            few calls. A CPU takes the texts apart, which makes fewer pairs (1.0 to 2.2 times as fast).
    """

    def __init__(
        self,
        lengths: Sequence[int],
        rows: Sequence[int],
        starts: Sequence[int],
        num_rows: int,
        device: torch.device | None = None,
    ) -> None:
        self.in_one_call = device is not None and device.type != "cpu"
        sizes = torch.tensor(lengths)
        self.longest = int(sizes.max())
        self.width = int((torch.tensor(starts) + sizes).max())
        self.num_rows = num_rows
        first = torch.tensor(rows) * self.width + torch.tensor(starts)  # of each text, in all rows one after the other
        cells = first.unsqueeze(1) + torch.arange(self.longest)  # (N, longest)
        inside = torch.arange(self.longest) < sizes.unsqueeze(1)
        numbers = torch.full((num_rows * self.width,), -1)
        positions = torch.zeros_like(numbers)
        texts, places = inside.nonzero(as_tuple=True)
        numbers[cells[inside]], positions[cells[inside]] = texts, places
        groups = length_groups(sizes, self.longest)
        self._cells: list[Tensor] = []  # of each group (n, l), padding: the first cell of the text
        back = torch.zeros_like(numbers)
        behind = 0
        for group in groups:
            longest = int(sizes[group].max())
            of_group, real = cells[group, :longest], inside[group, :longest]
            self._cells.append(torch.where(real, of_group, of_group[:, :1]).to(device))
            back[of_group[real]] = behind + real.flatten().nonzero().squeeze(1)
            behind += real.numel()
        self._back = back.to(device)
        self.numbers = numbers.view(num_rows, -1).to(device)
        self.positions = positions.view(num_rows, -1).to(device)

    @cached_property
    def mask(self) -> Tensor:
        """(B, W, W): True within a text, and within the padding."""
        return self.numbers.unsqueeze(2) == self.numbers.unsqueeze(1)

    def packed(self, ids: Tensor, padding: int) -> Tensor:
        """Ids of the texts (N, L) in their rows (B, W)."""
        found = ids[self.numbers.clamp(min=0), self.positions]
        return found.masked_fill(self.numbers < 0, padding)

    def apart(self, states: Tensor) -> list[Tensor]:
        """States (B, W, D) of each text by itself, texts of like lengths together: (n, l, D), anything at padding."""
        flat = states.flatten(0, 1)
        return [flat.index_select(0, cells.flatten()).unflatten(0, cells.shape) for cells in self._cells]

    def together(self, parts: Sequence[Tensor]) -> Tensor:
        """What `apart` took apart (n, l, D): (B, W, D), anything finite at padding."""
        return (
            torch.cat([part.flatten(0, 1) for part in parts])
            .index_select(0, self._back)
            .unflatten(0, self.numbers.shape)
        )

    def attended(self, attention: BaseAttention, states: Tensor) -> Tensor:
        """The context (B, W, any size) of an attention that looks back alone, as each text by itself has it.

        What counts positions or keeps sums over them reads each text apart, whatever the device.
        """
        if self.in_one_call and attention.takes_documents_by_mask:
            context: Tensor = attention(states, states, None, self.mask)[0]
            return context
        return self.together([attention(part, part)[0] for part in self.apart(states)])
