"""Tokenizers and vectors of torchtext: as its own classes split and read them, and clear about what is missing."""

import json
import re
import ssl
import sys
from pathlib import Path

import pytest
from torchtext.data.utils import get_tokenizer
from torchtext.vocab import Vectors

import attnfocus
from attnfocus.data import Tokenizer, TokenizerOptions, find_vectors, read_vectors
from attnfocus.errors import CheckpointError, ConfigError, DataError

TEXTS = ["You can't install it (yet)!", "Now, install it: with pip; 你好 .", 'it IS\x1fhere <br /> "quoted"']
OPTIONS = TokenizerOptions(kind="torchtext", torchtext="basic_english")


def test_tokens_are_those_of_torchtext_and_come_back_from_the_file(tmp_path):
    tokenizer = Tokenizer.train(TEXTS, OPTIONS)
    split = get_tokenizer("basic_english")
    for text in TEXTS:
        expected = split(text.replace("\x1f", " "))
        assert tokenizer.tokens(tokenizer.encode(text)) == expected
        assert tokenizer.encode_batch([text]) == [tokenizer.encode(text)]
    assert set(tokenizer.vocabulary[4:]) == {word for text in TEXTS for word in split(text.replace("\x1f", " "))}
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert [loaded.encode(text) for text in TEXTS] == [tokenizer.encode(text) for text in TEXTS]
    assert loaded.decode(loaded.encode("install it!")) == "install it!"
    assert loaded.tokens(loaded.encode("unheard of")) == ["<unk>", "<unk>"]
    assert loaded.encode("") == loaded.encode(" \x1f ") == []
    with pytest.raises(ValueError, match="do not tell which characters"):
        loaded.character_spans("it")


def test_vectors_that_torchtext_has_kept_are_read_to_the_bit(tmp_path, monkeypatch):
    cache = tmp_path / ".vector_cache"
    cache.mkdir()
    file = cache / "glove.tiny.3d.txt"
    file.write_text("the 0.1 -2.5e-1 3\ninstall 1 0.123456 -0.7\n你好 0.5 0.25 0.3\n", encoding="utf-8")
    checked = ssl._create_default_https_context
    # torchtext turns the check off, under this name, for which there is no public one: put back
    monkeypatch.setattr(ssl, "_create_default_https_context", checked)
    theirs = Vectors(file.name, cache=str(cache))
    assert ssl._create_default_https_context is not checked  # why it reads no vectors for us
    tokenizer = Tokenizer.train(TEXTS, OPTIONS)
    ours = read_vectors(find_vectors(str(file), "model.embedding.vectors"), tokenizer)
    names = [tokenizer.vocabulary[number] for number in ours.ids]
    assert sorted(names) == ["install", "你好"]
    for name, vector in zip(names, ours.values, strict=True):
        assert vector.tolist() == theirs[name].tolist()
    with pytest.raises(DataError, match=r"is a pickle, which is never read\. Give the text file beside it"):
        find_vectors(f"{file}.pt", "model.embedding.vectors")


def test_one_file_alone_knows_torchtext():
    package = Path(attnfocus.__file__).parent
    knowing = [path for path in package.rglob("*.py") if re.search(r"(from|import) torchtext", path.read_text("utf-8"))]
    assert knowing == [package / "data" / "tokens" / "torchtext_words.py"]


def test_connections_are_still_checked():
    before = ssl._create_default_https_context
    Tokenizer.train(TEXTS, OPTIONS)
    assert ssl._create_default_https_context is before is not ssl._create_unverified_context


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchtext.data.utils", None)
    with pytest.raises(
        ConfigError, match=r"needs an extra: pip install 'attnfocus\[torchtext\]'. kind=word needs none"
    ):
        Tokenizer.train(TEXTS, OPTIONS)


@pytest.mark.parametrize(
    ("name", "package"),
    [("moses", "sacremoses"), ("spacy", "spacy"), ("toktok", "nltk.tokenize.toktok"), ("revtok", "revtok")],
)
def test_a_tokenizer_that_needs_another_package_names_it(name, package, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"torchtext={name} needs the package {package.split('.')[0]}: pip install"):
        Tokenizer.train(TEXTS, TokenizerOptions(kind="torchtext", torchtext=name))
    assert capsys.readouterr().out == ""


def test_languages_that_it_does_not_have_are_refused():
    with pytest.raises(ConfigError, match=r"basic_english cannot take dataset.tokenizer.language=de"):
        Tokenizer.train(TEXTS, TokenizerOptions(kind="torchtext", language="de"))
    with pytest.raises(ConfigError, match=r"language=os: must be|language=../here: must be a code such as en"):
        Tokenizer.train(TEXTS, TokenizerOptions(kind="torchtext", torchtext="spacy", language="../here"))


@pytest.mark.parametrize("change", [{"torchtext": "os.system"}, {"language": 3}])
def test_a_damaged_file_is_refused(tmp_path, change):
    path = tmp_path / "tokenizer.json"
    Tokenizer.train(TEXTS, OPTIONS).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match="not a usable vocabulary: its torchtext or language"):
        Tokenizer.load(path)
