"""Recordings from the command line: trained, resumed in the midst of an epoch, predicted from a path."""

import json
from pathlib import Path

import pytest
from tests_support import assert_equal_weights, assert_polite
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


def test_recordings_are_learned_resumed_in_the_midst_of_an_epoch_predicted_and_inspected(attnfocus, tmp_path) -> None:
    write_tones(tmp_path / "tones", each=8)
    command = [*TINY, "model=rnn_classifier", "model/input=convolution"]
    for steps in (4, 7):  # of 3 steps an epoch
        done = attnfocus(*command, "run_dir=parts", f"trainer.max_steps={steps}")
        assert done.returncode == 0, done.stderr
    assert attnfocus(*command, "run_dir=whole", "trainer.max_steps=7").returncode == 0
    assert_equal_weights(tmp_path / "whole", tmp_path / "parts")

    (tmp_path / "broken.wav").write_bytes(b"RIFF\xff\xff\xff\x00WAVE")
    names = ["tones/low/0.wav", "broken.wav", "tones/high/0.wav"]
    done = attnfocus("predict", "run=whole", f"input=[{','.join(names)}]", "format=jsonl")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(answer["source"]).name for answer in found] == ["0.wav", "broken.wav", "0.wav"]
    assert "broken.wav: ends after" in found[1]["skipped"]
    assert {found[0]["prediction"], found[2]["prediction"]} <= {"low", "high"}
    done = attnfocus("evaluate", "run=whole", "dataset.test=tones")
    assert "test: 16 rows read" in done.stderr
    done = attnfocus("inspect", "run=whole", "input=tones/low/1.wav")
    assert done.returncode == 0, done.stderr
    captions = [path.read_text(encoding="utf-8") for path in (tmp_path / "whole" / "inspect").rglob("*.txt")]
    assert any("The spectrogram, and over it the weight of each of its 6 steps" in caption for caption in captions)


def test_a_broken_recording_is_named_with_its_row(attnfocus, tmp_path) -> None:
    write_tones(tmp_path / "tones", each=2)
    (tmp_path / "tones" / "low" / "9.wav").write_bytes(b"RIFF\xff\xff\xff\x00WAVE")
    done = attnfocus("train", "model=pooling_classifier", "dataset=audio", "dataset.train=tones")
    assert_polite(done, 2)
    assert "9.wav:1:1: ends after" in done.stderr
    assert "dataset.on_bad_row=skip" in done.stderr
