import gc
import json
import pickle

import numpy as np
import pytest

from attnfocus.data.batches import example_lengths
from attnfocus.data.codecs.base import CODEC_FILE, load_codec
from attnfocus.data.codecs.label import NO_LABEL
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.codecs.vector_label import VectorLabelCodec
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.data.tokens.words import count_words
from attnfocus.errors import CheckpointError, DataError
from attnfocus.special import BOS, EOS

CODECS = (TextPairCodec, TextLabelCodec, VectorLabelCodec)
ROWS = [Row("a", "the cat", "die Katze"), Row("b", "a dog", "ein Hund"), Row("c", "", "")]


def tokenizer(texts, kind="character"):
    return Tokenizer.train(texts, TokenizerOptions(kind=kind, vocab_size=100))


@pytest.fixture
def pairs():
    return TextPairCodec(tokenizer([row.input for row in ROWS]), tokenizer([row.target for row in ROWS], "word"))


@pytest.fixture
def labels():
    return TextLabelCodec(tokenizer(["good bad"], "word"), ["negative", "positive"])


@pytest.fixture
def vectors():
    return VectorLabelCodec(2, ["x", "y"])


def test_text_pair_goes_to_numbers_and_back(pairs):
    encoded = pairs.encode(ROWS[0])
    assert encoded.id == "a"
    assert encoded.row is ROWS[0]
    assert encoded.inputs.dtype == encoded.targets.dtype == np.int64
    assert (encoded.targets[0], encoded.targets[-1]) == (BOS, EOS)
    assert not {BOS, EOS} & set(encoded.inputs.tolist())
    assert encoded.num_words == 4
    assert pairs.decode_target(encoded.targets) == "die Katze"
    assert pairs.source_tokens(encoded.inputs) == list("the▁cat")
    assert pairs.input_tokens(encoded.inputs) == list("the▁cat")
    assert pairs.target_tokens(encoded.targets) == ["<bos>", "die", "Katze", "<eos>"]
    assert pairs.dims() == {
        "source_vocab_size": pairs.source_tokenizer.vocab_size,
        "target_vocab_size": pairs.target_tokenizer.vocab_size,
    }


def test_many_rows_equal_one_by_one(pairs):
    for many, row in zip(pairs.encode_rows(ROWS), ROWS, strict=True):
        one = pairs.encode(row)
        assert many.inputs.tolist() == one.inputs.tolist()
        assert many.targets.tolist() == one.targets.tolist()
    assert list(pairs.encode_rows([])) == []


@pytest.mark.parametrize("name", ["pairs", "labels"])
def test_many_encoded_rows_are_three_arrays(name, request):
    """No object for each row: a process that is forked off shares them, as nothing counts references in them."""
    codec = request.getfixturevalue(name)
    rows = [ROWS[0], ROWS[1]] if name == "pairs" else [Row("a", "good film", "positive"), Row("b", "bad", "negative")]
    encoded = codec.encode_rows(rows * 50)
    assert encoded.lengths.tolist() == example_lengths(list(encoded)).tolist()
    assert [one.inputs.tolist() for one in encoded[1:-1:7]] == [encoded[n].inputs.tolist() for n in range(1, 99, 7)]
    assert encoded[-1].inputs.tolist() == encoded[1].inputs.tolist()
    assert encoded[99].row is rows[1]
    with pytest.raises(IndexError):
        encoded[100]
    counted = gc.get_objects()
    again = codec.encode_rows(rows * 5000)
    assert len(gc.get_objects()) - len(counted) < 1000
    assert len(again) == 10_000


def test_ids_beyond_16_bits_are_kept():
    words = [f"w{number}" for number in range(70_000)]
    tokenizer = Tokenizer.train(words, TokenizerOptions(kind="whitespace", vocab_size=100_000))
    assert tokenizer.decode(tokenizer.encode_batch(["w1 w69999 w40000"])[0]) == "w1 w69999 w40000"


def test_words_are_counted_alike_with_and_without_chinese_beside_them():
    for text in ("a b", " a\tb \u00a0c\x1cd ", "élan\u2003vital", "", "\u3000"):
        assert count_words(text + " 我") == count_words(text) + 1, text


def test_empty_text_has_no_positions(pairs):
    encoded = pairs.encode(ROWS[2])
    assert encoded.inputs.shape == (0,)
    assert encoded.targets.tolist() == [BOS, EOS]


def test_text_to_predict_needs_no_target(pairs, labels, vectors):
    encoded = pairs.encode_input("the \ud800 cat", "p")
    assert encoded.id == "p"
    assert encoded.targets.tolist() == [BOS, EOS]
    assert labels.encode_input("good", "p").targets == NO_LABEL
    assert vectors.encode_input("[[1, 2.5]]", "p").inputs.tolist() == [[1, 2.5]]


def test_labels_become_classes_in_their_order(labels):
    encoded = labels.encode(Row("a", "good good", "positive"))
    assert encoded.targets == 1
    assert encoded.num_words == 2
    assert labels.input_tokens(encoded.inputs) == ["good", "good"]
    assert labels.dims() == {"vocab_size": 8, "input_dim": None, "num_classes": 2}


def test_unknown_label_names_row_nearest_and_allowed(labels, vectors):
    with pytest.raises(DataError, match=r"row r7: unknown label 'positiv'. Did you mean 'positive'\?\n.*negative, pos"):
        labels.encode(Row("r7", "good", "positiv"))
    with pytest.raises(DataError, match="unknown label"):
        vectors.encode(Row("r7", np.array([[1.0, 2.0]]), "z"))


def test_vectors_keep_their_values_and_shape(vectors):
    encoded = vectors.encode(Row("v", np.array([[1.0, 0.5], [0.0, -1.0], [2.0, 3.0]]), "y"))
    assert encoded.inputs.tolist() == [[1, 0.5], [0, -1], [2, 3]]
    assert encoded.inputs.dtype == np.float32
    assert encoded.targets == 1
    assert encoded.num_words == 3
    assert vectors.encode(Row("v", np.zeros((0, 2)), "y")).inputs.shape == (0, 2)
    assert vectors.dims() == {"vocab_size": None, "input_dim": 2, "num_classes": 2}
    assert vectors.input_tokens(encoded.inputs) == ["0", "1", "2"]


@pytest.mark.parametrize(
    "text",
    ["", "a", "[", "1", "[1, 2]", "[[1]]", "[[1, 2, 3]]", "[[1, null]]", "[[1, NaN]]", "[[1, 1e99]]", '{"a": 1}'],
)
def test_bad_vectors_are_data_errors(vectors, text):
    with pytest.raises(DataError, match="line 3"):
        vectors.encode_input(text, "line 3")


def test_input_of_the_wrong_kind_is_a_data_error(pairs, vectors):
    with pytest.raises(DataError, match="row q: a sequence of vectors"):
        pairs.encode(Row("q", np.ones((1, 1)), "a"))
    with pytest.raises(DataError, match="vectors of 2 numbers"):
        vectors.encode(Row("q", "text", "x"))


def test_loaded_codec_equals_the_saved_one(tmp_path, pairs, labels, vectors):
    cases = [
        (pairs, ROWS[0]),
        (labels, Row("a", "bad", "negative")),
        (vectors, Row("a", np.array([[1.0, 2.0]]), "y")),
    ]
    for codec, row in cases:
        directory = tmp_path / codec.kind
        directory.mkdir()
        codec.save(directory)
        loaded = load_codec(directory, CODECS)
        assert type(loaded) is type(codec)
        assert loaded.dims() == codec.dims()
        one, other = codec.encode(row), loaded.encode(row)
        assert np.array_equal(one.inputs, other.inputs)
        assert np.array_equal(one.targets, other.targets)


def test_shared_vocabulary_stays_shared(tmp_path):
    both = tokenizer(["the cat die Katze"])
    TextPairCodec(both, both).save(tmp_path)
    loaded = load_codec(tmp_path, CODECS)
    assert loaded.is_shared
    assert not (tmp_path / "target_tokenizer.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "posix.system"},
        {"kind": ["text_pair"]},
        {"labels": "ab"},
        {"labels": []},
        {"labels": ["a", "a"]},
        {"labels": [1]},
        {"format_version": 99},
        {"format_version": None},
        {"input_dim": 0},
        {"input_dim": "2"},
        {"input_dim": True},
    ],
)
def test_damaged_codec_is_a_checkpoint_error(tmp_path, vectors, change):
    vectors.save(tmp_path)
    path = tmp_path / CODEC_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=r"codec\.json"):
        load_codec(tmp_path, CODECS)


def test_missing_or_hostile_codec_is_a_checkpoint_error(tmp_path, labels):
    with pytest.raises(CheckpointError, match=r"codec\.json"):
        load_codec(tmp_path, CODECS)
    labels.save(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_codec(tmp_path, CODECS)
    (tmp_path / CODEC_FILE).write_bytes(pickle.dumps(print))
    with pytest.raises(CheckpointError, match=r"codec\.json"):
        load_codec(tmp_path, CODECS)


def test_repeated_labels_are_refused():
    with pytest.raises(ValueError, match="different"):
        VectorLabelCodec(2, ["a", "a"])
