"""Recommendation through the real command: a table of one's own, trained, asked, looked into."""

import json
import random
from pathlib import Path

import pytest
from tests_support import Command, summary_of

TINY = ("dataset.codec.max_items=6", "model.embed_dim=16", "trainer.max_epochs=2", "trainer.batch_size=16")
TINY += ("focus.num_samples=0",)


def write_log(path: Path) -> None:
    """Users who go through a ring of 20 games, from any of them on."""
    draw = random.Random(0)
    lines = ["user,item,date"]
    for user in range(80):
        first = draw.randrange(20)
        taken = [(day, f"game {(first + day) % 20}") for day in range(1, draw.randint(4, 9))]
        draw.shuffle(taken)
        lines += [f"u{user},{item},2024-01-{day:02}" for day, item in taken]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["language_model", "rnn_language_model"])
def test_a_table_of_ones_own_is_learned_and_recommended_from(model: str, attnfocus: Command, tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv")
    given = (f"model={model}", "dataset=interactions", "dataset.train=log.csv", *TINY)
    more = () if model == "language_model" else ("trainer.loss=sampled_softmax", "trainer.num_negatives=10")
    done = attnfocus("train", *given, *more, "run_dir=run", "report=true")
    assert done.returncode == 0, done.stderr
    assert "without a model, most popular items: hit_rate_10 " in done.stderr
    assert "ordered by date" in done.stderr
    test = summary_of(tmp_path / "run")["test"]
    assert set(test) >= {"hit_rate_10", "ndcg_10", "mrr", "loss", "sampled_100/hit_rate_10"}
    evaluated = attnfocus("evaluate", "run=run", "format=json")
    assert json.loads(evaluated.stdout)["metrics"]["ndcg_10"] == test["ndcg_10"]
    halted = attnfocus("train", *given, *more, "trainer.max_epochs=1", "run_dir=half")
    assert halted.returncode == 0, halted.stderr
    again = attnfocus("train", "resume=half", "trainer.max_epochs=2")
    assert again.returncode == 0, again.stderr
    assert summary_of(tmp_path / "half")["test"] == test

    answers = attnfocus("predict", "run=run", "format=jsonl", input="game_1 game_2 game_3\nnever_seen\n")
    assert answers.returncode == 0, answers.stderr
    first, second = (json.loads(line) for line in answers.stdout.splitlines())
    assert not {each["prediction"] for each in first["n_best"]} & {"game_1", "game_2", "game_3"}
    assert len(first["n_best"]) == len(second["n_best"]) == 10
    looked = attnfocus("inspect", "run=run", "text=game_1 game_2 game_3", "method=leave_one_out")
    assert looked.returncode == 0, looked.stderr
    assert "game_3" in looked.stdout + looked.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "dataset.train is not given. Give a table"),
        (("dataset.train=log.csv", "model=seq2seq"), "is for ranking"),
        (("dataset.train=log.csv", "trainer.num_negatives=5"), "trainer.num_negatives: is of losses that draw items"),
        (("dataset.train=log.csv", "dataset.clean.deduplicate=true"), "Use dataset.clean.deduplicate=false"),
        (
            ("dataset.train=log.csv", "decoding.beam_size=1", "decoding.num_best=1", "decoding.sampling=true"),
            "are ranked",
        ),
        (("dataset.train=log.csv", "trainer.loss=mse"), "trainer.loss: must be one of cross_entropy, binary_cross_ent"),
    ],
)
def test_what_makes_no_sense_is_refused(given: tuple[str, ...], said: str, attnfocus: Command, tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv")
    refused = attnfocus("train", "model=language_model", "dataset=interactions", *given)
    assert refused.returncode == 2
    assert said in refused.stderr
