"""Long texts: read in pieces, cut into windows in which each token is predicted once, never held as a whole."""

import gzip
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.base import load_codec
from attnfocus.data.codecs.windows import WindowCodec, WindowExamples
from attnfocus.data.examples import Examples
from attnfocus.data.preparation import CodecChoice, DatasetOptions, Prepared, prepare
from attnfocus.data.sources.running_text import RunningText, TinyShakespeare
from attnfocus.data.split import SplitOptions
from attnfocus.data.text_stream import PIECE_CHARACTERS, Documents, TextStream
from attnfocus.data.tokens.parts import PartEncoder, tokenizer_of
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerKind, TokenizerOptions
from attnfocus.data.window_plan import Permutation, WindowPlan
from attnfocus.errors import ConfigError, DataError
from attnfocus.special import BOS, EOS, PAD

TEXT = "To be, or not to be:\n that  is\tthe question.\r\n\n\nWhether 'tis nobler 中文也可以。\n" * 5
OPTIONS = DatasetOptions(
    task="language_modeling",
    clean=CleanOptions(strip=False, deduplicate=False, normalization="none"),
    split=SplitOptions(valid=0.1, test=0.1),
    tokenizer=TokenizerOptions(kind="character"),
)


def prepared_of(source: Any, window: int = 16, options: DatasetOptions = OPTIONS) -> Prepared:
    return prepare(source, options, Path(), 1, CodecChoice([WindowCodec], {"window": window}, is_own=True))


def file_of(folder: Path, content: str | bytes, name: str = "input.txt") -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def stream_of(text: str, documents: Documents = "whole", size: int = 7) -> TextStream:
    """A stream of a text that is read in small parts."""
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    return TextStream("train", lambda: iter(parts), documents)


def predicted(windows: Sequence[Any]) -> list[int]:
    return [token for each in windows for token in each.targets.tolist()]


def examples_of(documents: Sequence[Sequence[int]], window: int) -> WindowExamples:
    return windows_of(documents, window)


def windows_of(documents: Sequence[Sequence[int]], window: int, **context: int) -> WindowExamples:
    """Windows of documents of given tokens."""
    ids = np.array([token for each in documents for token in each], dtype=np.uint8)
    tokenizer = Tokenizer.of_chunks({chr(256 + n): 1 for n in range(300)}, TokenizerOptions(kind="character"))
    ends = np.cumsum([len(each) for each in documents])
    return WindowExamples("train", ids, ends, window, tokenizer, **context)


def test_each_token_is_predicted_once_from_those_before_it_in_its_window(tmp_path: Path) -> None:
    found = prepared_of(RunningText(train=file_of(tmp_path, TEXT)))
    whole = ""
    for split in ("train", "valid", "test"):
        examples, codec = found.splits[split], found.codec
        assert isinstance(codec, WindowCodec)
        first = examples[0].inputs[:1].tolist()
        ids = [*first, *predicted(examples)]
        for number, example in enumerate(examples):
            assert example.inputs.tolist() == ids[16 * number : 16 * number + 16][: len(example.inputs)]
            assert example.targets.tolist() == ids[16 * number + 1 :][: len(example.inputs)]
            assert example.row.input == codec.tokenizer.decode(example.inputs.tolist())
        assert all(len(each.inputs) == 16 for each in examples[:-1])
        whole += codec.tokenizer.decode(ids)
    assert whole == TEXT  # blanks, tabs and line ends as they were, in order: nothing is shuffled or dropped
    sizes = [len(each) for each in (found.splits["train"], found.splits["valid"])]
    assert sizes == [-(-(round(len(TEXT) * share) - 1) // 16) for share in (0.8, 0.1)]


@pytest.mark.parametrize("sizes", [[100], [96 + 1], [33], [5, 2, 40, 16, 17, 18, 33, 90]])
def test_borders_move_with_seed_and_epoch_and_no_token_is_predicted_twice(sizes: list[int]) -> None:
    documents = [[n % 26 + 4 for n in range(size)] for size in sizes]
    examples = examples_of(documents, 16)
    fixed = [list(each.inputs) for each in examples]
    starts = set()
    for epoch in range(40):
        drawn = [examples.drawn(number, 3, epoch) for number in range(len(examples))]
        starts.add(len(drawn[0].inputs))
        places = np.concatenate([_places(examples, number, epoch) for number in range(len(examples))])
        assert len(set(places.tolist())) == len(places)  # no token twice
        missing = sum(size - 1 for size in sizes) - len(places)
        assert 0 <= missing < 16
        assert missing == 0 or len(sizes) == 1
        again = examples.drawn(len(examples) - 1, 3, epoch)
        assert again.inputs.tolist() == drawn[-1].inputs.tolist()
        assert max(len(each.inputs) for each in drawn) <= 16
    assert len(starts) > 4 or sizes[0] < 16
    assert [list(each.inputs) for each in examples] == fixed  # evaluations see the same windows after any epoch
    assert [examples.drawn(0, 4, e).inputs.tolist() for e in range(9)] != [
        examples.drawn(0, 3, e).inputs.tolist() for e in range(9)
    ] or sizes[0] < 16


def _places(examples: WindowExamples, number: int, epoch: int) -> np.ndarray:
    """Where in all tokens those stand that a window of an epoch predicts: found by a copy that holds places."""
    places = np.arange(len(examples._ids), dtype=np.int64)
    copy = WindowExamples("train", places, examples._ends, examples._window, examples.rows._tokenizer)
    drawn, known = copy.drawn(number, 3, epoch), examples.drawn(number, 3, epoch)
    assert examples._ids[drawn.targets].tolist() == known.targets.tolist()
    return drawn.targets


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ("lines", ["one", " two ", "three\tof", "four"]),
        ("paragraphs", ["one\r\n two ", "three\tof\nfour"]),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_documents_have_a_begin_and_an_end(documents: Documents, expected: list[str], size: int) -> None:
    stream = stream_of("one\r\n two \n \n\nthree\tof\nfour\n", documents, size)
    texts = [piece.text for piece in stream.pieces()]
    assert texts == expected
    codec = WindowCodec.learn(stream, OPTIONS.tokenizer, window=4)
    examples = codec.encode_rows(stream)
    ids = np.concatenate([each.inputs for each in examples])
    assert (ids == BOS).sum() == len(texts)
    assert sum(token == EOS for token in predicted(examples)) == len(texts)
    read = [examples[number].inputs.tolist() for number in range(len(examples))]
    assert sum(BOS in each for each in read) == len(texts)
    assert all(BOS not in each[1:] for each in read)  # no window holds two documents
    assert codec.encode_input("one", "1").inputs[0] == BOS


@pytest.mark.parametrize("kind", ["character", "bpe", "unigram"])
@pytest.mark.parametrize("text", [TEXT * 3, "没有空格的中文" * 60], ids=["spaced", "unspaced"])
def test_pieces_of_a_text_have_the_tokens_of_the_whole(
    kind: TokenizerKind, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnfocus.data.text_stream.PIECE_CHARACTERS", 100)
    stream = stream_of(text, size=64)
    pieces = list(stream.pieces())
    assert len(pieces) > 2
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.begins for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert [piece.ends for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    tokenizer = tokenizer_of(stream, TokenizerOptions(kind=kind, vocab_size=60))
    encode = PartEncoder(tokenizer)
    found = np.concatenate([encode(piece.text, begins=piece.begins) for piece in pieces])
    assert tokenizer.decode(found.tolist()) == tokenizer.decode(tokenizer.encode(text))
    if "中文也" in text or kind == "character":  # a text without blanks is cut inside its one chunk
        assert found.tolist() == tokenizer.encode(text)
    assert found.dtype == np.uint8


def test_the_smallest_type_holds_the_ids_and_many_lie_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(chr(0x4E00 + n % 3000) for n in range(5000))
    stream = stream_of(text, size=512)
    codec = WindowCodec.learn(stream, replace(OPTIONS.tokenizer, vocab_size=8000), window=64)
    held = codec.encode_rows(stream)
    assert held._ids.dtype == np.uint16
    monkeypatch.setattr("attnfocus.data.codecs.windows.MAX_IN_MEMORY", 100)
    mapped = codec.encode_rows(stream)
    assert isinstance(mapped._ids.base, np.memmap)
    assert mapped._ids.tolist() == held._ids.tolist()
    assert codec.tokenizer.decode(held._ids.tolist()) == text


def test_a_long_text_is_prepared_in_less_memory_than_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attnfocus.data.codecs.windows.MAX_IN_MEMORY", 1 << 20)
    size = 24 * PIECE_CHARACTERS
    path = file_of(tmp_path, ("lorem ipsum dolor sit amet\n" * (size // 27)).encode())
    prepared_of(RunningText(train=file_of(tmp_path, TEXT, "small.txt")))  # what is made once
    tracemalloc.start()
    found = prepared_of(RunningText(train=path), window=128)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.splits["train"]) > 100_000
    assert peak < size  # 26 MB of text


def test_windows_with_a_context_predict_every_token_once() -> None:
    ids = list(range(2, 60))
    alone = examples_of([ids], 8)
    for first in (0, 12):  # in an evaluation, and in training
        found = windows_of([ids], 8, context=12, first=first)
        for shift in (0, 3):
            windows = [found._encoded(number, shift) for number in range(len(found))]
            expected = [each.targets[each.targets != PAD].tolist() for each in windows]
            assert [token for each in expected for token in each] == ids[first + 1 :][: sum(map(len, expected))]
            assert sum(map(len, expected)) > len(ids) - 1 - first - 8
            for each in windows:
                context = len(each.inputs) - each.num_targets
                assert context == 12 or (first == 0 and each.inputs[0] == ids[0])
                start = ids.index(int(each.inputs[0]))
                assert each.inputs.tolist() == ids[start : start + len(each.inputs)]
                assert each.targets.tolist() == [PAD] * context + ids[start + 1 :][context : len(each.inputs)]
                assert each.num_words == each.num_targets
        assert found.alike == 20
    assert [each.targets.tolist() for each in windows_of([ids], 8, context=0)] == [
        each.targets.tolist() for each in alone
    ]


def test_a_plan_of_windows_is_a_permutation_of_seed_and_epoch() -> None:
    for size in (1, 2, 7, 100, 1000):
        assert sorted(Permutation(size, [1, 2])(np.arange(size)).tolist()) == list(range(size))
    plan = WindowPlan(1001, 16, 10, "sentences", seed=5)
    batches = list(plan.epoch(2))
    assert len(batches) == len(plan.epoch(2)) == 101
    assert sorted(number for batch in batches for number in batch) == list(range(1001))
    assert batches == list(WindowPlan(1001, 16, 10, "sentences", seed=5).epoch(2))
    assert batches != list(plan.epoch(3))
    assert batches != list(WindowPlan(1001, 16, 10, "sentences", seed=6).epoch(2))
    assert list(plan.epoch(2)[3::7]) == batches[3::7]
    assert [number for batch in plan.fixed() for number in batch] == list(range(1001))
    assert [len(batch) for batch in WindowPlan(100, 16, 64, "tokens", seed=5).fixed()] == [4] * 25
    first = np.array([WindowPlan(5000, 16, 1, "sentences", seed).epoch(0)[0][0] for seed in range(400)])
    assert abs(first.mean() - 2500) < 5 * 5000 / np.sqrt(12 * 400)  # five standard errors of a uniform draw


def test_bits_count_the_characters_that_are_predicted(tmp_path: Path) -> None:
    for kind in ("character", "bpe"):
        options = replace(OPTIONS, tokenizer=TokenizerOptions(kind=kind, vocab_size=60))
        found = prepared_of(RunningText(train=file_of(tmp_path, TEXT)), options=options)
        codec, examples = found.codec, found.splits["train"]
        assert isinstance(codec, WindowCodec)
        texts = [codec.predicted_text(e.row, e.inputs.tolist(), e.targets.tolist()) for e in examples]
        first = codec.tokenizer.decode(examples[0].inputs[:1].tolist())
        train = codec.tokenizer.decode([*examples[0].inputs[:1].tolist(), *predicted(examples)])
        assert first + "".join(texts) == train


def test_valid_and_test_are_the_last_parts_or_files_of_their_own(tmp_path: Path) -> None:
    given = file_of(tmp_path, "some other text to test on\n", "other.txt")
    packed = file_of(tmp_path, gzip.compress(TEXT.encode()), "input.txt.gz")
    found = prepared_of(RunningText(train=packed, test=given))
    assert found.splits["test"].rows[0].input == "so⁇e other te⁇t "
    assert any("tokens in 2 windows, 2 of them unknown" in line for line in found.report)  # m and x
    by_number = replace(OPTIONS, split=SplitOptions(valid=50, test=0))
    found = prepared_of(RunningText(train=[packed, given]), options=by_number)
    assert list(found.splits) == ["train", "valid"]
    assert found.fingerprints["valid"] == stream_of((TEXT + "some other text to test on\n")[-50:]).fingerprint
    lines = RunningText(train=file_of(tmp_path, "a line of text\n" * 40), documents="lines")
    found = prepared_of(lines, options=replace(OPTIONS, split=SplitOptions(valid=50, test=0.2)))
    assert found.splits["test"].rows[0].input == "a line of text"  # no line is cut
    assert {row.input for examples in found.splits.values() for row in examples.rows} == {"a line of text"}
    assert sum(map(len, found.splits.values())) == 40


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"input\.txt: is empty"):
        prepared_of(RunningText(train=file_of(tmp_path, "")))
    with pytest.raises(DataError, match=r"dataset\.train: has 24 tokens, .* dataset\.codec\.window=5"):
        prepared_of(RunningText(train=file_of(tmp_path, "thirty characters of a text...")), window=128)
    with pytest.raises(DataError, match=r"input\.txt:2:3: byte 0xe9 is not utf-8"):
        prepared_of(RunningText(train=file_of(tmp_path, b"a\nca\xe9")))
    with pytest.raises(DataError, match="is not a text file"):
        prepared_of(RunningText(train=file_of(tmp_path, bytes(range(256)) * 9)))
    with pytest.raises(
        DataError, match=r"dataset\.split\.valid=0\.6 and dataset\.split\.test=0\.4: train has .*leaves none"
    ):
        prepared_of(
            RunningText(train=file_of(tmp_path, TEXT)),
            options=replace(OPTIONS, split=SplitOptions(valid=0.6, test=0.4)),
        )
    with pytest.raises(ConfigError, match=r"dataset\.train is not given"):
        RunningText()
    with pytest.raises(ConfigError, match=r"dataset\.encoding=klingon"):
        RunningText(train="x", encoding="klingon")
    others = OPTIONS.split, OPTIONS.tokenizer
    problems = WindowCodec.option_problems(CleanOptions(strip=True, deduplicate=True), *others)
    assert [str(each).partition(":")[0] for each in problems] == ["dataset.clean.strip", "dataset.clean.deduplicate"]
    assert WindowCodec.option_problems(OPTIONS.clean, *others) == []


def test_a_codec_of_windows_is_saved_and_reads_the_last_window_of_a_prefix(tmp_path: Path) -> None:
    found = prepared_of(RunningText(train=file_of(tmp_path, TEXT)))
    assert isinstance(found.codec, WindowCodec)
    found.codec.save(tmp_path)
    codec = load_codec(tmp_path, [WindowCodec])
    assert isinstance(codec, WindowCodec)
    assert (codec.window, codec.documents, codec.has_end, codec.reach) == (16, "whole", False, 16)
    example = codec.encode_input("  be, or not to be: that", "1", OPTIONS.clean)
    assert codec.tokenizer.decode(example.inputs.tolist()) == "not to be: that"[-16:].rjust(16)
    assert codec.encode_input("", "1").inputs.tolist() == []
    again = prepare(RunningText(train=str(tmp_path / "input.txt")), OPTIONS, Path(), 1, codec, wanted=["test"])
    assert list(again.splits) == ["test"]
    assert again.fingerprints == found.fingerprints
    (tmp_path / "codec.json").write_text('{"format_version": 1, "kind": "windows", "window": 0, "documents": "whole"}')
    with pytest.raises(Exception, match="damaged: window 0"):
        load_codec(tmp_path, [WindowCodec])


def test_lower_case_and_unicode_forms_are_made_piece_by_piece(tmp_path: Path) -> None:
    options = replace(OPTIONS, clean=replace(OPTIONS.clean, lowercase=True, normalization="NFC"))
    found = prepared_of(RunningText(train=file_of(tmp_path, "  Cafe\u0301 AU lait\n" * 20)), options=options)
    assert found.splits["train"].rows[0].input.startswith("  café au lait\n")


def test_tiny_shakespeare_is_split_as_nanogpt_splits_it(real_data: Callable[[str], Path]) -> None:
    splits = TinyShakespeare().read(real_data("tinyshakespeare"), 1).splits
    sizes = {split: rows.num_characters for split, rows in splits.items() if isinstance(rows, TextStream)}
    assert sizes == {"train": 1_003_854, "valid": 111_540, "test": 111_540}
    assert splits["valid"][0].input.startswith("?\n\nGREMIO:\nGood morrow, neighbour Baptista.")


def test_examples_hold_windows_not_pieces(tmp_path: Path) -> None:
    stream = stream_of(TEXT)
    examples = Examples(stream, WindowCodec.learn(stream, OPTIONS.tokenizer, window=8))
    assert len(examples) == len(examples.rows) == -(-(len(TEXT) - 1) // 8)
    assert examples.alike == 8
    assert examples.lengths.shape == (len(examples), 2)
    assert examples.rows[3].id == "train:4"
    assert examples.drawn(1, 1, 0).num_targets == len(examples.drawn(1, 1, 0).targets)
