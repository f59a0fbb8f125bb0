"""A mistake on the command line gets one message that names it and exit code 2: no traceback, no advice of Hydra."""

from pathlib import Path

import pytest
from tests_support import Command, assert_polite

CASES = {
    "a mistyped group": (["atention=dot"], ["attention"]),
    "a mistyped choice": (["attention=additiv"], ["attention=additiv", "Did you mean additive?"]),
    "a mistyped choice of a factor": (["attention/pattern=casual"], ["Did you mean causal?"]),
    "a mistyped key": (["optimizer.learning_rate=1"], ["Did you mean optimizer.lr?"]),
    "a key without its section": (["beam_size=3"], ["Did you mean decoding.beam_size?"]),
    "a key of another score": (["attention=dot", "attention.score.hidden_size=8"], ["attention.score.hidden_size"]),
    "a wrong type": (["trainer.max_steps=abc"], ["trainer.max_steps", "integer", "'abc'"]),
    "a negative rate": (["optimizer.lr=-1"], ["optimizer.lr", "must be > 0", "-1"]),
    "a rate that is not a number": (["optimizer.lr=nan"], ["optimizer.lr", "must be > 0", "nan"]),
    "dropout above one": (["model.dropout=1.5"], ["model.dropout", "< 1", "1.5"]),
    "heads that do not divide": (["model=transformer", "model.num_heads=5"], ["5", "divi"]),
    "an added key": (["+foo=1"], ["+foo=1", "refused"]),
    "an added target": (["+attention._target_=os.getcwd"], ["refused"]),
    "a removed group": (["~model"], ["~model", "refused"]),
    "a foreign target": (["attention._target_=os.getcwd"], ["attention._target_", "os.getcwd", "trust="]),
    "an option that cannot be read": (["trainer.max_steps"], ["trainer.max_steps", "key=value"]),
    "no such device": (["device=cuda"], ["device", "cuda", "device=auto"]),
    "a device that does not exist": (["device=tpu"], ["device", "tpu"]),
    "a missing variable": (["paths.outputs=${oc.env:ATTNFOCUS_NO_SUCH}"], ["ATTNFOCUS_NO_SUCH"]),
    "an interpolation loop": (["paths.outputs=${paths.data}", "paths.data=${paths.outputs}"], ["paths"]),
    "a model that cannot serve the data": (["model=transformer", "dataset=dates"], ["transformer", "seq2seq"]),
    "a loss of another task": (["trainer.loss=mse"], ["mse"]),
    "a pattern between two sequences": (["attention/pattern=causal"], ["pattern"]),
    "a metric that does not exist": (["trainer.monitor=blue"], ["trainer.monitor", "bleu"]),
    "no limit": (["trainer.max_epochs=null", "trainer.max_steps=null"], ["trainer.max_steps", "at least one"]),
    "too many jobs": (["-m", "optimizer.lr=range(1,100000000)"], ["max_jobs", "99999999"]),
    "a missing run": (["resume=nowhere"], ["resume", "nowhere"]),
    "a missing file": (["dataset=parallel_text", "dataset.train=no.tsv"], ["dataset.train", "no.tsv"]),
    "no file given": (["dataset=labelled_text", "model=transformer"], ["dataset.train"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_named(case: str, attnfocus: Command) -> None:
    arguments, said = CASES[case]
    done = attnfocus("train", *arguments)
    assert_polite(done, 2)
    for text in said:
        assert text in done.stderr, done.stderr


def test_all_mistakes_are_named_at_once(attnfocus: Command) -> None:
    done = attnfocus("train", "attention.score.hiden_size=3", "trainer.max_steps=-5", "model.dropout=2")
    assert done.returncode == 2
    assert "3 problems in the configuration:" in done.stderr
    assert "attention.score.hiden_size: unknown key. Did you mean attention.score.hidden_size?" in done.stderr
    assert "trainer.max_steps: must be null or > 0, got -5." in done.stderr
    assert "model.dropout: must be >= 0 and < 1, got 2." in done.stderr


def test_nothing_is_written_after_a_mistake(attnfocus: Command, tmp_path: Path) -> None:
    attnfocus("train", "trainer.max_steps=-5")
    attnfocus("train", "dataset=parallel_text", "dataset.train=no.tsv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["trian"], ["train", "--no-such-flag"], ["evaluate"], ["predict", "run=nowhere"]]
)
def test_usage_errors_exit_with_2(arguments: list[str], attnfocus: Command) -> None:
    assert_polite(attnfocus(*arguments), 2)


def test_an_unknown_verb_gets_the_nearest(attnfocus: Command) -> None:
    assert "Did you mean train?" in attnfocus("trian").stderr


def test_debug_shows_the_traceback(attnfocus: Command) -> None:
    done = attnfocus("train", "trainer.max_steps=-5", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_an_output_folder_that_is_a_file_is_named(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = attnfocus(
        "train", "paths.outputs=taken", "dataset.num_train=50", "dataset.num_valid=10", "dataset.num_test=10"
    )
    assert_polite(done, 2)
    assert "paths.outputs" in done.stderr
