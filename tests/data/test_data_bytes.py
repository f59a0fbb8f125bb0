"""Bytes of UTF-8 as tokens: any text, nothing learned, and characters that are cut."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.codecs.windows import WindowCodec
from attnfocus.data.gold import token_links, token_rationale
from attnfocus.data.preparation import CodecChoice, DatasetOptions, prepare
from attnfocus.data.rows import Row
from attnfocus.data.sources.running_text import RunningText
from attnfocus.data.split import SplitOptions
from attnfocus.data.tokens.tokenizer import UNKNOWN_TEXT, Tokenizer, TokenizerOptions
from attnfocus.errors import CheckpointError
from attnfocus.special import BOS, EOS, PAD, UNK

OPTIONS = TokenizerOptions(kind="bytes")
BYTES = Tokenizer.train([], OPTIONS)
CUT = "\N{REPLACEMENT CHARACTER}"
TEXT = "你好，世界。 Ça va ?\n🙂 ok\n" * 30


@given(text=st.text())
def test_every_text_comes_back_and_its_ids_are_its_bytes(text: str) -> None:
    ids = BYTES.encode(text)
    assert ids == [byte + 4 for byte in text.encode()]
    assert BYTES.decode(ids) == text
    assert BYTES.encode_batch([text, text]) == [ids, ids]
    covered = [text[start:end] for start, end in BYTES.character_spans(text)]
    assert covered == [character for character in text for _ in character.encode()]


@given(ids=st.lists(st.integers(0, 259)))
def test_any_ids_make_a_text_and_those_of_a_text_stay(ids: list[int]) -> None:
    assert isinstance(BYTES.decode(ids), str)
    assert BYTES.decode([*BYTES.encode("né"), *ids]).startswith("né")


def test_a_character_that_is_cut_is_shown_as_such_and_special_tokens_give_nothing() -> None:
    ids = BYTES.encode("a你b")
    assert BYTES.decode(ids[:-2]) == f"a{CUT}"
    assert BYTES.decode([BOS, *ids[2:], EOS, PAD]) == f"{CUT}{CUT}b"
    assert BYTES.decode([*ids, UNK]) == f"a你b{UNKNOWN_TEXT}"
    assert BYTES.tokens([*BYTES.encode("a ~é\n"), EOS]) == ["a", "▁", "~", "<C3>", "<A9>", "<0A>", "<eos>"]
    assert BYTES.decode(BYTES.encode("a\ud800")) == f"a{CUT}"  # half a surrogate pair is no character


def test_nothing_is_learned_and_a_file_that_says_otherwise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    few = Tokenizer.train(iter(()), TokenizerOptions(kind="bytes", vocab_size=5, min_frequency=9, lowercase=True))
    assert len(few) == 260
    few.save(path)
    again = Tokenizer.load(path)
    assert again.encode("Ein FLUẞ") == few.encode("Ein FLUẞ") == BYTES.encode("Ein FLUẞ".lower())
    content = json.loads(path.read_text(encoding="utf-8"))
    for wrong in (content["tokens"][:-1], [*content["tokens"], "word"], [*content["tokens"][:-1], "word"]):
        path.write_text(json.dumps({**content, "tokens": wrong}), encoding="utf-8")
        with pytest.raises(CheckpointError, match="not the 256 bytes"):
            Tokenizer.load(path)


def test_what_is_known_in_characters_goes_to_all_their_bytes() -> None:
    row = Row("r", "é ü", "ü", alignment=((0, 2),), rationale=((2, 3),))
    links = token_links(row, BYTES, BYTES)
    assert links is not None
    assert links.possible == {(0, 3), (0, 4), (1, 3), (1, 4)}
    assert token_rationale(row, BYTES) == (False, False, False, True, True)
    asked = Row("a", "é=你 é=你", "你", alignment=((0, 2),), answers=((6, 7),))
    codec = SequenceCodec.learn([asked], OPTIONS)
    (encoded,) = codec.encode_rows([asked])
    assert encoded.targets.tolist() == [PAD] * 10 + [*BYTES.encode("你"), PAD]
    found = codec.links(asked)
    assert found is not None
    assert found.sure == {(query, key) for query in (10, 11, 12) for key in (4, 5, 6)}


@pytest.mark.parametrize("documents", ["whole", "lines"])
def test_windows_of_bytes_count_each_character_once(documents: str, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text(TEXT, encoding="utf-8")
    options = DatasetOptions(
        task="language_modeling",
        clean=CleanOptions(strip=False, deduplicate=False, normalization="none"),
        split=SplitOptions(valid=0, test=0),
        tokenizer=OPTIONS,
    )
    choice = CodecChoice([WindowCodec], {"window": 7}, is_own=True)
    source = RunningText(train=str(tmp_path / "input.txt"), documents=documents)
    found = prepare(source, options, Path(), 1, choice)
    codec, examples = found.codec, found.splits["train"]
    assert isinstance(codec, WindowCodec)
    assert not any("unknown" in line for line in found.report)
    kept = TEXT if documents == "whole" else TEXT.replace("\n", "")
    sizes = [codec.predicted_size(each.row, each.inputs.tolist(), each.targets.tolist()) for each in examples]
    read_only = 1 if documents == "whole" else 0  # the first byte, of three
    assert sum(size for _, size in sizes) == len(kept.encode()) - read_only
    assert sum(characters for characters, _ in sizes) == len(kept) - read_only
    assert any(CUT in row.input for row in examples.rows)
    targets = np.concatenate([each.targets for each in examples])
    assert BYTES.decode([*examples[0].inputs[:1].tolist(), *targets.tolist()]) == kept


def test_what_follows_on_a_cut_character_is_what_is_written() -> None:
    codec = SequenceCodec.learn([Row("1", "a", "")], OPTIONS)
    ids = BYTES.encode("a你b")
    assert codec.continued([BOS, *ids[:2]], ids[2:]) == f"{CUT}{CUT}b"
    assert codec.continued([BOS, *ids[:1]], ids[1:]) == "你b"


def test_equal_texts_are_equal_letter_by_letter() -> None:
    rows = [Row("1", "a  b", ""), Row("2", "a b", "")]
    same = SequenceCodec.input_keys(rows, OPTIONS)
    lowered = SequenceCodec.input_keys(rows, replace(OPTIONS, lowercase=True))
    assert same(rows[0]) != same(rows[1])
    assert lowered(rows[0]) != lowered(rows[1])
