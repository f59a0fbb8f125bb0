"""Weights in a page: integers, gzipped, in base64. A map of many weights is a sketch with details in tiles.

Weights are coded as the square root of their share of the largest, in 8 or 16 bits: half of the codes are spent on the
smallest quarter of the weights.

Shapes: H heads, Q queries, K keys.
"""

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np

from attnfocus.grid import Picture
from attnfocus.inspection.spread import effective_of_rows, mean_spread

TILE = 256  # rows and columns of a tile
_BLOCKS = 128  # of each axis of a sketch, at most
_LARGEST = 32  # of each row
MAX_PIXELS = 256  # rows or columns of a picture
_CODES: Mapping[tuple[bool, bool], str] = {  # (fine, signed) -> numpy's name
    (False, False): "u1",
    (False, True): "i1",
    (True, False): "<u2",
    (True, True): "<i2",
}


def coded(weights: np.ndarray, is_fine: bool) -> dict[str, Any]:
    """`code`: numpy's name of the integers; `largest`: what the highest stands for; `data`: see the module."""
    values = _finite(weights)
    code = _CODES[is_fine, bool((values < 0).any())]
    largest = float(np.abs(values).max(initial=0.0))
    highest = np.iinfo(np.dtype(code)).max
    roots = np.sqrt(np.abs(values) / (largest or 1.0)) * np.sign(values)
    return {"code": code.lstrip("<"), "largest": largest, "data": _packed(np.rint(roots * highest).astype(code))}


def sketch_size(weights: np.ndarray) -> int:
    """Numbers of a sketch without its details."""
    heads, queries, keys = weights.shape
    return (heads + 1) * (queries * (2 * min(_LARGEST, keys) + 1) + keys)


def sketch(weights: np.ndarray, has_details: bool) -> dict[str, Any]:
    """Means of blocks, the largest of each row and the mean row of each head and, last, of the mean of several heads.

    `spread`: of each head; `used`: effective positions of each row.
    `details`: tiles of all weights, [head][row of tiles][tile]; null where they are left out.
    """
    values = _finite(weights)
    heads = [*values, values.mean(axis=0)] if len(values) > 1 else [*values]
    grid = [min(size, _BLOCKS) for size in values.shape[1:]]
    count = min(_LARGEST, values.shape[2])
    used = [effective_of_rows(head) for head in heads]
    top = [np.sort(np.argpartition(-np.abs(head), count - 1, axis=1)[:, :count], axis=1) for head in heads]
    return {
        "grid": grid,
        "blocks": coded(np.stack([_blocks(head, grid) for head in heads]), True),
        "means": coded(np.stack([head.mean(axis=0) for head in heads]), True),
        "count": count,
        "top": coded(np.stack([np.take_along_axis(h, t, axis=1) for h, t in zip(heads, top, strict=True)]), True),
        "places": {"code": "u2", "data": _packed(np.stack(top).astype("<u2"))},
        "spread": [mean_spread(each, values.shape[2]) for each in used],
        "used": coded(np.stack(used), True),
        "details": [_tiles(head) for head in heads] if has_details else None,
    }


def _blocks(head: np.ndarray, grid: list[int]) -> np.ndarray:
    """(Q, K) -> means of blocks: block r has the rows q with floor(q * grid / Q) = r."""
    for axis, number in enumerate(grid):
        size = head.shape[axis]
        starts = -(-np.arange(number) * size // number)  # rounded up
        counts = np.diff([*starts, size])
        head = np.add.reduceat(head, starts, axis=axis) / counts.reshape((-1, 1) if axis == 0 else (1, -1))
    return head


def coded_picture(picture: Picture) -> dict[str, Any]:
    """The pixels, of a large image every second (third, ...), and the boxes of its positions and known regions."""
    step = -(-max(picture.pixels.shape[:2]) // MAX_PIXELS)
    pixels = np.ascontiguousarray(picture.pixels[::step, ::step])
    return {
        "size": list(pixels.shape[:2]),
        "channels": 1 if pixels.ndim == 2 else pixels.shape[2],
        "code": "u1",
        "data": _packed(pixels),
        "boxes": _smaller(picture.boxes, step),
        "regions": _smaller(picture.regions, step),
    }


def _smaller(boxes: Any, step: int) -> list[list[int]]:
    """Rectangles in a picture of every `step`-th pixel; none becomes empty."""
    found = np.asarray(boxes, dtype=np.int64).reshape(-1, 4) // step
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    return found.tolist()


def _tiles(head: np.ndarray) -> list[list[dict[str, Any]]]:
    queries, keys = head.shape
    return [
        [coded(head[top : top + TILE, left : left + TILE], False) for left in range(0, keys, TILE)]
        for top in range(0, queries, TILE)
    ]


def _finite(weights: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.asarray(weights, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def _packed(integers: np.ndarray) -> str:
    return base64.b64encode(gzip.compress(integers.tobytes(), compresslevel=6, mtime=0)).decode("ascii")
