"""How soon a run starts: what takes long to load is not loaded before the first update."""

import subprocess
import sys
from pathlib import Path

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
