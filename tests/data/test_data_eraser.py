"""Reviews with rationales: small files in their form, and the real ones where they are at hand."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from attnfocus.data import EraserMovies
from attnfocus.data.gold import token_rationale
from attnfocus.data.rows import Source
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.errors import DataError

SmallData = Callable[[dict[str, str | bytes]], Path]
TEXT = "a dull film .\nnobody laughed , nobody cried ."


def evidence(start: int, end: int, name: str = "a.txt") -> dict[str, object]:
    return {"docid": name, "start_token": start, "end_token": end, "text": "", "start_sentence": -1}


def review(label: str, *evidences: dict[str, object], name: str = "a.txt") -> str:
    return json.dumps({"annotation_id": name, "classification": label, "evidences": [list(evidences)]}) + "\n"


def files(train: str = review("NEG", evidence(1, 3), evidence(4, 6))) -> dict[str, str | bytes]:
    splits = {"train": train, "val": review("POS"), "test": review("NEG", evidence(0, 9))}
    docs = json.dumps({"docid": "a.txt", "text": TEXT}) + "\n"
    return {"eraser_movies/docs.jsonl.gz": docs, **{f"eraser_movies/{s}.jsonl.gz": text for s, text in splits.items()}}


def test_rationales_are_characters_of_the_text(small_data: SmallData) -> None:
    splits = EraserMovies().read(small_data(files()), 0).splits
    (row,) = splits["train"]
    assert (row.id, row.input, row.target) == ("train:a.txt", TEXT.replace("\n", " "), "negative")
    assert [row.input[slice(*span)] for span in row.rationale] == ["dull film", "nobody laughed"]
    (row,) = splits["valid"]
    assert (row.target, row.rationale) == ("positive", ())
    assert isinstance(EraserMovies(), Source)


def test_tokens_of_a_rationale_are_those_of_the_file(small_data: SmallData) -> None:
    (row,) = EraserMovies().read(small_data(files()), 0).splits["train"]
    words = Tokenizer.train([str(row.input)], TokenizerOptions(kind="whitespace"))
    assert token_rationale(row, words) == tuple(place in (1, 2, 4, 5) for place in range(10))


@pytest.mark.parametrize("place", [0, 4])
def test_an_empty_evidence_is_none(small_data: SmallData, place: int) -> None:
    train = review("NEG", evidence(1, 3), evidence(place, place))
    (row,) = EraserMovies().read(small_data(files(train)), 0).splits["train"]
    assert [row.input[slice(*span)] for span in row.rationale] == ["dull film"]


@pytest.mark.parametrize(
    ("kept", "text", "spans"),
    [
        (2, "a dull", ["dull"]),
        (5, "a dull film . nobody", ["dull film", "nobody"]),
        (1, "a", []),
    ],
)
def test_what_is_cut_off_takes_its_rationales_along(small_data: SmallData, kept: int, text: str, spans: list) -> None:
    (row,) = EraserMovies(max_tokens=kept).read(small_data(files()), 0).splits["train"]
    assert row.input == text
    assert [text[slice(*span)] for span in row.rationale] == spans


@pytest.mark.parametrize(
    "line",
    [
        "no json\n",
        review("NEUTRAL"),
        review("NEG", evidence(1, 99)),
        review("NEG", name="b.txt"),
        review("NEG", {"docid": "a.txt"}),
        "[1]\n",
    ],
)
def test_a_damaged_line_is_named(small_data: SmallData, line: str) -> None:
    with pytest.raises(DataError, match=r"train\.jsonl\.gz:2:1: .*evidences"):
        EraserMovies().read(small_data(files(review("NEG") + line)), 0)


def test_a_missing_file_says_where_it_belongs(small_data: SmallData) -> None:
    given = {name: text for name, text in files().items() if "val" not in name}
    with pytest.raises(DataError, match=r"(?s)missing .*eraser_movies/val\.jsonl .*eraserbenchmark"):
        EraserMovies().read(small_data(given), 0)


@pytest.mark.slow
@pytest.mark.real_data
def test_the_real_reviews_hold_the_rationales_that_the_files_quote(real_data: Callable[[str], Path]) -> None:
    folder = real_data("eraser_movies")
    splits = EraserMovies().read(folder, 0).splits
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 1600, "valid": 200, "test": 199}
    with gzip.open(folder / "eraser_movies" / "test.jsonl.gz", "rt", encoding="utf-8") as lines:
        quoted = [json.loads(line) for line in lines]
    for row, record in zip(splits["test"], quoted, strict=True):
        found = {str(row.input)[slice(*span)] for span in row.rationale}
        assert found == {each["text"] for group in record["evidences"] for each in group} - {""}
