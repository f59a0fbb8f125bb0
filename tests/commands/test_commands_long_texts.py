"""Own text files for language models, through the real command."""

import re
from pathlib import Path

import pytest
from tests_support import Command, assert_polite, summary_of

TEXT = "".join(f"Line {n} says that {n} is {'odd' if n % 2 else 'even'}.\n" for n in range(120))
TINY = (
    "model=language_model",
    "dataset=text",
    "dataset.train=input.txt",
    "dataset.codec.window=16",
    "model.embed_dim=16",
    "model.num_layers=1",
    "scheduler=constant",
    "focus.num_samples=1",
    "trainer.batch_size=32",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "input.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_a_run_on_a_text_goes_on_to_the_bit_and_continues_a_prefix(attnfocus: Command, folder: Path) -> None:
    done = attnfocus("train", *TINY, "trainer.max_epochs=3", "run_dir=whole", "report=true")
    assert done.returncode == 0, done.stderr
    train = round(len(TEXT) * 0.9)
    assert f"train: {train:,} tokens in {-(-(train - 1) // 16)} windows" in done.stderr
    summary = summary_of(folder / "whole")
    assert summary["test"]["bits_per_character"] == pytest.approx(summary["test"]["loss"] / 0.6931471805599453)
    assert (folder / "whole" / "report.html").exists()

    limits = ("trainer.max_steps=7", "trainer.max_epochs=null", "trainer.num_workers=1")
    halted = attnfocus("train", *TINY, *limits, "run_dir=half")
    assert halted.returncode == 0, halted.stderr
    again = attnfocus("train", "resume=half", "trainer.max_steps=null", "trainer.max_epochs=3")
    assert again.returncode == 0, again.stderr
    assert summary_of(folder / "half")["test"] == summary["test"]

    for prefix in ("Line 7 says", TEXT[:300].replace("\n", " ")):  # of what is longer than a window the end is read
        written = attnfocus("predict", "run=whole", f"text={prefix}", "decoding.max_length_constant=40")
        assert written.returncode == 0, written.stderr
        assert written.stdout.startswith(prefix)
        assert len(written.stdout) == len(prefix) + 40 + 1  # and the line end
    looked = attnfocus("inspect", "run=whole", "text=Line 7", "format=json")
    assert looked.returncode == 0, looked.stderr
    (folder / "other.txt").write_text("Line 7 says that 8 is even.\n", encoding="utf-8")
    tested = attnfocus("evaluate", "run=whole", "dataset.test=other.txt", "format=json")
    assert tested.returncode == 0, tested.stderr
    shown = attnfocus("data", *TINY, "format=json")
    assert shown.returncode == 0, shown.stderr


def test_packed_texts_train_and_are_evaluated_one_by_one(attnfocus: Command, folder: Path) -> None:
    packed = ("dataset.documents=lines", "trainer.packing=true", "dataset.codec.window=64", "trainer.batch_size=4")
    limits = ("trainer.max_steps=4", "trainer.num_workers=1")
    regularized = ("focus=entropy", "focus.entropy.weight=0.1")  # whose steps take the texts apart
    for options in ((), regularized):
        done = attnfocus("train", *TINY, *packed, *limits, *options, f"run_dir=packed{len(options)}")
        assert done.returncode == 0, done.stderr
        assert re.search(r"packed: \d+ texts in \d+ rows of 64, \d\d\.\d % of which they fill", done.stderr)
    summary = summary_of(folder / "packed0")
    with_context = ("dataset.codec.context=16", "trainer.max_steps=4")
    done = attnfocus("train", *TINY, *with_context, "attention=transformer_xl", "model.position=none", "run_dir=read")
    assert done.returncode == 0, done.stderr
    assert attnfocus("predict", "run=read", "text=Line 7", "decoding.max_length_constant=40").returncode == 0
    test = summary_of(folder / "read")["test"]  # of all characters but the first
    assert test["bits_per_character"] == pytest.approx(test["loss"] / 0.6931471805599453)
    assert summary["test"]["loss"] < 5  # a handful of steps


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("dataset.codec.window=1000",), "the model reads at most 512 tokens. Set model.max_length=1000"),
        (("dataset.clean.deduplicate=true",), "is for sets of rows"),
        (("dataset.codec.windows=8",), "dataset.codec.window"),
        (("dataset.train=inptu.txt",), "Did you mean input.txt?"),
        (("dataset.train=null",), "Give a text file"),
        (("dataset.documents=sentences",), "must be one of whole, lines, paragraphs"),
        (("model=seq2seq",), "is for language_modeling"),
        (("dataset.codec.context=1000",), "and context and window have 1128"),
        (("dataset.codec.context=16", "dataset.documents=lines"), "each document begins anew"),
        (("dataset.codec.context=16", "focus=entropy"), "a context has no gradient"),
        (("trainer.packing=true",), "train is one document, whose windows fill their rows. Use trainer.packing=false"),
    ],
)
def test_what_a_text_cannot_have_is_refused(
    given: tuple[str, ...], said: str, attnfocus: Command, folder: Path
) -> None:
    refused = attnfocus("train", *TINY[:3], *given)
    assert_polite(refused, 2)
    assert said in " ".join(refused.stderr.split())
