"""The embedded sets are learnt, and the real ones train, through the real command."""

import json
import os
from pathlib import Path

import pytest
from tests_support import Command, only_run, summary_of

REAL = os.environ.get("ATTNFOCUS_DATA")
needs_real_data = pytest.mark.skipif(not REAL, reason="set ATTNFOCUS_DATA to the folder of the named data sets")


# Three languages, a quarter of the width and a rate that suits it: 313 steps that take five seconds, not a minute.
DATES = (
    "model=seq2seq",
    "attention=additive",
    "model.embed_dim=64",
    "model.hidden_size=64",
    "model.dropout=0",
    "optimizer.lr=0.01",
    "scheduler.warmup_steps=20",
    "dataset.languages=[de,en,zh]",
    "dataset.num_train=5000",
    "dataset.num_valid=50",
    "dataset.num_test=200",
    "trainer.batch_size=16",
    "trainer.max_epochs=1",
    "focus.num_samples=0",
)


@pytest.mark.slow
def test_dates_are_learnt_and_aligned(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("train", *DATES)
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    test = summary_of(run)["test"]
    assert test["exact_match"] >= 0.95  # 0.06 where all weights are equal, or have no gradient
    assert test["focus/effective_positions"] < 0.5 * test["focus/positions"]
    # A date that is written out in full, in three languages.
    lines = ["Freitag, 3. Mai 1999", "1999年5月3日", "May 3, 1999"]
    answers = attnfocus("predict", f"run={run}", "format=jsonl", input="\n".join(lines) + "\n").stdout.splitlines()
    assert [json.loads(answer)["prediction"] for answer in answers] == ["1999-05-03"] * 3
    # Where each part is written: of 1999-05-03 the digits 9, 9, 5 and 3, which cannot be known without reading it.
    for line, month, day in zip(lines, ("Mai", "5月", "May"), ("3.", "3日", "3,"), strict=True):
        shown = attnfocus("inspect", f"run={run}", f"text={line}", "method=attention", "format=json", "files=[]")
        (weights,) = json.loads(shown.stdout)["examples"][0]["maps"][0]["weights"]
        for query, part in ((2, "1999"), (3, "1999"), (6, month), (9, day)):
            start = line.index(part)
            assert sum(weights[query][start : start + len(part)]) > 0.5, (line, query)


LANGUAGES = (
    "model=transformer",
    "model.embed_dim=64",
    "model.feedforward_dim=128",
    "optimizer.lr=0.004",
    "scheduler.warmup_steps=20",
    "dataset.languages=[de,en,fr,ja,ru,zh]",
    "dataset.tokenizer.vocab_size=2000",
    "dataset.num_train=4000",
    "dataset.num_valid=100",
    "dataset.num_test=400",
    "trainer.batch_size=32",
    "trainer.max_epochs=1",
    "focus.num_samples=0",
)


@pytest.mark.slow
def test_languages_are_learnt(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("train", *LANGUAGES)
    assert done.returncode == 0, done.stderr
    test = summary_of(only_run(tmp_path))["test"]
    assert test["accuracy"] >= 0.90  # 0.17 by chance
    # The mean of all names tells languages apart too; attention has learnt something where it is narrower.
    assert test["focus/effective_positions"] < 0.7 * test["focus/positions"]


@needs_real_data
@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    "choices",
    [
        ["model=seq2seq", "dataset=multi30k", "model.hidden_size=32"],
        ["model=seq2seq", "dataset=tatoeba_cmn", "model.hidden_size=32", "model.order=attend_then_recur"],
        ["model=rnn_classifier", "dataset=sst2"],
        ["model=transformer", "dataset=trec"],
        ["model=transformer", "dataset=thucnews"],
        ["model=pooling_classifier", "dataset=mr", "attention=multi_head"],
    ],
    ids=" ".join,
)
def test_real_sets_train(choices: list[str], attnfocus: Command, tmp_path: Path) -> None:
    small = [  # the whole of valid and test is evaluated: in large batches, by small models
        "trainer.max_steps=3",
        "trainer.batch_size=128",
        "dataset.clean.max_train_rows=400",
        "model.embed_dim=32",
        "decoding.beam_size=1",
        "decoding.max_length=5",
        "focus.num_samples=0",
    ]
    assert REAL is not None
    done = attnfocus("train", *choices, *small, ATTNFOCUS_DATA=REAL)
    assert done.returncode == 0, done.stderr
    summary = summary_of(only_run(tmp_path))
    assert summary["status"] == "completed"
    assert summary["test"]["loss"] > 0
