"""Speech to text by every verb: strings of tones, trained with masks, resumed in mid-epoch, evaluated, predicted."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support import assert_equal_weights, commands_run_in, last_weights
from tones import tone, wav, write_fsdd

from attnfocus.cli import main
from attnfocus.display import canvas

pytestmark = pytest.mark.slow

SMALL = (
    "train", "model=seq2seq", "attention=location", "dataset=fsdd_strings", "paths.data=data",
    "dataset.num_train=24", "dataset.num_valid=4", "dataset.num_test=6", "dataset.codec.n_mels=16",
    "model/input=convolution", "model.input.patch_size=8", "model.embed_dim=16", "model.hidden_size=16",
    "trainer.batch_size=4", "trainer.max_epochs=null", "scheduler=constant", "report=false", "focus.num_samples=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("speech")
    write_fsdd(folder / "data" / "fsdd", numbers=(0, 5, 10, 11))
    with pytest.MonkeyPatch.context() as patch:
        commands_run_in(folder, patch)
        patch.delenv("ATTNFOCUS_DATA", raising=False)  # it would come before the folder that the run remembers
        # 24 strings: 6 steps an epoch; the second run is saved, and goes on, in the midst of its second epoch.
        assert main([*SMALL, "run_dir=whole", "trainer.max_steps=14"]) == 0
        assert main([*SMALL, "run_dir=parts", "trainer.max_steps=9"]) == 0
        assert main(["train", "resume=parts", "trainer.max_steps=14"]) == 0
        assert main([*SMALL, "run_dir=bare", "trainer.max_steps=14", "dataset.codec.mel_masks=0"]) == 0
        yield folder


def test_a_run_resumed_in_mid_epoch_hides_the_same_parts_of_recordings(speech: Path) -> None:
    assert_equal_weights(speech / "whole", speech / "parts")
    whole, bare = last_weights(speech / "whole"), last_weights(speech / "bare")
    assert any((whole[name] != bare[name]).any() for name in whole)


def test_evaluate_from_another_folder_gives_the_metrics_of_the_run(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["evaluate", f"run={speech / 'whole'}", "split=test", "format=json"]) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    expected = json.loads((speech / "whole" / "summary.json").read_text(encoding="utf-8"))["test"]
    for name in ("wer", "alignment_error_rate", "loss"):
        assert found[name] == expected[name]


def test_predict_reads_a_folder_of_recordings_of_any_rate_and_channels_and_names_what_is_none(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    said = np.concatenate([tone(300), tone(900), tone(300)])
    twice = np.concatenate([tone(300, rate=16_000), tone(900, rate=16_000), tone(300, rate=16_000)])
    folder = tmp_path / "heard"
    folder.mkdir()
    for name, content in {
        "broken.wav": wav(said)[:-50],
        "empty.wav": wav(said[:0]),
        "mono.wav": wav(said),
        "rate.wav": wav(twice, 16_000),
        "stereo.wav": wav(np.stack([said, said], axis=1)),
    }.items():
        (folder / name).write_bytes(content)
    assert main(["predict", f"run={speech / 'whole'}", "input=heard", "format=jsonl"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {Path(line["source"]).name: line for line in lines}
    assert list(found) == ["broken.wav", "empty.wav", "mono.wav", "rate.wav", "stereo.wav"]
    assert "broken.wav: ends after" in found["broken.wav"]["skipped"]
    assert "empty.wav: is an empty recording" in found["empty.wav"]["skipped"]
    mono, rate, stereo = (found[f"{name}.wav"] for name in ("mono", "rate", "stereo"))
    assert (stereo["prediction"], stereo["score"]) == (mono["prediction"], mono["score"])
    assert math.isclose(rate["score"], mono["score"], rel_tol=0.02)
    assert len(rate["tokens"]) == len(mono["tokens"])
    (tmp_path / "names.txt").write_text("gone.wav\n\nheard\nheard/mono.wav\n")
    assert main(["predict", f"run={speech / 'whole'}", "input=names.txt", "format=jsonl"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    reasons = (
        "gone.wav: No such file",
        "an empty line, where the path of a recording is needed",
        "is a folder, not a file",
    )
    assert all(reason in line["skipped"] for line, reason in zip(lines, reasons, strict=False))
    assert [line["prediction"] for line in lines] == ["", "", "", mono["prediction"]]


def test_inspect_and_compare_draw_what_was_written_over_the_spectrogram(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("said.wav").write_bytes(wav(np.concatenate([tone(300), tone(900), tone(300)])))
    assert main(["inspect", f"run={speech / 'whole'}", "input=said.wav", "output=seen"]) == 0
    captions = [path.read_text(encoding="utf-8") for path in Path("seen").rglob("*.txt")]
    assert any("a panel for each token of the answer" in caption for caption in captions)
    runs = [str(speech / name) for name in ("whole", "bare")]
    assert main(["compare", *runs, "format=json", "run_dir=table", "example=test:1:theo"]) == 0
    assert '"picture":{' in Path("table/compare.html").read_text(encoding="ascii")


def test_the_images_of_a_log_name_tokens_and_seconds(speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, to_png = list[list[str]](), canvas.to_png

    def seen(figure: Any, dpi: int) -> tuple[bytes, int, int]:
        drawn.append([text.get_text() for text in figure.texts])
        return to_png(figure, dpi)

    monkeypatch.setattr(canvas, "to_png", seen)
    assert main([*SMALL, "run_dir=drawn", "trainer.max_steps=6"]) == 0
    texts = next(each for each in drawn if any(text.startswith("cross   valid: row valid:") for text in each))
    assert any(text.startswith("looks at, in seconds") for text in texts)
    assert {"0.00", "0.80"} <= set(texts)
    assert set(texts) & {"0", "1", "2"}
