"""What is typed out of habit is answered with the line to paste, which works, and is never taken."""

import shlex
from pathlib import Path

import pytest
from tests_support import Command

from attnfocus.cli.verbs import VERBS
from attnfocus.cli.words import FLAGS, VALUE_FLAGS
from attnfocus.config import habits
from attnfocus.config.nearest import by_nearness, nearest
from attnfocus.config.synonyms import SYNONYMS
from attnfocus.config.wrong_choices import own_columns

CASES = {
    "train lr=0.01 model=seq2seq": "train optimizer.lr=0.01 model=seq2seq",
    "train epochs=3": "train trainer.max_epochs=3",
    "train batch_size=16 attention=bahdanau": "train trainer.batch_size=16 attention=additive",
    "train gpu=true": "train device=cuda",
    "train gpus=2": "train distributed=ddp distributed.num_processes=2",
    "train optimizer.learning_rate=0.1": "train optimizer.lr=0.1",
    "train wandb=true": "train tracker=wandb",
    "train trainer.early_stopping=3": "train trainer.patience=3",
    "train early_stopping=true": "train trainer.patience=5",
    "train trainer.monitor=f1 model=transformer": "train trainer.monitor=macro_f1 model=transformer",
    "train monitor=f1 model=transformer": "train trainer.monitor=macro_f1 model=transformer",
    "train help": "train --help",
    "train help trainer": "train --help trainer",
    "help": "--help",
    "version": "--version",
    "train model seq2seq": "train model=seq2seq",
    "model seq2seq": "train model=seq2seq",
    "model = seq2seq lr 0.1": "train model=seq2seq optimizer.lr=0.1",
    "model: lstm": "train model=rnn_classifier model.cell=lstm",
    "model seqtoseq": "train model=seq2seq",
    "optimizer adam": "train optimizer=adam",
    "attention additive": "train attention=additive",
    "attention dot,bahdanau": "train -m attention=dot,additive",
    "attention latest": "inspect run=latest",
    "metric ter": "train metric=ter",
    "search seq2seq": "train -m search=seq2seq",
    "search model=seq2seq": "train -m search=seq2seq model=seq2seq",
    "dataset my.csv": "train model=transformer dataset=labelled_text dataset.train=my.csv",
    "train --model seq2seq --lr 0.1": "train model=seq2seq optimizer.lr=0.1",
    "--model seq2seq": "train model=seq2seq",
    "model=seq2seq train": "train model=seq2seq",
    "fit model = lstm dataset=trec": "train model=rnn_classifier model.cell=lstm dataset=trec",
    "train model=lstm dataset=dates": "train model=seq2seq model.cell=lstm dataset=dates",
    "train model=bert": "train model=transformer",
    "train attention=luong": "train attention=general",
    "train attention=flash": "train attention=scaled_dot",
    "train attention=self model=transformer": "train attention=multi_head model=transformer",
    "train -m attention=bahdanau,luong": "train -m attention=additive,general",
    "train dataset=my.csv": "train model=transformer dataset=labelled_text dataset.train=my.csv",
    "train dataset=my.tsv model=seq2seq": "train dataset=parallel_text dataset.train=my.tsv model=seq2seq",
    "train attention=dot,general": "train -m attention=dot,general",
    "train optimizer.lr=0,01": "train optimizer.lr=0.01",
    "train dataset.tokenizer=bpe": "train dataset.tokenizer.kind=bpe",
    "train trainer.compile=yes": "train trainer.compile=true",
    "train trainer.max_steps=1e3": "train trainer.max_steps=1000",
    "train training.max_steps=10": "train trainer.max_steps=10",
    "train resume=true": "train resume=latest",
    "evaluate run=x split=dev": "evaluate run=x split=valid",
    "predict run=x checkpoint=latest": "predict run=x checkpoint=last",
    "inspect run=x files=html": "inspect run=x 'files=[html]'",
    "bench attention=dot": "bench attentions=dot",
    "train device=gpu": "train device=auto",
    "train trainer.lr=0.1": "train optimizer.lr=0.1",
    "train optimizer.lr=-0.1": "train optimizer.lr=0.1",
    "train trainer.max_steps=0": "train trainer.max_steps=null",
    "train trainer.max_steps=-1": "train trainer.max_steps=null",
    "train trainer.patience=-1": "train trainer.patience=null",
    "train optimizer.lr=-1": "train optimizer.lr=0.002",
    "train trainer.max_steps=-2": "train trainer.max_steps=2",
    "train dataset=imdb model=transformer": "train dataset=hub dataset.path=stanfordnlp/imdb "
    "dataset.test_split=test dataset.text_column=text dataset.label_column=label model=transformer",
    "evaluate run=x new.csv": "evaluate run=x dataset.test=new.csv",
    "evaluate new.csv": "evaluate run=latest dataset.test=new.csv",
    "evaluate new.csv outputs/x": "evaluate dataset.test=new.csv run=outputs/x",
    "evaluate new.csv --ckpt outputs/x": "evaluate dataset.test=new.csv run=outputs/x",
    "evaluate new.csv --runn outputs/x": "evaluate dataset.test=new.csv run=outputs/x",
    "evaluate --split test": "evaluate run=latest split=test",
    "inspect '3 May'": "inspect run=latest 'text=3 May'",
    "predict '3 May' run=x": "predict run=x 'text=3 May'",
    "predict run=x new.csv": "predict run=x input=new.csv",
    "train dataset=labelled_text encoding=cp1252": "train dataset=labelled_text dataset.encoding=cp1252",
    "train metrics.bleu_tokenizer=char": "train trainer.bleu_tokenizer=char",
    "evaluate run=x encoding=cp1252": "evaluate run=x dataset.encoding=cp1252",
    "predict run=x charset=cp1252": "predict run=x encoding=cp1252",
    "train dataset=labelled_text sep=semicolon": "train dataset=labelled_text dataset.separator=semicolon",
    "evaluate run=x input_format=csv": "evaluate run=x dataset.format=csv",
    "train dataset=hub dataset.path=x max_rows=3": "train dataset=hub dataset.path=x dataset.max_rows=3",
    "evaluate run=x input=new.csv": "evaluate run=x dataset.test=new.csv",
    "evaluate run=x data=new.csv": "evaluate run=x dataset.test=new.csv",
    "evaluate run=x file=new.csv": "evaluate run=x dataset.test=new.csv",
    "inspect run=x file=new.csv": "inspect run=x input=new.csv",
    "evaluate run=x train_file=old.csv": "evaluate run=x dataset.train=old.csv",
    "data my.csv": "data model=transformer dataset=labelled_text dataset.train=my.csv",
}


@pytest.mark.parametrize("typed", CASES)
def test_a_habit_is_answered_with_the_line_to_paste(typed: str, attnfocus: Command) -> None:
    done = attnfocus(*shlex.split(typed))
    assert done.returncode == 2, done.stderr
    assert done.stderr.endswith(f"Try:\n  attnfocus {CASES[typed]}\n"), done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("typed", ["train --cfg job --model lstm dataset=trec", "train -p optimizer --cfg job lr=0.5"])
def test_the_line_is_one_that_works(typed: str, attnfocus: Command) -> None:
    pasted = attnfocus(*shlex.split(typed)).stderr.splitlines()[-1]
    done = attnfocus(*shlex.split(pasted)[1:])
    assert done.returncode == 0, done.stderr
    assert "RNNClassifier" in done.stdout or "lr: 0.5" in done.stdout


def test_a_file_of_ones_own_is_read_as_its_header_says(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "reviews.tsv").write_text("review\tsentiment\ngood\tpositive\n")
    said = attnfocus("train", "dataset=reviews.tsv").stderr
    line = "dataset=labelled_text dataset.train=reviews.tsv dataset.text_column=review dataset.label_column=sentiment"
    assert f"attnfocus train model=transformer {line}\n" in said


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("title,Text,label", ("Text", "label")),
        ("title,stars", ("title", "stars")),
        ("评论,标签", ("评论", "标签")),
        ("comment,polarity", ("comment", "polarity")),
    ],
)
def test_columns_are_known_as_where_a_file_is_read_and_the_likeliest_is_taken(
    header: str, columns: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(f"{header}\n", encoding="utf-8")
    assert tuple(own_columns(tmp_path / "t.csv").values()) == columns
    (tmp_path / "t.csv").write_text("input,target\n")  # also names of pairs
    assert own_columns(tmp_path / "t.csv") == {}


def test_a_file_of_inputs_gets_its_key_and_a_run(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("text\ngood\n")
    assert attnfocus("predict", "new.csv").stderr.endswith("Try:\n  attnfocus predict run=latest input=new.csv\n")
    said = attnfocus("predict", "new.csv", "--resume", "outputs/x").stderr
    assert said.endswith("Try:\n  attnfocus predict input=new.csv run=outputs/x\n")
    assert "run=latest" not in attnfocus("predict", "input=").stderr.partition("Try:")[0]


def test_a_mistake_that_nobody_can_mend_gets_no_line(attnfocus: Command) -> None:
    for arguments in (["train", "lr=0.1", "qqqqqq=1"], ["train", "qqqqqq=1"], ["zzzzzz"]):
        done = attnfocus(*arguments)
        assert done.returncode == 2
        assert "Try:" not in done.stderr


def test_several_slips_are_answered_at_once(attnfocus: Command) -> None:
    said = attnfocus("--model", "lstm", "--lr", "0.1", "--epochs=3").stderr
    assert "--model, --lr, --epochs: options are written key=value, after a command such as train." in said
    assert said.endswith(
        "  attnfocus train model=rnn_classifier model.cell=lstm optimizer.lr=0.1 trainer.max_epochs=3\n"
    )


def test_our_own_folder_stays_in_the_line(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "mine" / "attention").mkdir(parents=True)
    (tmp_path / "mine" / "attention" / "sharp.yaml").write_text("# Sharp\ndefaults:\n  - cosine\n  - _self_\n")
    said = attnfocus("train", "--config-dir", "mine", "attention=sharpe").stderr
    assert said.endswith("  attnfocus train --config-dir mine attention=sharp\n")


def test_what_the_field_calls_it_counts_as_near() -> None:
    assert nearest("bahdanau", ["dot", "additive"]) == ["additive"]
    assert by_nearness("luong", ["additive", "dot", "general"]) == ["general", "dot", "additive"]
    assert nearest("window", ["adaptive_span", "local", "longformer"], count=1) == ["local"]
    assert nearest("learning_rate", ["lr", "eps"]) == ["lr"]


def test_every_habit_leads_to_something_that_there_is(attnfocus: Command) -> None:
    """A word that leads to a renamed key would be answered wrongly."""
    shown = attnfocus("train", "--cfg", "job", "model=transformer_seq2seq", "dataset=parallel_text").stdout
    shown += attnfocus("train", "--cfg", "job", "model=seq2seq", "dataset=labelled_text").stdout
    shown += attnfocus("train", "--cfg", "job", "model=transformer", "dataset=hub").stdout
    shown += attnfocus("train", "--cfg", "job", "optimizer=sgd", "model=transformer").stdout
    shown += attnfocus("train", "--cfg", "job", "model=language_model", "dataset=shakespeare").stdout
    shown += "".join(attnfocus(verb, "--cfg", "job").stdout for verb in VERBS if verb != "train")
    targets = {ours for found in habits.KEYS.values() for ours in found}
    targets |= {text.split("=")[0] for each in habits.SWITCHES.values() for texts in each.values() for text in texts}
    for ours in targets - {"-m", "--debug", "--config-dir"}:
        assert f"{ours.rsplit('.', 1)[-1]}:" in shown, ours
    assert set().union(*habits.VERBS.values()) <= set(VERBS)
    assert not set(SYNONYMS) & {""}


def test_a_sweep_shows_no_configuration(attnfocus: Command) -> None:
    for shown in ("--cfg job", "--info defaults"):
        refused = attnfocus("train", "-m", *shown.split(), "seed=1")
        assert refused.returncode == 2
        assert "-m: runs many, and --cfg and --info show one run. Leave out -m." in refused.stderr
        assert f"attnfocus train {shown} seed=1\n" in refused.stderr


def test_the_flags_are_those_of_hydra() -> None:
    from hydra._internal.utils import get_args_parser

    options = {text for action in get_args_parser()._actions for text in action.option_strings}
    assert options <= FLAGS | VALUE_FLAGS
