"""Words come back with their spaces: in every script, whatever the rule that was learned."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.rows import Row
from attnfocus.data.tokens.chunks import CHUNK
from attnfocus.data.tokens.spaced_words import JOIN, SPACE
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.special import SPECIAL_TOKENS, UNK
from attnfocus.tasks.measures.text import text_scorers

GOLD = [
    "„Das ist gut“, sagte er.",
    "مرحبا، كيف حالك؟",
    "می‌خواهم کتاب بخوانم",
    "यह अच्छा है।",
    "R&D costs $ 5 -- see https://a.b/c",
    "Ça va ? « Très bien ! »",
    "Я сказал: «Да» — и ушёл…",
    "今天天气很好，我们去“公园”。iPhone 15 很贵!",
    "東京タワーに行きました。",
    "안녕하세요, 반갑습니다.",
    "สวัสดีครับ ขอบคุณ",
    "👨‍👩‍👧 ❤️ 🇩🇪 ok :-) <3",
    "\"Quoted\", 'single' and \"again.\" it's dogs' and/or 50% (1,234.5km) #tag @name a_b __init__",
    'already tokenized , with spaces . " like this " ( or this )',
    "*bold* and `code` -- 3 * 4 = 12; x->y, a != b ... !! ??",
    "<pad> is <unk> and <bos> <eos>",
]
BLANKS = " \t\n\u00a0\u3000\u202f\x1c"
LETTERS = "abZÉßıİ ñا،ن‌कि।中あ。“”„\"'-.,:/&$%<>_1२👨‍❤️🇩\u0301"


def folded(text: str) -> str:
    """One space for each run of blanks, none at the ends; no halves of surrogate pairs."""
    text = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return " ".join(word for word in (chunk.strip(BLANKS_OF_UNICODE) for chunk in CHUNK.findall(text)) if word)


BLANKS_OF_UNICODE = "".join(chr(n) for n in range(0x3001) if chr(n).isspace() and not 0x1C <= n <= 0x1F)


def trained(texts: list[str], kind: str = "word", **options: object) -> Tokenizer:
    return Tokenizer.train(texts, TokenizerOptions(kind=kind, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["word", "whitespace"])
@pytest.mark.parametrize("shared", [True, False])
def test_references_of_every_script_come_back_and_have_bleu_100(kind: str, shared: bool) -> None:
    outputs = []
    for text in GOLD:
        tokenizer = trained(GOLD if shared else [text], kind)
        outputs.append(tokenizer.decode(tokenizer.encode(text)))
    assert outputs == GOLD
    assert round(text_scorers("13a")["bleu"].corpus_score(outputs, [GOLD]).score, 6) == 100


@given(texts=st.lists(st.text(st.sampled_from(LETTERS + BLANKS), max_size=20), min_size=1, max_size=4))
@example(texts=['"" "', '" ""'])
@example(texts=["a\x1c b"])
@example(texts=["1", "\x1c"])
def test_any_text_comes_back_when_its_words_are_known(texts: list[str]) -> None:
    for kind in ("word", "whitespace"):
        if any(text.strip() for text in texts):
            tokenizer = trained(texts, kind)
            for text in texts:
                if text.strip():  # else nothing is learned from it: \x1c is a blank for Python alone
                    assert tokenizer.decode(tokenizer.encode(text)) == folded(text)


WORDS = {kind: trained(GOLD, kind) for kind in ("word", "whitespace")}


@given(text=st.one_of(st.text(st.characters(codec=None)), st.text(st.sampled_from(LETTERS + BLANKS))))
@settings(max_examples=200)
def test_a_text_comes_back_when_its_unknown_words_are_given(text: str) -> None:
    """The spans are right, the spaces too, although nobody knows what an unknown word is when spaces are put."""
    for tokenizer in WORDS.values():
        ids, spans = tokenizer.encode(text), tokenizer.character_spans(text)
        unknown = [text[slice(*span)] for id, span in zip(ids, spans, strict=True) if id == UNK]
        assert folded(tokenizer.decode(ids, unknown)) == folded(text)
        starts = [start for start, _ in spans]
        assert starts == sorted(starts)


@given(ids=st.lists(st.integers(0, len(WORDS["word"]) - 1), max_size=8))
def test_whatever_a_model_writes_can_be_read(ids: list[int]) -> None:
    text = WORDS["word"].decode(ids)
    assert text == text.strip()
    assert "  " not in text  # marks side by side, at the ends, before nothing


def test_only_what_differs_from_the_rule_costs_a_token() -> None:
    texts = ["Hello, world (again).", 'She said "no", he said "yes".', "Well, Hello!"] * 3 + ["a , b"]
    tokenizer = trained(texts)
    words = sorted(set(tokenizer.vocabulary[len(SPECIAL_TOKENS) :]) - {JOIN, SPACE})
    assert " ".join(words) == '! " ( ) , . Hello She Well a again b he no said world yes'
    for text in texts[:-1]:
        assert not {JOIN, SPACE} & {tokenizer.vocabulary[id] for id in tokenizer.encode(text)}
    assert tokenizer.tokens(tokenizer.encode("a , b")) == ["a", "▁", ",", "b"]
    assert tokenizer.tokens(tokenizer.encode("a ,b")) == ["a", "▁", ",", "‿", "b"]
    assert tokenizer.character_spans("a  ,b") == [(0, 1), (1, 3), (3, 4), (4, 4), (4, 5)]


def test_the_rule_is_that_of_the_texts() -> None:
    tokenized = trained(["Hello , world .", "so , what ?"])
    assert tokenized.tokens(tokenized.encode("what , Hello ?")) == ["what", ",", "Hello", "?"]
    assert tokenized.decode(tokenized.encode("what, Hello ?")) == "what, Hello ?"
    segmented = trained(["今天 天气 很 好 。", "我们 去 公园 。"])
    assert segmented.decode(segmented.encode("我们 今天 去 公园 。")) == "我们 今天 去 公园 。"


def test_a_vocabulary_without_room_for_the_marks_still_works() -> None:
    tokenizer = trained(GOLD, vocab_size=5)
    assert tokenizer.vocabulary == (*SPECIAL_TOKENS, JOIN)
    assert tokenizer.decode(tokenizer.encode("a , b")) == "⁇ ⁇ ⁇"


def test_a_word_that_is_named_like_a_special_token_is_a_word() -> None:
    text = "the <unk> said <pad> to x<unk>"
    tokenizer = trained([text], "whitespace")
    ids = tokenizer.encode(text)
    assert min(ids) >= len(SPECIAL_TOKENS)
    assert tokenizer.tokens(ids) == text.split()
    assert tokenizer.decode(ids) == text
    unseen = trained(["a b"], "whitespace")
    assert unseen.encode("a <unk> <bos>")[1:] == [UNK, UNK]
    assert unseen.decode(unseen.encode("a <unk> b"), ["<unk>"]) == "a <unk> b"


def test_texts_that_are_only_read_have_no_tokens_of_spaces() -> None:
    options = TokenizerOptions(kind="word")
    codec = TextLabelCodec.learn([Row("1", "a , b", "x"), Row("2", "a, b ,c", "y")], options)
    assert codec.tokenizer.vocabulary == (*SPECIAL_TOKENS, ",", "a", "b", "c")
    assert codec.input_tokens(codec.encode_input("a , b", "1").inputs) == ["a", ",", "b"]


FIRST_FORMAT = {
    "word": ["a", ",", "b", "“", "R", "&", "D"],
    "whitespace": ["a", "<", "unk>", ",", "b"],
}


def test_tokenizers_of_the_first_format_encode_and_decode_as_they_did(tmp_path) -> None:
    def saved(kind: str) -> Tokenizer:
        tokens = [*SPECIAL_TOKENS, *FIRST_FORMAT[kind]]
        content = {"format_version": 1, "kind": kind, "lowercase": False, "tokens": tokens, "merges": [], "scores": []}
        path = tmp_path / f"{kind}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        loaded = Tokenizer.load(path)
        loaded.save(tmp_path / "again.json")
        assert json.loads((tmp_path / "again.json").read_text(encoding="utf-8")) == content
        return loaded

    word, whitespace = saved("word"), saved("whitespace")
    assert word.encode("“a , b R&D") == [7, 4, 5, 6, 8, 9, 10]
    assert word.encode_batch(["a , b"]) == [[4, 5, 6]]
    assert word.decode(word.encode("“a , b R&D")) == "“a, b R & D"
    assert whitespace.encode("a <unk> , b") == [4, 5, 6, 7, 8]
    assert whitespace.decode(whitespace.encode("a <unk> , b")) == "a < unk> , b"
    assert whitespace.character_spans("a <unk>") == [(0, 1), (2, 3), (3, 7)]


@pytest.mark.parametrize("kind", ["word", "whitespace"])
def test_the_rule_is_saved(kind: str, tmp_path) -> None:
    tokenizer = trained(GOLD, kind)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.encode_batch(GOLD) == tokenizer.encode_batch(GOLD)
    assert [loaded.decode(ids) for ids in loaded.encode_batch(GOLD)] == GOLD
