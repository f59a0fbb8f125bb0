"""Regularizers through the real command: logged, told, refused in time, the same after a resume and in evaluation."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests_support import TINY_DATES, Command, assert_polite, only_run, summary_of

pytestmark = pytest.mark.slow

GUIDED = (*TINY_DATES, "model=seq2seq", "focus=guided", "focus.guided.target=gold", "focus.entropy.weight=-0.1")


def lines_of(run: Path, split: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["split"] == split]


def test_penalties_are_logged_the_path_is_told_once_and_evaluation_gives_the_same(
    attnfocus: Command, tmp_path: Path
) -> None:
    options = ("attention=dot", "focus.sigma_reparametrization=true", "trainer.log_every_steps=2")
    done = attnfocus("train", *GUIDED, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    logged = lines_of(run, "train")
    assert len(logged) == 3
    for line in logged:
        assert line["penalty/entropy"] < 0 < line["penalty/guided"]
        assert abs(line["penalty"] - line["penalty/entropy"] - line["penalty/guided"]) < 1e-9
    assert not any(name.startswith("penalty") for line in lines_of(run, "test") for name in line)
    [events] = run.glob("events.out.tfevents.*")
    assert b"train/penalty/guided" in events.read_bytes()
    assert b"focus.sigma_reparametrization" in events.read_bytes()
    told = (run / "train.log").read_text(encoding="utf-8").count("weights were asked for, and no other path holds them")
    assert told == 1
    done = attnfocus("evaluate", f"run={run}", "format=json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["loss"] == summary_of(run)["test"]["loss"]


def test_a_regularized_run_resumes_exactly_and_not_with_other_weights(attnfocus: Command, tmp_path: Path) -> None:
    options = (*GUIDED, "focus.guided.warmup_steps=5", "trainer.log_every_steps=1", "trainer.save_every_steps=3")
    for name, steps in (("whole", 6), ("parts", 3)):
        done = attnfocus("train", *options, f"run_dir={name}", f"trainer.max_steps={steps}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    refused = attnfocus("train", "resume=parts", "focus.guided.weight=2", cwd=tmp_path)
    assert_polite(refused, 2)
    assert "focus.guided.weight: a resumed run keeps its focus.guided.weight" in refused.stderr
    done = attnfocus("train", "resume=parts", "trainer.max_steps=6", "focus.num_samples=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole, parts = (
        [
            (line["step"], line["loss"], line["penalty"], line["grad_norm"])
            for line in lines_of(tmp_path / name, "train")
        ]
        for name in ("whole", "parts")
    )
    assert whole == parts
    assert len(whole) == 6


def test_gold_alignments_that_are_not_there_are_missed_before_a_run_is_made(attnfocus: Command, tmp_path: Path) -> None:
    pairs = "\n".join(f"a{number} b\tx{number} y" for number in range(60))
    (tmp_path / "pairs.tsv").write_text(pairs, encoding="utf-8")
    data = ("model=seq2seq", "dataset=parallel_text", "dataset.train=pairs.tsv", "dataset.tokenizer.vocab_size=100")
    done = attnfocus("train", *data, "focus=guided", "focus.guided.target=gold", cwd=tmp_path)
    assert_polite(done, 2)
    assert "focus.guided.target: gold needs rows whose alignment is known" in done.stderr
    assert not (tmp_path / "outputs").exists()
