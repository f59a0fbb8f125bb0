"""What a language model says next, against what stands there.

Shapes: B texts, L positions, N tokens predicted, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer
from attnfocus.models.outputs import SequenceOutput
from attnfocus.special import PAD

MAX_SCORES = 2**24  # that stand in memory at a time
MAX_BINS = 32  # of the loss by position


class NextTokens(NamedTuple):
    """Of the tokens that a text is asked for; 0, False and PAD where nothing is asked."""

    log_probs: Tensor  # (B, L) of the token that stands there
    best: Tensor  # (B, L) the most probable token
    expected: Tensor  # (B, L)

    @property
    def hits(self) -> Tensor:
        """Whether the most probable token is the one that stands there, (B, L) bool."""
        return (self.best == self.expected) & (self.expected != PAD)


def next_tokens(output: SequenceOutput, expected: Tensor) -> NextTokens:
    """What the output says of the tokens expected (B, L). Scores are made where something is expected, in parts."""
    places = (expected != PAD).flatten().nonzero().squeeze(1)  # (N,)
    readout, targets = output.readout.flatten(0, 1)[places], expected.flatten()[places]
    log_probs = torch.zeros(expected.numel(), device=expected.device)
    best = torch.full_like(expected.flatten(), PAD)
    size = max(1, MAX_SCORES // len(output.output_weight))
    for part in (slice(start, start + size) for start in range(0, len(places), size)):
        scores = F.linear(readout[part], output.output_weight, output.output_bias).log_softmax(-1, dtype=torch.float32)
        log_probs[places[part]] = scores.gather(1, targets[part].unsqueeze(1)).squeeze(1)
        best[places[part]] = scores.argmax(dim=-1)
    return NextTokens(log_probs.view_as(expected), best.view_as(expected), expected)


def answer_texts(found: NextTokens, rows: Sequence[Row], tokenizer: Tokenizer) -> list[str]:
    """For each row the tokens that the model puts in the places of its answers, as a text; empty where it has none."""
    best, asked = found.best.tolist(), (found.expected != PAD).tolist()
    texts = []
    for row, ids, is_asked in zip(rows, best, asked, strict=True):
        parts: list[list[int]] = []
        for place, token in enumerate(ids) if row.answers else ():
            if not is_asked[place]:
                continue
            if not place or not is_asked[place - 1]:
                parts.append([])
            parts[-1].append(token)
        texts.append(" ".join(tokenizer.decode(part) for part in parts))
    return texts


class LossByPosition:
    """The mean loss at each position of a text.

    Attributes:
        sums: `loss` and `count`, a number for each position; plain data that add up.
    """

    def __init__(self, sums: dict[str, dict[int, float]] | None = None) -> None:
        self.sums = {"loss": {}, "count": {}} if sums is None else sums

    def add(self, found: NextTokens) -> None:
        losses, asked = -found.log_probs.double().sum(dim=0), (found.expected != PAD).double().sum(dim=0)
        for name, values in (("loss", losses), ("count", asked)):
            kept = self.sums[name]
            for position, value in enumerate(values.tolist()):
                kept[position] = kept.get(position, 0.0) + value

    def bins(self) -> list[dict[str, float]]:
        """Up to 32 runs of positions with their mean loss: from `first` (0: the first token) to `last`."""
        loss, count = self.sums["loss"], self.sums["count"]
        width = max(1, -(-len(loss) // MAX_BINS))
        found = []
        for first in range(0, len(loss), width):
            positions = range(first, min(first + width, len(loss)))
            total = math.fsum(count[position] for position in positions)
            if total:
                mean = math.fsum(loss[position] for position in positions) / total
                found.append({"first": first, "last": positions[-1], "loss": round(mean, 5), "tokens": int(total)})
        return found


def text_sizes(sizes: Iterable[tuple[int, int]]) -> dict[str, int]:
    """The sums of the characters, and of the bytes of UTF-8, of some texts."""
    characters = num_bytes = 0
    for of_text, in_bytes in sizes:
        characters += of_text
        num_bytes += in_bytes
    return {"characters": characters, "bytes": num_bytes}


def bits_per_symbol(loss_sum: float, sizes: Mapping[str, int]) -> dict[str, float]:
    """Bits per character and per byte of texts all of whose tokens were predicted, by the sum of their losses.

    Args:
        sizes: `characters` and `bytes` of what was predicted.
    """
    if not sizes["characters"]:
        return {}
    bits = loss_sum / math.log(2)
    return {"bits_per_character": bits / sizes["characters"], "bits_per_byte": bits / sizes["bytes"]}
