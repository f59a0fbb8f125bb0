"""Recordings from the command line: trained, resumed in the midst of an epoch, predicted from a path."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tones import write_tones

pytestmark = pytest.mark.slow

TINY = (
    "train",
    "dataset=audio",
    "dataset.train=tones",
    "dataset.codec.sample_rate=8000",
    "dataset.codec.n_mels=16",
    "dataset.codec.time_masks=1",
    "dataset.codec.mel_masks=1",
    "dataset.split.valid=2",
    "dataset.split.test=2",
    "model.embed_dim=16",
    "trainer.batch_size=4",
    "trainer.max_epochs=null",
    "scheduler=constant",
    "focus.num_samples=1",
    "resume=auto",
)


def weights(run: Path) -> dict[str, np.ndarray]:
    last = run / "checkpoints" / (run / "checkpoints" / "last").read_text(encoding="utf-8").strip()
    return load_file(next(last.glob("model*.safetensors")))


def test_a_run_on_recordings_is_resumed_bit_for_bit_in_the_midst_of_an_epoch(attnfocus, tmp_path) -> None:
    write_tones(tmp_path / "tones", each=8)
    command = [*TINY, "model=rnn_classifier", "model/input=convolution"]
    for steps in (4, 7):  # of 3 steps an epoch
        done = attnfocus(*command, "run_dir=parts", f"trainer.max_steps={steps}")
        assert done.returncode == 0, done.stderr
    assert attnfocus(*command, "run_dir=whole", "trainer.max_steps=7").returncode == 0
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all((whole[name] == parts[name]).all() for name in whole)
    masked = attnfocus(*command, "run_dir=plain", "trainer.max_steps=7", "dataset.codec.time_masks=0")
    assert masked.returncode == 0, masked.stderr
    assert any((whole[name] != each).any() for name, each in weights(tmp_path / "plain").items())
