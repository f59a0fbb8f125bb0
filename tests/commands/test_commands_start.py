"""How soon a run starts: what takes long to load is not loaded before the first update, and what is trained is said."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests_support import TINY_DATES, Command

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]

# Everything up to the first update but reading data and telling listeners.
START = """
import sys
import torch
from attnfocus.runs.assembly import check_train
from attnfocus.commands.train.command import seed_everything
from attnfocus.config.overrides import CommandLine

setup = check_train(CommandLine("train", []).compose([], resolve=True))
seed_everything(1)
model = setup.model(source_vocab_size=9, target_vocab_size=9)
optimizer = setup.optimizer(model.parameters())
ids = torch.ones(2, 3, dtype=torch.long)
model(ids, torch.tensor([3, 2]), ids).logits.sum().backward()
optimizer.step()
optimizer.zero_grad()
print(*sys.modules)
"""


def test_no_heavy_library_is_loaded_before_the_first_update() -> None:
    done = subprocess.run([sys.executable, "-c", START], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    heavy = {"torch._dynamo", "torch._inductor", "sympy", "matplotlib", "sacrebleu", "torchmetrics", "scipy", "pandas"}
    assert "attnfocus.training.optimizers" in done.stdout.split()
    assert not heavy & set(done.stdout.split())


def test_the_first_line_comes_before_the_data_are_read(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "no.tsv").write_bytes(b"\0\0")
    done = attnfocus("train", "dataset=parallel_text", "dataset.train=no.tsv")
    assert done.returncode == 2
    title, problem = done.stderr.splitlines()[:2]
    assert title == "model=seq2seq attention=additive dataset=parallel_text"
    assert "no.tsv: is not a text file in utf-8" in problem


def test_the_first_line_is_said_once(attnfocus: Command) -> None:
    done = attnfocus("train", *TINY_DATES)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "model=seq2seq attention=additive dataset=dates"
    assert lines.count(lines[0]) == 1
    assert "parameters, float32 on cpu" in lines[1]
