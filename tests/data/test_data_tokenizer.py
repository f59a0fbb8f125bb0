import contextlib
import json
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus.data.tokens.tokenizer import UNKNOWN_TEXT, Tokenizer, TokenizerOptions
from attnfocus.data.tokens.words import count_words, join_words
from attnfocus.errors import CheckpointError, DataError
from attnfocus.special import BOS, EOS, PAD, SPECIAL_TOKENS, UNK

KINDS = ("word", "whitespace", "character", "bpe", "unigram")
LOSSLESS = ("character", "bpe", "unigram")
TEXTS = [
    "The cat sat on the mat, and the dog sat on the cat.",
    " two  spaces at both ends ",
    "今天天气很好，我们去公园。",
    "東京タワーに行きました。",
    "Straße Größe naïve ça",
    "tab\tand\nnewline\r\n",
    "1,234.5 % of 2021",
    "<pad> is <unk> and <bos> <eos>",
    "▁ is a character ▁too",
    "a" * 50,
]


def trained(kind, texts=TEXTS, **options):
    return Tokenizer.train(texts, TokenizerOptions(kind=kind, **{"vocab_size": 200, **options}))


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request):
    return trained(request.param)


def test_special_tokens_have_their_ids(tokenizer):
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert tokenizer.vocabulary[:4] == SPECIAL_TOKENS
    assert tokenizer.tokens([0, 1, 2, 3]) == list(SPECIAL_TOKENS)


def test_text_never_makes_a_special_token_but_unknown(tokenizer):
    for text in [*TEXTS, "<pad><bos><eos><unk>", "<bos>"]:
        assert not {PAD, BOS, EOS} & set(tokenizer.encode(text))


@pytest.mark.slow
@given(texts=st.lists(st.text(" \t\n\x1c\x1f\x85\xa0\u3000aéZ1.-_'日ひ", max_size=30), max_size=5))
def test_texts_encoded_together_have_the_ids_of_each_alone(texts):
    for kind in KINDS:
        tokenizer = CACHE.setdefault(kind, trained(kind))
        assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]


@pytest.mark.parametrize("kind", LOSSLESS)
@given(data=st.data())
def test_decoding_gives_the_text_back(kind, data):
    tokenizer = CACHE.setdefault(kind, trained(kind))
    alphabet = sorted({character for text in TEXTS for character in text})
    text = data.draw(st.text(alphabet))
    assert tokenizer.decode(tokenizer.encode(text)) == text
    pieces = [text[start:end] for start, end in tokenizer.character_spans(text)]
    assert "".join(pieces) == text


CACHE: dict[str, Tokenizer] = {}


def test_text_that_is_tokenized_already_keeps_its_tokens():
    text = "a man &apos;s t-shirt , 1,234.5 % ( st. louis ) ."
    tokenizer = trained("whitespace", [text])
    assert tokenizer.tokens(tokenizer.encode(text)) == text.split()
    assert tokenizer.decode(tokenizer.encode(f" {text}\t")) == text


@pytest.mark.parametrize("kind", LOSSLESS)
def test_training_texts_come_back_with_every_space(kind):
    tokenizer = trained(kind)
    assert [tokenizer.decode(ids) for ids in tokenizer.encode_batch(TEXTS)] == TEXTS


@given(text=st.text(st.characters(codec=None)))
@settings(max_examples=50)
def test_any_text_can_be_encoded_also_half_surrogate_pairs(text):
    for kind in KINDS:
        tokenizer = CACHE.setdefault(kind, trained(kind))
        ids = tokenizer.encode(text)
        assert tokenizer.encode_batch([text]) == [ids]
        assert all(0 <= i < len(tokenizer) for i in ids)
        assert len(tokenizer.character_spans(text)) == len(tokenizer.tokens(ids)) == len(ids)
        tokenizer.decode(ids)


def test_unknown_characters_are_marked_and_the_rest_is_kept(tokenizer):
    assert UNK in tokenizer.encode("Ω")
    assert tokenizer.decode(tokenizer.encode("the Ω")) == f"the {UNKNOWN_TEXT}"


def test_decoding_leaves_special_tokens_out(tokenizer):
    ids = tokenizer.encode("the cat")
    assert tokenizer.decode([BOS, *ids, EOS, PAD, PAD]) == "the cat"


def test_empty_text_has_no_tokens(tokenizer):
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


def test_id_outside_the_vocabulary_is_an_error(tokenizer):
    for wrong in (-1, len(tokenizer)):
        with pytest.raises(ValueError, match="outside the vocabulary"):
            tokenizer.tokens([wrong])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocab_size", [5, 20, 60, 200])
def test_vocabulary_is_never_larger_than_asked(kind, vocab_size):
    assert len(trained(kind, vocab_size=vocab_size)) <= vocab_size


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_rarer_than_min_frequency_is_unknown(kind):
    tokenizer = trained(kind, ["a a a b", "a a z"], min_frequency=2)
    assert UNK not in tokenizer.encode("a a")
    assert UNK in tokenizer.encode("z")
    assert UNK in tokenizer.encode("b")


@pytest.mark.parametrize("kind", KINDS)
def test_lowercase_holds_for_training_and_for_use(kind):
    tokenizer = trained(kind, ["The Cat", "the cat"], lowercase=True)
    assert tokenizer.encode("THE CAT") == tokenizer.encode("the cat")
    assert tokenizer.decode(tokenizer.encode("THE cat")) == "the cat"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [["a"], ["ab"], ["hello world"] * 3, ["中"]])
def test_tiny_data_are_enough(kind, texts):
    tokenizer = trained(kind, texts)
    assert tokenizer.decode(tokenizer.encode(texts[0])) == texts[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], [""], ["  ", "\n"]])
def test_nothing_to_learn_from_is_a_data_error(kind, texts):
    with pytest.raises(DataError, match="no text"):
        trained(kind, texts)


TRAIN_AGAIN = """
import json, sys
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
texts = json.load(sys.stdin)
for kind in ("word", "character", "bpe", "unigram"):
    for size in (150, 400):
        t = Tokenizer.train(texts, TokenizerOptions(kind=kind, vocab_size=size))
        print(json.dumps([kind, t.vocabulary, t.encode_batch(texts[:50])]))
"""


def test_same_texts_give_the_same_vocabulary_in_another_process():
    # many ties, which the library's trainers break in the order of a hash table
    texts = ["".join("abcdefgh"[(i * j + j) % 8] for j in range(3 + i % 5)) + f" {chr(0x4E00 + i)}" for i in range(200)]
    runs = [
        subprocess.run([sys.executable, "-c", TRAIN_AGAIN], input=json.dumps(texts), capture_output=True, text=True)
        for _ in range(3)
    ]
    assert all(run.returncode == 0 for run in runs), runs[0].stderr
    assert len({run.stdout for run in runs}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_loaded_tokenizer_equals_the_saved_one(kind, tmp_path):
    path = tmp_path / "中文 name.json"
    tokenizer = trained(kind, lowercase=True)
    tokenizer.save(path)
    loaded = Tokenizer.load(path)
    assert loaded.kind == kind
    assert loaded.vocabulary == tokenizer.vocabulary
    assert loaded.encode_batch(TEXTS) == tokenizer.encode_batch(TEXTS)
    again = tmp_path / "again.json"
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()


def damaged(content, **change):
    return json.dumps({**content, **change}).encode()


def test_damaged_file_is_a_checkpoint_error(tmp_path):
    path = tmp_path / "tokenizer.json"
    for kind in KINDS:
        trained(kind).save(path)
        good = json.loads(path.read_text(encoding="utf-8"))
        bad_files = [
            b"",
            b"\x80\x04\x95.",
            b"[]",
            b"null",
            b"[" * 100_000,
            path.read_bytes()[:-20],
            damaged(good, format_version=3),
            damaged(good, format_version="1"),
            damaged(good, kind="os.system"),
            damaged(good, lowercase="no"),
            damaged(good, tokens=good["tokens"][1:]),
            damaged(good, tokens=[*good["tokens"], good["tokens"][-1]]),
            damaged(good, tokens={"a": 1}),
            damaged(good, merges=[["zz", "qq"]]) if kind == "bpe" else damaged(good, merges=[1]),
            damaged(good, scores=[1.5]),
            damaged(good, scores=["a"]),
            json.dumps({key: value for key, value in good.items() if key != "tokens"}).encode(),
        ]
        if kind in ("word", "whitespace"):
            rule = good["spaces"]
            bad_files += [damaged(good, spaces=wrong) for wrong in (None, [], {}, {**rule, "after": "."})]
            bad_files.append(damaged(good, spaces={**rule, "joined": [1]}))
        else:
            bad_files.append(damaged(good, format_version=2, spaces={"before": [], "after": [], "joined": []}))
        for content in bad_files:
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
                Tokenizer.load(path)
    with pytest.raises(CheckpointError, match=r"none\.json"):
        Tokenizer.load(tmp_path / "none.json")


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
@settings(max_examples=50)
def test_file_with_one_changed_byte_loads_or_is_refused(tmp_path_factory, position, byte):
    path = tmp_path_factory.mktemp("flip") / "t.json"
    CACHE.setdefault("unigram", trained("unigram")).save(path)
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(bytes(content))
    with contextlib.suppress(CheckpointError):
        Tokenizer.load(path).encode("the cat")


def test_batches_are_encoded_fast():
    texts = [f"sentence {i} about the cat that sat on mat {i % 7}" for i in range(20_000)]
    tokenizer = trained("bpe", texts[:500])
    start = time.process_time()
    tokenizer.encode_batch(texts)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "text",
    [
        "Hello, world!",
        "Don't (really) stop: it's 1,234.5% of T-shirts.",
        'He said "yes" and left.',
        "今天天气很好，我们去公园。",
        "Was kostet das? 5/6 davon; [mehr]",
    ],
)
def test_words_are_joined_as_people_write(text):
    tokenizer = trained("word", [text])
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_words_are_counted_with_chinese_characters_as_one_each():
    assert count_words("the cat sat") == 3
    assert count_words("我有 two 只猫") == 5
    assert count_words("  ") == 0
    assert join_words([]) == ""
