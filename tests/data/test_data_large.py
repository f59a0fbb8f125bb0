"""What many rows need: signs of life, and no object for each of them."""

import gzip
import itertools
import random
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.preparation import CodecChoice, DatasetOptions, prepare
from attnfocus.data.row_words import row_words
from attnfocus.data.rows import RawData, Row
from attnfocus.data.sources.files import LabelledText, ParallelText
from attnfocus.data.split import SplitOptions
from attnfocus.data.text_blocks import BLOCK
from attnfocus.data.text_rows import TextRows, changed, first_equals, packed, taken, targets_of
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import DataError
from attnfocus.stages import Stage, watching

MANY = 2500


class Watch:
    """The stages that there were, and how far each had come at its steps."""

    def __init__(self) -> None:
        self.fractions: dict[str, list[float | None]] = {}

    def stage_began(self, stage: Stage) -> None:
        self.fractions.setdefault(stage.name, [])

    def stage_moved(self, stage: Stage) -> None:
        self.fractions[stage.name].append(stage.fraction)

    def stage_ended(self, stage: Stage) -> None: ...


def written(folder: Path, name: str = "train.tsv") -> str:
    lines = "".join(f"one {n} zwölf\tun {n % 7} deux\n" for n in range(MANY)).encode()
    (folder / name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    return str(folder / name)


ODD = (
    "",
    "a b",
    "two  blanks   in a row",
    "中文没有空格 和 词",
    "日本語のテキスト",
    "😀 👩‍👩‍👧 é e\u0301 \u0301 mark",
    "nbsp\u00a0between \u3000wide\u2028line",
    " at the ends ",
    "\x1ccontrol \x1c",
    "half \ud800 pair",
    "a_word_that_has_more_than_thirty_two_bytes Ünïcödé_of_more_than_sixteen " * 2,
    "It's 'quoted' \\ 3.14, R&D -- \x00 nul",
    "İSTANBUL ΣΑΣ ΑΣ",
    "\u1680 ogham",
)


def odd_rows(number: int) -> list[tuple[str, str, str]]:
    draw = random.Random(0)
    return [
        (f"train:{n}", " ".join(draw.choices(ODD, k=draw.randint(0, 3))), draw.choice(ODD) + draw.choice(["", " x"]))
        for n in range(number)
    ]


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("codec_class", [TextPairCodec, TextLabelCodec])
def test_numbered_words_give_the_tokens_and_ids_of_whole_texts(
    kind: Any, lowercase: bool, codec_class: type[TextPairCodec | TextLabelCodec]
) -> None:
    """Of odd texts, also where some rows of a block are left out."""
    texts = TextRows.of(row for row in odd_rows(1300) if row[1].strip())
    some = taken(texts, (n % 7 != 3 for n in range(len(texts))))
    options = TokenizerOptions(kind=kind, vocab_size=300, lowercase=lowercase)
    for rows in (texts, some):
        ours, expected = (codec_class.learn(each, options) for each in (rows, list(rows)))
        for side, tokenizer in ours.tokenizers().items():
            assert tokenizer.vocabulary == expected.tokenizers()[side].vocabulary
        if isinstance(ours, TextPairCodec):
            assert isinstance(expected, TextPairCodec)
            assert ours.target_writing == expected.target_writing
        for left, right in zip(ours.encode_rows(rows), expected.encode_rows(list(rows)), strict=True):
            assert left.row == right.row
            assert left.inputs.tolist() == right.inputs.tolist()
            assert np.asarray(left.targets).tolist() == np.asarray(right.targets).tolist()
            assert left.num_words == right.num_words


def test_texts_without_words_are_encoded_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many different ones to number them."""
    rows, options = TextRows.of(row for row in odd_rows(1300) if row[1].strip()), TokenizerOptions(vocab_size=300)
    by_numbers = TextPairCodec.learn(rows, options)
    expected = [each.inputs.tolist() for each in by_numbers.encode_rows(rows)]
    monkeypatch.setattr("attnfocus.data.word_numbers.MAX_BYTES", 1000)
    assert row_words(rows, (1, 2)) is None
    by_texts = TextPairCodec.learn(rows, options)
    assert by_texts.source_tokenizer.vocabulary == by_numbers.source_tokenizer.vocabulary
    assert [each.inputs.tolist() for each in by_texts.encode_rows(rows)] == expected


def prepared(path: str, **options):
    return prepare(ParallelText(train=path), DatasetOptions(**options), Path("."), 0, CodecChoice([TextPairCodec]))


@pytest.mark.parametrize("name", ["train.tsv", "train.tsv.gz"])
def test_every_part_of_preparing_data_is_a_stage(name: str, tmp_path: Path) -> None:
    watch = Watch()
    with watching(watch):
        prepared(written(tmp_path, name))
    assert list(watch.fractions) == [
        f"reading {name}",
        "cleaning",
        "splitting",
        "learning from train",
        "counting words",
        "learning byte pairs",
        "encoding",
        "fingerprints",
    ]
    for moving in (f"reading {name}", "cleaning", "learning byte pairs", "encoding", "fingerprints"):
        steps = watch.fractions[moving]
        assert (steps[0] or 0) > 0, moving
    reading = watch.fractions[f"reading {name}"]
    assert all(0 < step <= 1 for step in reading if step is not None)
    assert all(before <= after for before, after in itertools.pairwise(reading) if before and after)
    assert watch.fractions["encoding"][-1] == 1
    assert all(
        step is not None and step <= 1 for name in ("cleaning", "fingerprints") for step in watch.fractions[name]
    )


@pytest.mark.parametrize("name", ["train.csv", "train.tsv"])
def test_reading_moves_on_behind_a_quote(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rows of a csv are read one by one."""
    monkeypatch.setattr("attnfocus.data.reading.table_parts.PART_BYTES", 5000)
    lines = [f"one {n} zwölf\tun {n % 7} deux\n" for n in range(5000)]
    lines[3] = '"one, two"\tun\n'
    separator = "," if name.endswith(".csv") else "\t"
    path, watch = tmp_path / name, Watch()
    path.write_text("".join(lines).replace("\t", separator), encoding="utf-8")
    with watching(watch):
        rows = ParallelText(train=str(path)).read(tmp_path, 0).splits["train"]
    assert len(rows) == len(lines)
    steps = watch.fractions[f"reading {name}"]
    assert all(
        before is not None and after is not None and before < after for before, after in itertools.pairwise(steps)
    )
    assert steps[-1] == 1
    assert len(steps) >= 5


ROWS = [Row(f"train:{n}", f"text {n} é" if n % 5 else f"a {n}", f"ziel\ud800 {n % 700}") for n in range(MANY)]


def packed_rows() -> TextRows:
    return TextRows.of((row.id, str(row.input), row.target) for row in ROWS)


@pytest.mark.parametrize("step", [1, 2, 50, MANY])
def test_rows_of_texts_are_those_that_were_put_in(step: int) -> None:
    """Also where some are taken, many or few of each block."""
    is_taken = [not n % step for n in range(MANY)]
    few = taken(packed_rows(), is_taken)
    expected = list(compress(ROWS, is_taken))
    assert isinstance(few, TextRows)
    assert len(few) == len(expected)
    assert few == expected
    assert few[-1] == expected[-1] and few[len(few) // 2] == expected[len(few) // 2]  # noqa: PT018
    assert few[1:3] == expected[1:3]
    assert list(few.texts(1)) == [row.input for row in expected]
    assert list(targets_of(few)) == [row.target for row in expected]
    assert taken(few, [n < 2 for n in range(len(few))]) == expected[:2]
    with pytest.raises(IndexError):
        few[len(few)]
    assert few != expected[:-1]


def test_changed_rows_of_texts_stay_texts_and_others_become_a_list() -> None:
    rows = packed_rows()
    same = changed(rows, lambda row: row)
    upper = changed(rows, lambda row: replace(row, input=str(row.input).upper()) if row.id == "train:1500" else row)
    arrays = changed(rows, lambda row: replace(row, input=np.ones(2)) if row.id == "train:1500" else row)
    assert (type(same), type(upper), type(arrays)) == (TextRows, TextRows, list)
    assert same == ROWS
    assert [row.input for row in upper] == [r.input if n != 1500 else r.input.upper() for n, r in enumerate(ROWS)]
    assert [row.id for row in arrays] == [row.id for row in ROWS]
    assert packed(ROWS) == ROWS
    for known in ({"alignment": ((0, 0),)}, {"rationale": ((0, 1),)}, {"answers": ((0, 1),)}):
        more = [*ROWS, replace(ROWS[0], **known)]
        assert packed(more) == more
        assert type(packed(more)) is list


def test_equal_keys_are_seen_also_where_hashes_of_others_are_equal() -> None:
    keys = [-1, -2, 3, -2, -1, 3, 3, 4]  # hash(-1) == hash(-2)
    rows = [Row(str(key), "a", "b") for key in keys]
    assert first_equals(rows, lambda row: int(row.id)).tolist() == [0, 1, 2, 1, 0, 2, 2, 7]
    assert first_equals([], lambda row: row.id).tolist() == []


@pytest.mark.parametrize(
    "options",
    [
        {"tokenizer": TokenizerOptions(vocab_size=200)},
        {"clean": CleanOptions(lowercase=True, max_words=4, max_train_rows=900), "split": SplitOptions(valid=70)},
        {"split": SplitOptions(folds=3), "tokenizer": TokenizerOptions(kind="word", shared=True)},
        {"clean": CleanOptions(deduplicate=False, equality="input"), "tokenizer": TokenizerOptions(kind="character")},
    ],
)
def test_a_set_of_texts_is_prepared_as_one_of_rows(options: dict[str, Any], tmp_path: Path) -> None:
    source = ParallelText(train=written(tmp_path))
    raw = source.read(tmp_path, 0)
    assert isinstance(raw.splits["train"], TextRows)
    one_by_one = RawData({split: list(rows) for split, rows in raw.splits.items()}, raw.notes)
    results = []
    for supplied in (raw, one_by_one):
        made = Supplied(supplied)
        results.append(prepare(made, DatasetOptions(**options), tmp_path, 1, CodecChoice([TextPairCodec])))
    ours, expected = results
    assert ours.report == expected.report
    assert ours.fingerprints == expected.fingerprints
    assert ours.named_fingerprints == expected.named_fingerprints
    assert list(ours.splits) == list(expected.splits)
    for split, examples in ours.splits.items():
        reference = expected.splits[split]
        assert isinstance(examples.rows, TextRows)
        assert examples.rows == reference.rows
        assert [each.inputs.tolist() for each in examples] == [each.inputs.tolist() for each in reference]
        assert [each.targets.tolist() for each in examples] == [each.targets.tolist() for each in reference]  # type: ignore[union-attr]
        assert [each.num_words for each in examples] == [each.num_words for each in reference]


class Supplied:
    task = "translation"

    def __init__(self, raw: RawData) -> None:
        self._raw = raw

    def read(self, data_dir: Path, seed: int) -> RawData:
        return self._raw


def test_texts_that_are_too_large_for_a_block_lie_in_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attnfocus.data.text_blocks.MAX_BYTES", 100)
    expected = [Row(f"train:{n}", f"text {n} " * (n % 4 + 1), f"{n % 7} é") for n in range(2 * BLOCK + 5)]
    rows = TextRows.of((row.id, str(row.input), row.target) for row in expected)
    assert rows == packed(expected) == expected
    assert max(len(block.content) for block, _ in rows.by_block()) <= 100
    longer = changed(rows, lambda row: replace(row, input=f"{row.input}{row.input}"))
    assert isinstance(longer, TextRows)
    assert [row.input for row in longer] == [f"{row.input}{row.input}" for row in expected]
    (tmp_path / "train.csv").write_text("".join(f'"text, {n}",{n % 3}\n' for n in range(50)))
    read = LabelledText(train=str(tmp_path / "train.csv")).read(tmp_path, 0).splits["train"]
    assert [row.input for row in read] == [f"text, {n}" for n in range(50)]


def test_a_row_that_is_too_large_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attnfocus.data.text_blocks.MAX_BYTES", 100)
    rows = [("train:1", "a", "b"), ("train:2", "x" * 100, "c"), ("train:3", "a", "b")]
    with pytest.raises(DataError, match=r"row train:2: its texts have 108 bytes; a row may have 100 at most"):
        TextRows.of(rows)


def test_an_unknown_label_of_many_rows_is_named() -> None:
    codec = TextLabelCodec.learn(ROWS, TokenizerOptions(vocab_size=300))
    rows = TextRows.of((row.id, str(row.input), "new" if row.id == "train:2100" else row.target) for row in ROWS)
    with pytest.raises(DataError, match=r"row train:2100: unknown label 'new'"):
        codec.encode_rows(rows)
