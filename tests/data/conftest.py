"""Real sets, where they are at hand, and small files in the same form."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """The folder with the real sets; skips when it or the one set asked for is not there."""

    def find(folder: str) -> Path:
        place = os.environ.get("ATTNFOCUS_DATA")
        if not place:
            pytest.skip("$ATTNFOCUS_DATA is not set: no real data")
        if not (Path(place) / folder).is_dir():
            pytest.skip(f"no {folder} in $ATTNFOCUS_DATA")
        return Path(place)

    return find


@pytest.fixture
def small_data(tmp_path: Path) -> Callable[[dict[str, str | bytes]], Path]:
    """A data folder with the given files, those named .gz compressed."""

    def make(files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode() if isinstance(content, str) else content
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return tmp_path

    return make
