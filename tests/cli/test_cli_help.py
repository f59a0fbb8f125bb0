"""Help, version and completion: complete, short, and at once."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support import Command, assert_polite

from attnfocus import __version__
from attnfocus.cli.verbs import VERBS
from attnfocus.config.folder import description, groups, shipped_folder


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["train", "--help"], ["train", "--help", "trainer"], ["--version"], ["evaluate", "-h"]],
)
def test_help_loads_neither_torch_nor_hydra(arguments: list[str]) -> None:
    code = (
        "import sys; from attnfocus.cli import main; main(sys.argv[1:]);"
        "assert not {'torch', 'hydra', 'omegaconf', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_answers_in_half_a_second(attnfocus_process: Command) -> None:
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        attnfocus_process("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(seconds) < 0.5  # of the processor, the best of three: other processes may share the machine


@pytest.mark.slow
def test_every_choice_is_listed_with_its_line(attnfocus: Command) -> None:
    for group, choices in groups([shipped_folder()]).items():
        shown = attnfocus(
            "train", "--help", group if len(choices) > 1 else f"{group}={next(iter(choices))}", COLUMNS="100"
        ).stdout
        assert f"{group}=" in shown
        for choice, path in choices.items():
            assert choice in shown
            assert description(path), f"{path} has no description"
            assert description(path)[:60] in shown


def test_the_first_screen_is_one_and_says_where_to_start(attnfocus: Command) -> None:
    lines = attnfocus(COLUMNS="80").stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 83  # a command stays whole
    assert "start here" in lines
    assert all(any(line.startswith(f"  {verb} ") for line in lines) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_fits_one_screen(verb: str, attnfocus: Command) -> None:
    lines = attnfocus(verb, "--help", COLUMNS="80").stdout.splitlines()
    assert len(lines) <= 47
    examples = lines.index("examples")
    assert max(map(len, lines[:examples])) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["train", "--help", "trainer.max_steps"],
            ["trainer.max_steps=null  (integer > 0, or null)", "optimizer steps"],
        ),
        (
            ["train", "--help", "trainer"],
            ["trainer.patience=null", "trainer.max_epochs=10; ", "(float32, bf16 or fp16)"],
        ),
        (["train", "--help", "attention=additive"], ["attention.score.hidden_size=null", "attention.num_heads=null"]),
        (["train", "--help", "attention"], ["attention=CHOICE; additive", "Bahdanau et al.", "attention/score="]),
        (
            ["train", "--help", "additive"],
            ["attention=additive", "Also: attnfocus train --help attention/score=additive"],
        ),
        (["train", "--help", "labelled_text"], ["dataset=labelled_text", "dataset.text_column=null"]),
        (["train", "--help", "model=transformer"], ["model.feedforward_dim=256  (integer", "optimizer.lr=0.001"]),
        (["train", "--help", "dataset.tokenizer"], ["dataset.tokenizer.kind=", "dataset.tokenizer.vocab_size="]),
        (["train", "--help", "decoding.beam_size"], ["decoding.beam_size=1  (integer > 0 and <= 1,000)"]),
        (["evaluate", "--help", "split"], ["split=test  (train, valid or test)"]),
        (["--help", "optimizer"], ["optimizer=CHOICE; adam", "adamw"]),
    ],
)
def test_help_of_a_topic_shows_type_range_default_and_a_line(
    arguments: list[str], said: list[str], attnfocus: Command
) -> None:
    done = attnfocus(*arguments, COLUMNS="100")
    assert done.returncode == 0, done.stderr
    for text in said:
        assert text in done.stdout


@pytest.mark.parametrize(
    ("topic", "line"),
    [
        ("lr", "attnfocus train --help optimizer.lr"),
        ("trainer.max_step", "attnfocus train --help trainer.max_steps"),
        ("atention", "attnfocus train --help attention"),
        ("rope", "attnfocus train --help attention=rotary"),
        ("lstm", "attnfocus train --help model=rnn_classifier"),
        ("attention=bahdanau", "attnfocus train --help attention=additive"),
    ],
)
def test_a_topic_that_there_is_not_gets_the_nearest(topic: str, line: str, attnfocus: Command) -> None:
    done = attnfocus("train", "--help", topic)
    assert_polite(done, 2)
    assert done.stderr.endswith(f"Try:\n  {line}\n")


def test_every_key_of_a_run_is_in_the_help_of_its_section(attnfocus: Command) -> None:
    """What `--cfg job` shows and no topic explains would be a key that nobody can look up."""
    shown = attnfocus("train", "--cfg", "job", "-p", "trainer").stdout
    names = [line.split(":")[0] for line in shown.splitlines() if line and not line.startswith("#")]
    explained = attnfocus("train", "--help", "trainer").stdout
    assert len(names) > 20
    assert all(f"  trainer.{name}=" in explained for name in names)


def test_version_is_ours(attnfocus: Command) -> None:
    assert attnfocus("--version").stdout == f"attnfocus {__version__}\n"


def test_completion_knows_verbs_groups_and_choices(attnfocus: Command) -> None:
    assert "complete" in attnfocus("-sc", "install=bash").stdout
    assert attnfocus("-sc", "query=bash", COMP_LINE="attnfocus tr").stdout.split() == list(VERBS)
    assert "attention" in attnfocus("-sc", "query=bash", COMP_LINE="attnfocus train att").stdout
    choices = attnfocus("-sc", "query=bash", COMP_LINE="attnfocus train attention=a").stdout.split()
    assert "attention=additive" in choices


def test_completion_knows_paths(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "outputs" / "2026-01-01").mkdir(parents=True)
    (tmp_path / "out.tsv").write_text("")

    def offered(line: str, shell: str = "bash") -> list[str]:
        return attnfocus("-sc", f"query={shell}", COMP_LINE=line).stdout.split()

    assert offered("attnfocus train dataset.train=ou") == ["dataset.train=out.tsv", "dataset.train=outputs/"]
    assert offered("attnfocus evaluate run=outputs/", "fish") == ["run=outputs/2026-01-01/"]
    assert "resume=out.tsv" in offered("attnfocus train model=seq2seq resume=")
    assert offered("attnfocus predict input=./o") == ["input=./out.tsv", "input=./outputs"]
    assert offered("attnfocus train model=seq2") == ["model=seq2seq"]
    assert offered("attnfocus compare ou") == ["outputs/"]
    assert offered("attnfocus compare outputs baseline=ou") == ["baseline=out.tsv", "baseline=outputs/"]
    assert "format=" in offered("attnfocus compare fo")


def test_config_is_shown_without_running(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("train", "model=transformer", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert "_target_: attnfocus.models.TransformerClassifier" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config-dir", "mine"],
        ["--config-dir=mine", "--help"],
        ["train", "--help", "--config-dir", "mine"],
        ["-cd", "mine", "train", "-h"],
    ],
)
def test_choices_of_the_users_own_are_listed(arguments: list[str], attnfocus: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "attention"
    folder.mkdir(parents=True)
    (folder / "sharp.yaml").write_text("# Sharper than others\ndefaults:\n  - cosine\n  - _self_\n")
    done = attnfocus(*arguments)
    assert done.returncode == 0, done.stderr
    assert "sharp" in done.stdout
    assert ("Sharper than others" in done.stdout) == ("train" not in arguments)


def test_a_config_dir_needs_a_name(attnfocus: Command) -> None:
    for arguments in (["--config-dir"], ["train", "--config-dir"], ["train", "--config-dir="]):
        assert_polite(attnfocus(*arguments), 2)


@pytest.mark.slow
def test_groups_of_the_users_own_come_from_config_dir(attnfocus: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "attention"
    folder.mkdir(parents=True)
    (folder / "sharp.yaml").write_text("# mine\ndefaults:\n  - cosine\n  - _self_\ndropout: 0.25\n")
    done = attnfocus("train", "attention=sharp", "--config-dir", "mine", "--cfg", "job", "-p", "attention")
    assert done.returncode == 0, done.stderr
    assert "dropout: 0.25" in done.stdout
    assert "CosineScore" in done.stdout
