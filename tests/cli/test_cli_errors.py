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
    "a wrong type": (["trainer.max_steps=abc"], ["trainer.max_steps", "whole number", "'abc'"]),
    "a negative rate": (["optimizer.lr=-1"], ["optimizer.lr", "must be > 0", "-1"]),
    "a rate that is not a number": (["optimizer.lr=nan"], ["optimizer.lr", "must be > 0", "nan"]),
    "dropout above one": (["model.dropout=1.5"], ["model.dropout", "< 1", "1.5"]),
    "heads that do not divide": (["model=transformer", "model.num_heads=5"], ["5", "divi"]),
    "an added key": (["+foo=1"], ["+foo=1", "leave out the +, which adds no keys here"]),
    "an added target": (
        ["+attention._target_=os.getcwd"],
        ["leave out the +", "os.getcwd lies outside the allowed packages"],
    ),
    "a removed group": (["~model"], ["~model", "keys cannot be removed with ~"]),
    "a foreign target": (["attention._target_=os.getcwd"], ["attention._target_", "os.getcwd", "trust="]),
    "an option that cannot be read": (["trainer.max_steps"], ["trainer.max_steps", "trainer.max_steps=VALUE"]),
    "no such device": (
        ["device=cuda"],
        ["device: cuda: this PyTorch ", "attnfocus doctor", "device=cpu"],
    ),
    "a device that does not exist": (["device=tpu"], ["device", "tpu"]),
    "a missing variable": (["paths.outputs=${oc.env:ATTNFOCUS_NO_SUCH}"], ["ATTNFOCUS_NO_SUCH"]),
    "an interpolation loop": (["paths.outputs=${paths.data}", "paths.data=${paths.outputs}"], ["paths"]),
    "an attention at a place that the model does not have": (
        ["model=seq2seq", "attention@model.cross_attention=dot"],
        ["attention@model.cross_attention=dot", "model=seq2seq takes no attention at model.cross_attention"],
    ),
    "an attention at a place as a plain value": (
        ["model=transformer_seq2seq", "model.cross_attention=dot"],
        ["model.cross_attention: is not one value; choose with attention@model.cross_attention=dot."],
    ),
    "a model that cannot serve the data": (["model=transformer", "dataset=dates"], ["transformer", "seq2seq"]),
    "a loss of another task": (["trainer.loss=mse"], ["mse"]),
    "a pattern between two sequences": (["attention/pattern=causal"], ["pattern"]),
    "a metric that does not exist": (["trainer.monitor=blue"], ["trainer.monitor", "bleu"]),
    "no limit": (["trainer.max_epochs=null", "trainer.max_steps=null"], ["trainer.max_steps", "at least one"]),
    "too many jobs": (["-m", "optimizer.lr=range(1,100000000)"], ["max_jobs", "99999999"]),
    "a missing run": (["resume=nowhere"], ["resume", "nowhere"]),
    "a missing file": (["dataset=parallel_text", "dataset.train=no.tsv"], ["dataset.train", "no.tsv"]),
    "a value without a key": (["=3"], ["=3: has no key"]),
    "a value for a section": (["dataset.tokenizer=bpe"], ["kind, vocab_size", "dataset.tokenizer.kind=bpe"]),
    "a number for a section": (["dataset.tokenizer=4000"], ["dataset.tokenizer.vocab_size=4000"]),
    "a path for a section": (["paths=here"], ["data, outputs", "paths.data=here"]),
    "null for a section": (["dataset.clean=null"], ["dataset.clean=null", "dataset.clean.max_words=null"]),
    "a key below a value": (["optimizer.lr.max=1"], ["optimizer.lr is a single value"]),
    "no file given": (["dataset=labelled_text", "model=transformer"], ["dataset.train"]),
}


@pytest.mark.slow
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
    assert "trainer.max_steps: must be > 0 or null (not set), got -5." in done.stderr
    assert "model.dropout: must be >= 0 and < 1, got 2." in done.stderr


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluate", "runn=outputs/x"], ["runn: unknown key. Did you mean run?"]),
        (["evaluate", "run=outputs/x", "beam_size=2"], ["Did you mean decoding.beam_size?"]),
        (["evaluate", "run=outputs/x", "decoding=2"], ["decoding.beam_size"]),
        (
            ["predict", "model=seq2seq", "run=outputs/x"],
            ["model: unknown key. predict trains nothing", "predict has: ", "run", "input", "format"],
        ),
        (
            ["list", "trainer.max_steps=2"],
            ["list trains nothing, so it takes no trainer.max_steps. Leave it out. list has"],
        ),
        (
            ["train", "faithfulness=true", "seed=2"],
            ["faithfulness: not a key of train, but of evaluate. After training: attnfocus evaluate run=latest faithf"],
        ),
        (
            ["inspect", "run=outputs/x", "scheduler=cosine"],
            ["takes no scheduler: a run keeps what it was trained with. Leave it out. "],
        ),
        (["predict", "run=outputs/x", "inptu=a.txt"], ["Did you mean input?"]),
    ],
)
def test_a_wrong_key_gets_those_of_its_own_verb(arguments: list[str], said: list[str], attnfocus: Command) -> None:
    done = attnfocus(*arguments)
    assert_polite(done, 2)
    for text in said:
        assert text in done.stderr, done.stderr
    assert "attention" not in done.stderr
    assert "optimizer" not in done.stderr


@pytest.mark.slow
def test_a_section_takes_a_mapping_and_a_sweep_over_its_keys(attnfocus: Command) -> None:
    done = attnfocus("train", "dataset.tokenizer={kind: bpe}", "--cfg", "job", "-p", "dataset.tokenizer")
    assert done.returncode == 0, done.stderr
    assert "kind: bpe" in done.stdout
    assert "vocab_size" in done.stdout
    done = attnfocus("train", "-m", "dataset.tokenizer=bpe,word")
    assert_polite(done, 2)
    assert "dataset.tokenizer.kind=bpe" in done.stderr


def test_the_limit_of_jobs_is_that_of_the_configuration(attnfocus: Command) -> None:
    done = attnfocus("train", "-m", "seed=1,2,3", "max_jobs=2")
    assert_polite(done, 2)
    assert "3 jobs, more than max_jobs=2" in done.stderr


@pytest.mark.parametrize("arguments", [["train", "attention=dot"], []])
def test_a_config_dir_that_is_not_there_is_said_once(arguments: list[str], attnfocus: Command) -> None:
    done = attnfocus(*arguments, "--config-dir", "nope")
    assert_polite(done, 2)
    assert done.stderr.count("nope") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["install=fsh"], ["Did you mean fish?", "bash, fish, zsh"]),
        (["install=powershell"], ["bash, fish, zsh"]),
        (["instal=bash"], ["install=SHELL"]),
        ([], ["install=SHELL"]),
    ],
)
def test_completion_for_an_unknown_shell_names_the_three(
    arguments: list[str], said: list[str], attnfocus: Command
) -> None:
    done = attnfocus("-sc", *arguments)
    assert_polite(done, 2)
    for text in said:
        assert text in done.stderr


def test_debug_shows_the_traceback(attnfocus: Command) -> None:
    done = attnfocus("train", "trainer.max_steps=-5", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


@pytest.mark.slow
def test_an_output_folder_that_is_a_file_is_named(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = attnfocus(
        "train", "paths.outputs=taken", "dataset.num_train=50", "dataset.num_valid=10", "dataset.num_test=10"
    )
    assert_polite(done, 2)
    assert "paths.outputs" in done.stderr
