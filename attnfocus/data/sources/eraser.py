"""Reviews of movies with the passages that people name as reasons for their labels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from attnfocus.data.reading.download import find_by_hand
from attnfocus.data.reading.lines import BadRows, read_lines
from attnfocus.data.rows import RawData, Row
from attnfocus.data.sources.named_pairs import UNDAMAGED
from attnfocus.limits import PositiveInt

_SPLITS = {"train": "train.jsonl", "valid": "val.jsonl", "test": "test.jsonl"}
_LABELS = {"NEG": "negative", "POS": "positive"}
_HOW = (
    "They are in movies.tar.gz of https://www.eraserbenchmark.com; docs.jsonl has a line "
    '{"docid": ..., "text": ...} for each of its documents.'
)


class EraserMovies:
    """Movie reviews in two classes with human rationales: 1,600 / 200 / 199 (DeYoung et al. 2020, arXiv:1911.03429).

    Files in `eraser_movies/`. Rationales of train and valid are those of Zaidan et al. 2007, 7 to 9 % of the words; of
    test they were marked anew and more fully, 31 %.

    Args:
        max_tokens: the words of each review that are read, punctuation counting as words, of all splits; None: all
            (774 on average, at most 2,809).
    """

    task: ClassVar[str] = "classification"

    def __init__(self, *, max_tokens: PositiveInt | None = None) -> None:
        self._max_tokens = max_tokens

    def read(self, data_dir: Path, seed: int) -> RawData:
        names = ["docs.jsonl", *_SPLITS.values()]
        docs, *paths = find_by_hand("eraser_movies", data_dir / "eraser_movies", names, _HOW)
        bad = BadRows(remedy=UNDAMAGED)
        texts: dict[str, str] = {}
        for number, line in enumerate(read_lines(docs, "utf-8", bad), 1):
            record = _object(line)
            if isinstance(record.get("docid"), str) and isinstance(record.get("text"), str):
                texts[record["docid"]] = record["text"]
            else:
                bad.add(docs, number, 1, "not an object with docid and text")
        splits: dict[str, list[Row]] = {}
        for split, path in zip(_SPLITS, paths, strict=True):
            rows = splits.setdefault(split, [])
            for number, line in enumerate(read_lines(path, "utf-8", bad), 1):
                try:
                    rows.append(self._row(split, _object(line), texts))
                except (KeyError, TypeError, IndexError) as error:
                    reason = f"not a classification with evidences in a document that there is ({error})"
                    bad.add(path, number, 1, reason)
        return RawData(splits, bad.finish())

    def _row(self, split: str, record: Mapping[str, Any], texts: Mapping[str, str]) -> Row:
        """A review; KeyError, TypeError or IndexError for a record of another form."""
        name = record["annotation_id"]
        words = [match.span() for match in re.finditer(r"\S+", texts[name])]
        kept = words[: self._max_tokens]
        spans = [
            (words[evidence["start_token"]][0], words[evidence["end_token"] - 1][1])
            for group in record["evidences"]
            for evidence in group
            if evidence["docid"] == name and evidence["start_token"] < evidence["end_token"]  # test has empty ones
        ]
        end = kept[-1][1] if kept else 0
        rationale = {(start, min(stop, end)) for start, stop in spans if start < end}
        text = re.sub(r"\s", " ", texts[name][:end])  # line ends stand between sentences; places stay
        return Row(f"{split}:{name}", text, _LABELS[record["classification"]], rationale=tuple(sorted(rationale)))


def _object(line: str | None) -> dict[str, Any]:
    """The object of a line of JSON; empty for anything else."""
    try:
        record = json.loads(line or "")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
