"""Attention and attributions against what is known to hold the evidence: rationales of texts, regions of images.

Shapes: N outputs, K input positions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from attnfocus.data.codecs.base import Codec
from attnfocus.data.rows import Row
from attnfocus.focus import mass_inside, pointing_game


def evidence_metrics(codec: Codec, rows: Sequence[Row], scores: Mapping[str, Tensor]) -> dict[str, float]:
    """`evidence_pointing_game_<name>`, `evidence_mass_inside_<name>`: means over the outputs whose evidence is known.

    Args:
        rows: of each output (N).
        scores: name -> how much each position counts for each output, (N, K), none below 0.
    """
    marks = [codec.rationale(row) if row.rationale or row.regions else None for row in rows]
    known = [(number, torch.tensor(marked)) for number, marked in enumerate(marks) if marked and any(marked)]
    found = {}
    for name, each in scores.items() if known else ():
        pairs = [(each[number, : len(marked)].cpu(), marked) for number, marked in known]
        for measure, of in (("pointing_game", pointing_game), ("mass_inside", mass_inside)):
            found[f"evidence_{measure}_{name}"] = math.fsum(of(*pair) for pair in pairs) / len(pairs)
    return found
