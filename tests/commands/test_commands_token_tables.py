"""`model.embedding.ngrams`: words and their letters, through a whole run."""

import re
from pathlib import Path

import pytest
import yaml

import attnfocus
from attnfocus.cli.main import main
from attnfocus.commands.train.command import run as train
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError
from attnfocus.models.embeddings import TokenEmbedding
from attnfocus.runs.schema import EmbeddingOptions
from attnfocus.runs.token_tables import require_ngrams

SMALL = ("model.hidden_size=8", "model.embed_dim=8", "trainer.max_steps=2", "trainer.max_epochs=null", "seed=3")
SMALL += ("focus.num_samples=0",)  # most of such a run's time is its pictures
CLASSIFY = ("model=rnn_classifier", "dataset=labelled_text", "dataset.train=rows.tsv")


@pytest.fixture(autouse=True)
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{'splendid' if number % 2 else 'terrible'} film {number % 40}\t{number % 2}" for number in range(120)]
    Path("rows.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(*overrides: str) -> attnfocus.Run:
    values = CommandLine("train", ()).compose([*SMALL, *overrides, "run_dir=run"], resolve=True)
    assert train(values, overrides) == 0
    return attnfocus.load("run", device="cpu")


def table_of(loaded: attnfocus.Run) -> TokenEmbedding:
    return loaded.model.token_tables()["source"]


def test_words_have_ngrams_and_the_run_is_the_same_again(tmp_path: Path) -> None:
    loaded = run(*CLASSIFY)
    table = table_of(loaded)
    assert table.ngrams is not None
    assert table.ngrams.weight.shape == (20_001, 8)
    assert loaded.evaluate("valid").metrics == attnfocus.load("run", device="cpu").evaluate("valid").metrics
    assert loaded.attribute("splendid film") is not None
    resume = ["resume=run", "trainer.max_steps=4"]
    assert train(CommandLine("train", ()).compose(resume, resolve=True), resume) == 0


def test_characters_and_runs_that_do_not_know_the_keys_have_none() -> None:
    loaded = run(*CLASSIFY, "dataset.tokenizer.kind=character")
    assert table_of(loaded).ngrams is None
    config = Path("run/config.yaml")
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    del values["model"]["embedding"]["ngrams"]
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    older = attnfocus.load("run", device="cpu")
    assert older.evaluate("valid").metrics == loaded.evaluate("valid").metrics


def test_vectors_from_a_file_stand_for_whole_words() -> None:
    Path("v.txt").write_text("film 1 2 3 4 5 6 7 8\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ngrams: pretrained vectors stand for whole words. Give ngrams=0"):
        run(*CLASSIFY, "model.embedding.vectors=v.txt", "model.embedding.ngrams=100")
    assert table_of(run(*CLASSIFY, "model.embedding.vectors=v.txt")).ngrams is None


@pytest.mark.slow
def test_a_translator_reads_ngrams_and_writes_none() -> None:
    pairs = "".join(f"splendid {number % 20}\tprächtig {number % 20}\n" for number in range(80))
    Path("pairs.tsv").write_text(pairs, encoding="utf-8")
    of_pairs = ("model=seq2seq", "dataset=parallel_text", "dataset.train=pairs.tsv", "dataset.tokenizer.kind=word")
    loaded = run(*of_pairs, "dataset.tokenizer.shared=false", "model.embedding.ngrams=50", "decoding.beam_size=1")
    tables = loaded.model.token_tables()
    assert tables["source"].ngrams is not None
    assert tables["target"].ngrams is None


PAIRS = ("model=seq2seq", "dataset=parallel_text", "dataset.train=rows.tsv", "dataset.tokenizer.kind=word")
ONE_TABLE = ("model.tied_embeddings=all", "dataset.tokenizer.shared=true")
VECTORS = ("model=pooling_classifier", "dataset=identity", "model.embed_dim=8")


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ((*PAIRS, *ONE_TABLE), r"source and target have one table .* or model\.tied_embeddings=decoder\."),
        (VECTORS, r"the rows of this dataset are vectors, not tokens"),
    ],
)
def test_ngrams_that_nothing_could_have_are_refused(
    overrides: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", *overrides, "trainer.max_steps=2", "device=cpu", "run_dir=run"]
    assert main([*argv, "model.embedding.ngrams=100"]) == 2
    message = capsys.readouterr().err
    assert re.search(rf"model\.embedding\.ngrams=100: {reason}", message)
    assert "model.embedding.ngrams=0" in message.partition("Try:")[2]
    assert not Path("run").exists()


def test_a_model_without_a_table_of_tokens_has_no_ngrams() -> None:
    require_ngrams(EmbeddingOptions(ngrams="auto"), {})
    with pytest.raises(ConfigError, match=r"model\.embedding\.ngrams=5: this model has no table of source tokens"):
        require_ngrams(EmbeddingOptions(ngrams=5), {})


def test_auto_gives_none_to_a_table_of_source_and_target() -> None:
    loaded = run(*PAIRS, *ONE_TABLE, "model.embedding.ngrams=auto")
    tables = loaded.model.token_tables()
    assert tables["source"] is tables["target"]
    assert tables["source"].ngrams is None
