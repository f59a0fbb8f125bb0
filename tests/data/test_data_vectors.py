"""Pretrained vectors: what is read from files as they are published, and what is refused."""

import gzip
import tracemalloc

import numpy as np
import pytest

from attnfocus.data import Tokenizer, TokenizerOptions, find_vectors, read_vectors, vector_size
from attnfocus.errors import DataError

TEXTS = ["the cat sat on the mat", "The cat is on a Mat", "dogs, cats"]


def tokenizer(kind="word", **options):
    return Tokenizer.train(TEXTS, TokenizerOptions(kind=kind, **options))


def found(path, tokens):
    """Token -> its vector."""
    vectors = read_vectors(path, tokens)
    names = [tokens.vocabulary[number] for number in vectors.ids]
    return dict(zip(names, vectors.values.tolist(), strict=True))


@pytest.fixture
def file(tmp_path):
    def write(text, name="v.txt"):
        path = tmp_path / name
        content = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


@pytest.mark.parametrize("header", ["", "3 2\n"])  # as GloVe, as fastText
@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
@pytest.mark.parametrize("name", ["v.txt", "v.vec", "v.vec.gz"])
def test_words_of_the_vocabulary_get_their_vectors(file, header, end, name):
    lines = ["cat 0.5 -1.25", "zebra 9 9", "mat 1e-2 3"]
    path = file(header + end.join(lines) + end, name)
    assert vector_size(path) == 2
    assert found(path, tokenizer()) == {
        "cat": [0.5, -1.25],
        "mat": pytest.approx([0.01, 3.0]),
        "Mat": pytest.approx([0.01, 3.0]),
    }


def test_a_cased_token_takes_its_own_vector_before_that_of_its_lower_case_form(file):
    assert found(file("the 1\nThe 2\nmat 3\n"), tokenizer()) == {"the": [1.0], "The": [2.0], "mat": [3.0], "Mat": [3.0]}


def test_the_first_of_two_vectors_counts(file):
    assert found(file("cat 1\ncat 2\n"), tokenizer()) == {"cat": [1.0]}


def test_special_tokens_get_none_and_are_not_counted(file):
    tokens = tokenizer()
    vectors = read_vectors(file("<unk> 1\n<pad> 1\n<bos> 2\ncat 1\n"), tokens)
    assert [tokens.vocabulary[number] for number in vectors.ids] == ["cat"]
    no_words = 4 + 2  # special tokens, and those that say where a space is
    assert vectors.num_tokens == len(tokens) - no_words
    assert vectors.coverage == f"1 of {len(tokens) - no_words} tokens have a vector"


def test_words_with_spaces_as_some_published_files_have_them(file):
    path = file("cat 0.5 0.25\n. . . 0.1 0.2\nat name@domain.com 0.1 0.2\nmat 1.0 2.0\n")
    assert set(found(path, tokenizer())) == {"cat", "mat", "Mat"}


def test_pieces_that_begin_a_word_are_words_and_those_inside_are_not(file):
    tokens = tokenizer("bpe", vocab_size=60)
    assert {" the", "t"} <= set(tokens.vocabulary)
    words = found(file("the 1\nt 2\n"), tokens)
    assert words[" the"] == [1.0]
    assert all(token.startswith(" ") for token in words)
    assert found(file("▁the 1\nthe 3\nt 2\n"), tokens)["t"] == [2.0]  # a file of pieces, as BPEmb's
    assert found(file("▁the 1\nthe 3\nt 2\n"), tokens)[" the"] == [1.0]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("dog 1", "got 'dog 1'"),
        ("dog 1 x", "got 'dog 1 x'"),
        ("cat 1.0 2.0 3.0", "4 fields"),
        ("cat 1 --2", "got 'cat 1 --2'"),
        ("cat 1 nan", "got 'cat 1 nan'"),
        ("cat 1 inf", "got 'cat 1 inf'"),
        ("", "got ''"),
        ("cat\t1\t2", "1 fields"),
        ("cat  1 2", "4 fields"),
        ("cat 1 1e99", "holds a number above 1e"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(file, line, what):
    path = file(f"mat 1 2\n{line}\non 1 2\n")
    with pytest.raises(DataError) as error:
        read_vectors(path, tokenizer())
    assert str(error.value).startswith(f"{path}:2: ")
    assert what in str(error.value)
    assert "remove this line" in str(error.value)


def test_bytes_that_are_not_utf_8_are_named_by_their_line(file):
    path = file(b"cat 1\ncaf\xe9 2\n")
    with pytest.raises(DataError, match=r"v.txt:2: not UTF-8. Convert it: iconv"):
        read_vectors(path, tokenizer())


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(file, tmp_path):
    with pytest.raises(DataError, match=r"key=none.txt: .*none.txt does not exist. Give a text file"):
        find_vectors("none.txt", "key")
    with pytest.raises(DataError, match="is a folder"):
        find_vectors(str(tmp_path), "key")
    with pytest.raises(DataError, match=r"binary model. Give the text file of the same vectors \(.vec\)"):
        find_vectors(str(file("x", "cc.bin")), "key")
    with pytest.raises(DataError, match="is an archive; nothing was unpacked"):
        vector_size(file(b"PK\x03\x04 glove", "glove.zip"))
    with pytest.raises(DataError, match=r"v.txt:1: must be a word and its numbers"):
        vector_size(file("word\n"))
    with pytest.raises(DataError, match=r"none of the vocabulary's 12 tokens .* has a vector"):
        read_vectors(file("zebra 1 2\n"), tokenizer())


def test_memory_is_that_of_the_vocabulary_and_not_of_the_file(file):
    row = " ".join(["0.123456"] * 300)
    path = file("".join(f"word{number} {row}\n" for number in range(2000)) + f"cat {row}\n")
    assert path.stat().st_size > 5_000_000
    tokens = tokenizer()
    tracemalloc.start()
    vectors = read_vectors(path, tokens)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert vectors.values.dtype == np.float32
    assert peak < 500_000
