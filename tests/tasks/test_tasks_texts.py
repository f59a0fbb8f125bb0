"""What a task of texts says of its metrics before anything is trained, and how they are compared."""

from collections.abc import Sequence

import pytest

from attnfocus.commands.compare.significance import p_values
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.decoding import DecodingOptions
from attnfocus.runs.predictions_file import Answer
from attnfocus.tasks import TranslationTask
from attnfocus.tasks.measures.ceiling import ceiling

GREEDY = DecodingOptions()
WORDS = ["walked", "walking.", "talks"]
TEXTS = ["Das Haus ist gut, ja.", "Der Hund ist alt, nein.", "Die Katze ist jung, ja."]


def task_of(texts: Sequence[str], kind: str = "word", **options: object) -> tuple[TranslationTask, list[Row]]:
    rows = [Row(f"valid:{n}", text, text) for n, text in enumerate(texts)]
    bleu = options.pop("bleu_tokenizer", None)
    codec = TextPairCodec.learn(rows, TokenizerOptions(kind=kind, **options))  # type: ignore[arg-type]
    return TranslationTask(codec, bleu_tokenizer=bleu), rows  # type: ignore[arg-type]


def test_the_metric_that_decides_is_one_that_right_outputs_can_have() -> None:
    task, rows = task_of(WORDS)
    assert task.monitor_for(rows) == "chrf"
    [remark] = task.remarks(rows, "bleu", GREEDY)
    assert remark.endswith("even right outputs get 0. Use trainer.monitor=chrf or exact_match")
    assert task.remarks(rows, "loss", GREEDY)[0].endswith("loss decides what is best")
    for others in (task_of(TEXTS), task_of([*WORDS, "U.S.A."]), task_of(WORDS, bleu_tokenizer="char")):
        assert others[0].monitor_for(others[1]) == "bleu"
        assert others[0].remarks(others[1], "bleu", GREEDY) == []


def test_a_run_that_was_saved_before_goes_on_with_its_metric() -> None:
    task, rows = task_of(WORDS)
    old = TranslationTask(TextPairCodec(task.codec.source_tokenizer, task.codec.target_tokenizer))
    assert old.monitor_for(rows) == "bleu"


@pytest.mark.parametrize("kind", ["word", "whitespace", "character", "bpe", "unigram"])
def test_nothing_is_said_where_all_comes_back(kind: str) -> None:
    tokenizer = Tokenizer.train(TEXTS, TokenizerOptions(kind=kind))  # type: ignore[arg-type]
    assert ceiling(TEXTS, tokenizer, "13a", replaces_unknown=False) is None


def test_what_is_lost_is_named() -> None:
    def said(texts: Sequence[str], *, replaces: bool = False, **options: object) -> str:
        tokenizer = Tokenizer.train(TEXTS, TokenizerOptions(**{"kind": "word", **options}))  # type: ignore[arg-type]
        return ceiling(texts, tokenizer, "13a", replaces_unknown=replaces) or ""

    lower = said(TEXTS, lowercase=True)
    assert (
        "exact match at most 0.000: of 3 references the tokenizer loses capitals (dataset.tokenizer.lowercase=true)"
        in lower
    )
    assert "unknown" not in lower
    few = said([*TEXTS, "Das Dorf ist gut, ja."])
    assert "exact match at most 0.750: of 4 references the tokenizer loses unknown tokens (" in few
    assert "unknown tokens (3.6 %; dataset.tokenizer.kind=bpe has hardly any)" in few
    assert said([*TEXTS, "Das Dorf ist gut, ja."], replaces=True) == ""
    both = said([*TEXTS, "Das İnn ist gut, ja."], replaces=True, lowercase=True)
    assert both.endswith("loses capitals (dataset.tokenizer.lowercase=true)")
    blanks = said([*TEXTS, "Das  Haus\u00a0ist gut, ja."])
    assert "BLEU at most 100.0, exact match at most 0.750" in blanks
    assert blanks.endswith("loses blanks other than single spaces")


def test_a_thousand_references_are_looked_at_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = Tokenizer.train(TEXTS, TokenizerOptions(kind="word"))
    found = ceiling(
        ["Das Haus ist gut, ja."] * 5000 + ["Das Ding ist gut, ja."] * 5000, tokenizer, "13a", replaces_unknown=False
    )
    assert found is not None
    assert "exact match at most 0.500: of 1,000 references" in found
    monkeypatch.setattr("attnfocus.tasks.measures.ceiling.MAX_CHARACTERS", 1000)
    found = ceiling(["Das Ding ist gut, ja. " * 10] * 50, tokenizer, "13a", replaces_unknown=False)
    assert found is not None
    assert ": of 5 references" in found  # 50 * 220 characters, of which every eleventh text is looked at


def test_texts_are_compared_by_the_words_that_the_run_has_counted() -> None:
    references = [f"สวัสดีครับขอบคุณมาก{n}" for n in range(20)]
    answers = [
        [Answer(id=str(n), prediction=text[:size], target=text) for n, text in enumerate(references)]
        for size in (12, 16)
    ]
    assert p_values(TranslationTask, *answers, 20)["bleu"] == 1.0  # each text is one word, and wrong
    assert p_values(TranslationTask, *answers, 20, {"bleu_tokenizer": "char"})["bleu"] < 0.1
    assert p_values(TranslationTask, *answers, 20, {"bleu_tokenizer": "flores200"})["bleu"] == 1.0  # no download


def test_bleu_of_other_words_is_not_compared() -> None:
    words, characters = {"bleu_tokenizer": "13a"}, {"bleu_tokenizer": "char"}
    assert TranslationTask.incomparable(words, characters) == {
        "bleu": "the words of BLEU are others (trainer.bleu_tokenizer 13a and char)"
    }
    assert TranslationTask.incomparable(words, words) == TranslationTask.incomparable({}, words) == {}
