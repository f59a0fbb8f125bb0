"""Handwritten digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.array_rows import ArrayRows
from attnfocus.data.reading.download import PublishedFile, find_published
from attnfocus.data.reading.idx_files import read_idx
from attnfocus.data.rows import RawData
from attnfocus.errors import DataError

_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
DIGITS = tuple(map(str, range(10)))


class MNIST:
    """Handwritten digits of 28 x 28 gray pixels, 60,000 for training, 10,000 for testing (LeCun et al. 1998).

    Files in `mnist/`, as they are published (idx, with or without .gz). They are held as one array of bytes.
    """

    task = "classification"

    def __init__(self, *, download: bool = True) -> None:
        self._download = download

    def read(self, data_dir: Path, seed: int) -> RawData:
        found = read_mnist(data_dir, download=self._download)
        return RawData({split: ArrayRows(split, *arrays, DIGITS) for split, arrays in found.items()})


def read_mnist(data_dir: Path, *, download: bool) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Images (N, 28, 28) and their digits (N,) of `train` and `test`.

    Raises:
        DataError: a file is missing and cannot be had, or damaged.
    """
    files = [PublishedFile(name, _URL + name, digest) for name, digest in _SHA256.items()]
    paths = find_published("mnist", data_dir / "mnist", files, download=download)
    splits = {}
    for split, (images, labels) in {"train": paths[:2], "test": paths[2:]}.items():
        inputs, targets = read_idx(images), read_idx(labels)
        if inputs.ndim != 3 or targets.shape != inputs.shape[:1] or (targets >= len(DIGITS)).any():
            raise DataError(f"{images}, {labels}: are no images and a digit for each. Use undamaged copies.")
        splits[split] = inputs, targets
    return splits
