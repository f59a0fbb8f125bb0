"""Texts as a run measures them: what comes back, what BLEU counts, and what the start says of both."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from sacrebleu.metrics.bleu import BLEU
from tests_support import Command, only_run, summary_of

import attnfocus as package
from attnfocus.errors import CheckpointError

TINY = (
    "model=seq2seq",
    "dataset=parallel_text",
    "dataset.train=rows.tsv",
    "model.embed_dim=8",
    "model.hidden_size=8",
    "trainer.max_steps=1",
    "focus.num_samples=0",
    "decoding.beam_size=1",
    "decoding.max_length=8",
)
VERBS = [("walk past", "walked"), ("walk prog", "walking"), ("talk past", "talked"), ("talk prog", "talking")]
GERMAN = [(f"Satz {n}", f"Der {n}. Mann sagte: „Das Haus von {n} Bert ist gut“, R&D.") for n in range(12)]


def write(folder: Path, rows: Sequence[tuple[str, str]], name: str = "rows.tsv") -> None:
    (folder / name).write_text("".join(f"{source}\t{target}\n" for source, target in rows), encoding="utf-8")


def trained(attnfocus: Command, *options: str) -> str:
    done = attnfocus("train", *TINY, *options)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stderr.split())


def test_where_no_target_has_four_words_it_is_said_and_chrf_decides(attnfocus: Command, tmp_path: Path) -> None:
    write(tmp_path, [(f"{source} {n}", target) for n in range(8) for source, target in VERBS])
    said = trained(attnfocus, "dataset.tokenizer.kind=character", "trainer.max_steps=2")
    assert "no reference has so many, and even right outputs get 0. chrf decides what is best" in said
    run = only_run(tmp_path)
    assert summary_of(run)["best"]["metric"] == "chrf"
    done = attnfocus("train", f"resume={run}", "trainer.max_steps=3")
    assert done.returncode == 0, done.stderr
    assert summary_of(run)["best"]["metric"] == "chrf"


def test_a_run_begun_before_goes_on_with_the_metric_that_it_had(attnfocus: Command, tmp_path: Path) -> None:
    """Its data set named bleu, and its codec has not noted how the targets are written."""
    write(tmp_path, [(f"{source} {n}", target) for n in range(8) for source, target in VERBS])
    command = ("dataset.tokenizer.kind=character", "scheduler=constant", "resume=auto", "run_dir=run")
    trained(attnfocus, *command, "trainer.monitor=bleu")
    config, codec = tmp_path / "run" / "config.yaml", tmp_path / "run" / "data" / "codec.json"
    assert "monitor: bleu" in config.read_text(encoding="utf-8")
    content = json.loads(codec.read_text(encoding="utf-8"))
    content.pop("target_writing")
    codec.write_text(json.dumps(content), encoding="utf-8")
    trained(attnfocus, *command, "trainer.max_steps=2")
    summary = summary_of(tmp_path / "run")
    assert (summary["steps"], summary["best"]["metric"]) == (2, "bleu")


def test_what_the_tokenizer_does_not_give_back_is_said_with_what_it_costs(attnfocus: Command, tmp_path: Path) -> None:
    write(tmp_path, GERMAN)
    for name in ("valid", "test"):
        write(tmp_path, GERMAN[:4], f"{name}.tsv")
    given = ("dataset.valid=valid.tsv", "dataset.test=test.tsv", "dataset.clean.deduplicate=false")
    words = (*given, "dataset.tokenizer.kind=word", "dataset.tokenizer.min_frequency=1")
    said = trained(attnfocus, *words, "dataset.tokenizer.lowercase=true")
    references = [target for _, target in GERMAN[:4]]
    best = BLEU(force=True).corpus_score([text.lower() for text in references], [references]).score
    assert f"BLEU at most {best:.1f}, exact match at most 0.000: of 4 references the tokenizer loses capitals (" in said


BY_HEART = (
    "dataset.valid=valid.tsv",
    "dataset.test=test.tsv",
    "dataset.clean.deduplicate=false",
    "model.embed_dim=32",
    "model.hidden_size=32",
    "decoding.max_length=80",
    "decoding.max_length_constant=80",
    "optimizer.lr=0.02",
    "trainer.max_steps=40",
    "trainer.evaluate_every_steps=40",
    "trainer.max_epochs=null",
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("word", "„Gut“, sagte er -- R&D ($ 5) می‌خواهم यह अच्छा है। 👨‍👩‍👧 https://a.b/c"),
        ("whitespace", "the <unk> said <pad> , not < unk>"),
    ],
    ids=["word", "whitespace"],
)
def test_right_outputs_have_bleu_100(kind: str, text: str, attnfocus: Command, tmp_path: Path) -> None:
    """A model that has learned one sentence by heart, with all that spaces can do wrong."""
    for name in ("rows", "valid", "test"):
        write(tmp_path, [("a", text)] * 2, f"{name}.tsv")
    said = trained(attnfocus, *BY_HEART, f"dataset.tokenizer.kind={kind}")
    assert "BLEU at most" not in said
    test = summary_of(only_run(tmp_path))["test"]
    assert (test["bleu"], test["exact_match"]) == (100, 1)


def test_unknown_words_are_copied_as_they_stand_in_the_input(attnfocus: Command, tmp_path: Path) -> None:
    """Every target is two words that come once: the model learns to write two unknown ones."""
    pairs = [(f"a{n} b{n}", f"x{n} y{n}") for n in range(4)]
    for name in ("rows", "valid", "test"):
        write(tmp_path, pairs, f"{name}.tsv")
    words = ("dataset.tokenizer.kind=word", "dataset.tokenizer.lowercase=true", "decoding.replace_unknown=true")
    aligned = ("focus=guided",)  # nothing else says which of the two is the first
    trained(attnfocus, *BY_HEART, *words, "dataset.tokenizer.min_frequency=2", "run_dir=run", *aligned)
    done = attnfocus("predict", "run=run", input="İzmir Kadıköy\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "İzmir Kadıköy\n"


THAI = [(f"hello {n}", f"สวัสดีครับ ขอบคุณมาก {n}") for n in range(12)]


def test_scripts_without_blanks_are_counted_by_characters_in_every_split(attnfocus: Command, tmp_path: Path) -> None:
    """The choice is that of train, saved with the run: a test split in another script changes nothing."""
    write(tmp_path, THAI)
    write(tmp_path, [("hello", "Good morning to all of you")], "test.tsv")
    trained(attnfocus, "dataset.test=test.tsv", "dataset.tokenizer.kind=character", "run_dir=run")
    run = tmp_path / "run"
    assert "|tok:char|" in summary_of(run)["test"]["bleu_signature"]
    assert package.load(run).evaluate("test").extras["bleu_tokenizer"] == "char"
    assert package.load(run).evaluate("valid").extras["bleu_tokenizer"] == "char"
    codec = json.loads((run / "data" / "codec.json").read_text(encoding="utf-8"))
    assert codec.pop("target_writing") == "unspaced"
    (run / "data" / "codec.json").write_text(json.dumps(codec), encoding="utf-8")  # as older versions saved it
    assert package.load(run).evaluate("test").extras["bleu_tokenizer"] == "13a"  # the references at hand decide
    (run / "data" / "codec.json").write_text(json.dumps({**codec, "target_writing": "x"}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="target_writing is not a known value"):
        package.load(run)


def test_a_tokenizer_of_bleu_is_for_texts_and_one_of_a_few(attnfocus: Command) -> None:
    done = attnfocus("train", "model=rnn_classifier", "trainer.bleu_tokenizer=char")
    assert done.returncode == 2
    assert "trainer.bleu_tokenizer: classification writes no texts" in done.stderr
    done = attnfocus("train", "trainer.bleu_tokenizer=flores200")
    assert done.returncode == 2
    assert "trainer.bleu_tokenizer: must be one of 13a, intl, zh, char, none or null (not set)" in done.stderr
