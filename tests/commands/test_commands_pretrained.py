"""`model.embedding`: vectors in the tables of a model, through a whole run."""

from pathlib import Path

import pytest
import torch

import attnfocus
from attnfocus.commands.train.command import run as train
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError, DataError
from attnfocus.models import Seq2Seq

VECTORS = {"good": [1.0, 2.0, 3.0, 4.0], "bad": [-1.0, 0.5, 0.0, 2.0]}
SMALL = ("model.hidden_size=8", "model.embed_dim=4", "trainer.max_steps=2", "trainer.max_epochs=null", "seed=3")
SMALL += ("focus.num_samples=0",)  # most of such a run's time is its pictures


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = [f"{'good' if number % 2 else 'bad'} film {number % 40}\t{number % 2}" for number in range(120)]
    Path("rows.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    vectors = "".join(f"{word} {' '.join(map(str, vector))}\n" for word, vector in VECTORS.items())
    Path("v.txt").write_text(vectors, encoding="utf-8")
    return tmp_path


def run(*overrides: str) -> int:
    values = CommandLine("train", ()).compose([*SMALL, *overrides], resolve=True)
    return train(values, overrides)


CLASSIFY = ("model=rnn_classifier", "dataset=labelled_text", "dataset.train=rows.tsv")


def rows_of(loaded: attnfocus.Run) -> dict[str, list[float]]:
    """What the model reads for the words of the file."""
    words = loaded.codec.tokenizer.vocabulary
    return {word: read(loaded.model.token_tables()["source"], words.index(word)) for word in VECTORS}


def read(table: torch.nn.Module, token: int) -> list[float]:
    numbers: list[float] = table(torch.tensor(token)).tolist()
    return numbers


@pytest.mark.slow
def test_frozen_vectors_stay_and_the_run_needs_the_file_no_more(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("model.embedding.vectors=v.txt", "model.embedding.frozen=true")
    assert run(*CLASSIFY, *options, "run_dir=frozen") == 0
    assert "model.embedding.vectors: 2 of " in capfd.readouterr().err
    Path("v.txt").unlink()
    loaded = attnfocus.load("frozen", device="cpu")
    assert rows_of(loaded) == VECTORS
    assert next(iter(loaded.predict(["good film"]))).text in ("0", "1")
    resume = CommandLine("train", ()).compose(["resume=frozen", "trainer.max_steps=4"], resolve=True)
    assert train(resume, ["resume=frozen", "trainer.max_steps=4"]) == 0
    assert rows_of(attnfocus.load("frozen", checkpoint="last", device="cpu")) == VECTORS


def test_other_vectors_are_trained_on(folder: Path) -> None:
    assert run(*CLASSIFY, "model.embedding.vectors=v.txt", "run_dir=tuned") == 0
    rows = rows_of(attnfocus.load("tuned", checkpoint="last", device="cpu"))
    for word, vector in VECTORS.items():
        assert rows[word] != vector
        assert rows[word] == pytest.approx(vector, abs=0.01)  # two steps at lr 0.001


@pytest.mark.slow
def test_both_sides_of_a_translation_get_theirs(folder: Path) -> None:
    Path("pairs.tsv").write_text("".join(f"good {n}\tbad {n}\n" for n in range(80)), encoding="utf-8")
    pairs = ("model=seq2seq", "dataset=parallel_text", "dataset.train=pairs.tsv", "dataset.tokenizer.kind=word")
    frozen = ("model.embedding.vectors=v.txt", "model.embedding.target_vectors=v.txt", "model.embedding.frozen=true")
    apart = ("dataset.tokenizer.shared=false", "decoding.beam_size=1")
    assert run(*pairs, *frozen, *apart, "run_dir=both") == 0
    loaded = attnfocus.load("both", device="cpu")
    assert isinstance(loaded.model, Seq2Seq)
    tables = loaded.model.token_tables()
    for side, word in (("source", "good"), ("target", "bad")):
        tokens = getattr(loaded.codec, f"{side}_tokenizer").vocabulary
        assert read(tables[side], tokens.index(word)) == VECTORS[word]
    with pytest.raises(ConfigError, match="source and target have one table here"):
        run(*pairs, *frozen, "model.tied_embeddings=all", "run_dir=tied")


def test_what_does_not_fit_is_refused_with_the_way_out(folder: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"vectors: the vectors of .* 4 numbers, those of the model 6. Set model.embed_dim=4"
    ):
        run(*CLASSIFY, "model.embedding.vectors=v.txt", "model.embed_dim=6")
    with pytest.raises(ConfigError, match=r"model.embedding: frozen=true is for pretrained vectors. Give vectors=FILE"):
        run(*CLASSIFY, "model.embedding.frozen=true")
    Path("v.txt").write_text("good 1 2 3 4\nfilm 1 2 3\nfilm\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"2 of its 3 lines are no vectors, the first: .*v.txt:2: must be a word and 4"):
        run(*CLASSIFY, "model.embedding.vectors=v.txt")
    identity = ["model=pooling_classifier", "model.embed_dim=4", "model.embedding.vectors=v.txt"]
    with pytest.raises(ConfigError, match="the rows of this dataset are vectors, not tokens"):
        train(CommandLine("train", ()).compose(identity, resolve=True), identity)
    assert not (folder / "outputs").exists()


def test_rescaled_vectors_are_as_long_as_new_ones() -> None:
    from attnfocus.models.embeddings import TokenEmbedding

    torch.manual_seed(0)
    ids, vectors = torch.arange(4, 104), 5 * torch.randn(100, 64)
    for rescale in (False, True):
        table = TokenEmbedding(500, 64)
        table.fill(ids, vectors, rescale)
        read = table(torch.arange(500))
        given, others = read[4:104], read[104:]
        length = 8.0 if rescale else 40.0  # sqrt(64), 5 * sqrt(64)
        for rows in (given, others):
            assert rows.square().sum(-1).mean().sqrt().item() == pytest.approx(length, rel=0.03)
        assert torch.nn.functional.cosine_similarity(given, vectors, dim=-1).min() > 0.9999
        assert not read[0].any()
        assert torch.equal(given, vectors) is not rescale
