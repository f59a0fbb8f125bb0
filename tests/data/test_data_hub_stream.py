"""A column of a set of Hugging Face `datasets` as long texts, from local files and folders alone."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from attnfocus.data import HubRunningText
from attnfocus.data.text_stream import TextStream
from attnfocus.errors import DataError

TEXTS = ["First.\n\nSecond line.", "  blanks kept  ", "", "NA", "last\n"]


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def saved(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(path)


def stream_of(**options: Any) -> TextStream:
    found = HubRunningText(**options).read(Path(), 0).splits["train"]
    assert isinstance(found, TextStream)
    return found


def test_rows_are_texts_of_their_own_or_one_text_to_the_letter(tmp_path: Path) -> None:
    path = saved(tmp_path, [{"text": text, "source": "x"} for text in TEXTS])
    rows = stream_of(path=path)
    for _ in range(2):  # each pass reads anew
        assert [piece.text for piece in rows.pieces()] == [text for text in TEXTS if text]
    assert all(piece.begins and piece.ends for piece in rows.pieces())
    assert rows.border_after(5) == len(TEXTS[0])  # no row is cut
    whole = stream_of(path=path, documents="whole")
    assert [row.input for row in whole] == ["First.\n\nSecond line.\n  blanks kept  \n\nNA\nlast\n"]
    assert [row.input for row in stream_of(path=path, max_rows=2)] == TEXTS[:2]


def test_the_column_is_found_or_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path, [{"doc": {"body": "one"}, "n": 1}, {"doc": {"body": None}, "n": 2}])
    with pytest.raises(DataError, match=r"dataset\.text_column: not given, and the columns are doc, n"):
        stream_of(path=path)
    with pytest.raises(DataError, match=r"column doc\.body holds NoneType, not a text"):
        list(stream_of(path=path, text_column="doc.body"))
    assert [row.input for row in stream_of(path=path, text_column="doc.body", on_bad_row="skip")] == ["one"]
    with pytest.raises(DataError, match="body"):
        stream_of(path=path, text_column="body")
