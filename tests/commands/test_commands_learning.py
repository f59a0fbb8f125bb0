"""The embedded sets are learnt, and the real ones train, through the real command."""

import json
import os
from pathlib import Path

import pytest
from tests_support import Command, only_run, summary_of

REAL = os.environ.get("ATTNFOCUS_DATA")
needs_real_data = pytest.mark.skipif(not REAL, reason="set ATTNFOCUS_DATA to the folder of the named data sets")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_dates_are_learnt_and_aligned(attnfocus_process: Command, attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus_process("train", "model=seq2seq", "attention=additive", "trainer.max_epochs=1", timeout=900)
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    test = summary_of(run)["test"]
    assert test["exact_match"] >= 0.98
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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_languages_are_learnt(attnfocus_process: Command, tmp_path: Path) -> None:
    done = attnfocus_process("train", "model=transformer", "trainer.max_epochs=1", timeout=900)
    assert done.returncode == 0, done.stderr
    assert summary_of(only_run(tmp_path))["test"]["accuracy"] >= 0.90


@needs_real_data
@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    "choices",
    [
        ["model=seq2seq", "dataset=multi30k"],
        ["model=seq2seq", "dataset=tatoeba_cmn", "model.order=attend_then_recur"],
        ["model=rnn_classifier", "dataset=sst2"],
        ["model=transformer", "dataset=trec"],
        ["model=transformer", "dataset=thucnews"],
        ["model=pooling_classifier", "dataset=mr", "attention=multi_head"],
    ],
    ids=" ".join,
)
def test_real_sets_train(choices: list[str], attnfocus: Command, tmp_path: Path) -> None:
    small = [
        "trainer.max_steps=3",
        "dataset.clean.max_train_rows=400",
        "decoding.beam_size=1",
        "decoding.max_length=10",
    ]
    assert REAL is not None
    done = attnfocus("train", *choices, *small, "trainer.batch_size=16", ATTNFOCUS_DATA=REAL)
    assert done.returncode == 0, done.stderr
    summary = summary_of(only_run(tmp_path))
    assert summary["status"] == "completed"
    assert summary["test"]["loss"] > 0
