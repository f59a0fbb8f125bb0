"""Pretrained vectors: what is read from files as they are published, and what is refused."""

import gzip
import tracemalloc
import zipfile

import numpy as np
import pytest

from attnfocus.data import Tokenizer, TokenizerOptions, find_vectors, read_vectors, vector_size
from attnfocus.data.reading import lines
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
        (" 1 2", "got ' 1 2'"),
        ("1 2", "got '1 2'"),
        ("cat\t1\t2", "1 fields"),
        ("cat  1 2", "4 fields"),
        ("cat 1 1e99", "2 numbers below 1e"),
        (b"caf\xe9 1 2", "the word is not UTF-8"),
    ],
)
def test_an_odd_line_is_left_out_counted_and_named_by_its_number(file, line, what):
    line = line if isinstance(line, bytes) else line.encode()
    path = file(b"mat 1 2\n" + line + b"\non 1 2\nsat 1 2\n")
    vectors = read_vectors(path, tokenizer())
    assert {tokenizer().vocabulary[number] for number in vectors.ids} == {"mat", "Mat", "on", "sat"}
    assert vectors.num_odd == 1
    assert f"; 1 odd entry left out, the first {path}:2: " in vectors.coverage
    assert what in vectors.coverage


def test_a_file_that_is_mostly_no_vectors_is_refused(file):
    path = file("mat 1 2\n" + "a review of some words\n" * 3)
    with pytest.raises(DataError, match=r"v.txt: 3 of its 4 lines are no vectors, the first: .*v.txt:2: must be"):
        read_vectors(path, tokenizer())


def test_an_empty_first_line_is_an_odd_one(file):
    path = file("\n 1 2\nmat 1 2\non 3 4\n")
    assert vector_size(path) == 2
    assert read_vectors(path, tokenizer()).num_odd == 2


def test_words_match_in_whatever_unicode_form_they_are(file):
    composed, apart = "caf\u00e9", "cafe\u0301"
    for word, entry in ((composed, apart), (apart, composed)):
        tokens = Tokenizer.train([word] * 3, TokenizerOptions(kind="whitespace"))
        assert list(found(file(f"{entry} 1 2\nx 1 2\n"), tokens).values()) == [[1.0, 2.0]]


def binary(entries, size=2, count=None, end=b"\n"):
    """The form that the tool word2vec writes."""
    head = f"{len(entries) if count is None else count} {size}\n".encode()
    return head + b"".join(word + b" " + np.array(vector, "<f4").tobytes() + end for word, vector in entries)


ENTRIES = [(b"cat", [0.5, -1.25]), (b"\xff", [1, 1]), (b"mat", [2, float("nan")]), (b"on", [1e-2, 3])]


@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz"])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_the_binary_form_of_word2vec_is_read(file, name, end):
    path = file(binary(ENTRIES, end=end), name)
    assert vector_size(path) == 2
    assert found(path, tokenizer()) == {"cat": [0.5, -1.25], "on": pytest.approx([0.01, 3.0])}
    assert read_vectors(path, tokenizer()).coverage.endswith(
        f"; 2 odd entries left out, the first {path}, vector 2: the word is not UTF-8"
    )


def test_a_large_binary_file_is_read_in_parts(file):
    entries = [(f"word{number}".encode(), np.ones(300)) for number in range(2000)]
    path = file(binary([*entries, (b"cat", np.arange(300))], 300), "v.bin")
    assert path.stat().st_size > 2_000_000
    assert found(path, tokenizer()) == {"cat": list(map(float, range(300)))}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (binary(ENTRIES, count=5), "is cut off at vector 5 of 5"),
        (binary(ENTRIES)[:-6], "is cut off at vector 4 of 4"),
        (b"9 2\n" + b"x" * 3_000_000, "is damaged at vector 1 of 9"),
        (b"x" * 100, "is not of word2vec's binary form"),
        (b"3 0\n", "is not of word2vec's binary form"),
        (b"3 999999999\n", "is not of word2vec's binary form"),
        (b"\xba\x16\x4f\x2f\x0c\0\0\0", r"is a binary model of fastText. Give the text file .* \(.vec\)"),
    ],
)
def test_a_damaged_or_other_binary_file_is_refused(file, content, what):
    with pytest.raises(DataError, match=what):
        read_vectors(file(content, "v.bin"), tokenizer())


def zipped(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return path


def test_the_one_file_of_an_archive_is_read(tmp_path):
    text = "cat 0.5 -1.25\nsat 1 2\n"
    for members in ({"model_txt": text, "README_txt": "x", "meta_json": "{}"}, {"v_vec": text}):
        path = zipped(tmp_path / "v.zip", **members)
        assert vector_size(path) == 2
        assert found(path, tokenizer()) == {"cat": [0.5, -1.25], "sat": [1.0, 2.0]}
    assert found(zipped(tmp_path / "v.zip", v_bin=binary(ENTRIES)), tokenizer())["cat"] == [0.5, -1.25]
    several = zipped(tmp_path / "v.zip", glove50_txt=text, glove100_txt=text)
    with pytest.raises(DataError, match=r"must hold one file that ends in .*, holds glove50.txt, glove100.txt"):
        vector_size(several)


def test_an_archive_that_unpacks_to_what_no_text_is_is_refused(tmp_path, monkeypatch):
    path = zipped(tmp_path / "v.zip", v_txt=b"cat 1 2\n" + b"zebra 1 2\n" * 200_000)
    assert read_vectors(path, tokenizer()).num_odd == 0
    monkeypatch.setattr(lines, "MAX_UNPACKED_ALWAYS_FINE", 10_000)
    with pytest.raises(DataError, match=r"v.zip: unpacks to more than"):
        read_vectors(path, tokenizer())


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(file, tmp_path):
    with pytest.raises(DataError, match=r"key=none.txt: .*none.txt does not exist. Give a file of vectors"):
        find_vectors("none.txt", "key")
    with pytest.raises(DataError, match="is a folder"):
        find_vectors(str(tmp_path), "key")
    with pytest.raises(DataError, match=r"is a pickle, which is never read. Give the text file beside it"):
        find_vectors(str(file("x", "glove.txt.pt")), "key")
    with pytest.raises(DataError, match=r"glove.zip: cannot be unpacked \(.*\). Give the file inside"):
        vector_size(file(b"PK\x03\x04 glove", "glove.zip"))
    with pytest.raises(DataError, match="is an archive; nothing was unpacked"):
        vector_size(file(b"PK\x03\x04 glove", "glove.txt"))
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
