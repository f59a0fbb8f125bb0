"""Images by every verb: trained with augmentation, resumed in mid-epoch, evaluated, predicted, inspected, compared."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests_support import assert_equal_weights, commands_run_in

from attnfocus import load
from attnfocus.cli import main
from attnfocus.data.sources.canvas import Canvas
from attnfocus.errors import DataError

pytestmark = pytest.mark.slow

SMALL = (
    "dataset=images", "dataset.train=pets", "dataset.split.valid=6", "dataset.split.test=6",
    "dataset.codec.shift=1", "dataset.codec.rotation=10", "dataset.codec.crop=0.1", "dataset.codec.flip=true",
    "model.embed_dim=16", "model.input.patch_size=4", "trainer.batch_size=6", "report=false", "focus.num_samples=1",
)  # fmt: skip
VIT = ("model=transformer", "model/input=convolution", "model.pooling=attention", "model.feedforward_dim=16")


def write_pets(folder: Path, count: int = 24) -> None:
    """Images of 12 x 12 gray pixels: cats are bright at the top, dogs at the bottom."""
    random = np.random.default_rng(0)
    for name, rows in (("cat", slice(0, 4)), ("dog", slice(8, 12))):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 60, (12, 12), dtype=np.uint8)
            pixels[rows, 2:10] += 180
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("pets")
    write_pets(folder / "pets")
    with pytest.MonkeyPatch.context() as patch:
        commands_run_in(folder, patch)
        train = ("train", *SMALL, *VIT)
        # 36 images for training: 6 steps an epoch; the second run is saved, and goes on, in the midst of its second.
        assert main([*train, "run_dir=whole", "trainer.max_steps=16", "optimizer.lr=0.01"]) == 0
        parts = ("run_dir=parts", "focus.num_samples=0")  # pictures change nothing and cost most of its time
        assert main([*train, *parts, "trainer.max_steps=9", "optimizer.lr=0.01"]) == 0
        assert main(["train", "resume=parts", "trainer.max_steps=16"]) == 0
        yield folder


def test_a_run_resumed_in_mid_epoch_sees_the_same_augmented_images(pets: Path) -> None:
    assert_equal_weights(pets / "whole", pets / "parts")


def test_predict_takes_paths_of_images_and_skips_broken_ones(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pets / "broken.png").write_bytes(b"none")
    names = ["pets/cat/0.png", "broken.png", "pets/dog/0.png"]
    assert main(["predict", "run=whole", f"input=[{','.join(names)}]", "format=jsonl"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(answer["source"]) for answer in found] == [pets / name for name in names]
    assert "is no image that Pillow knows" in found[1]["skipped"]
    assert {found[0]["prediction"], found[2]["prediction"]} <= {"cat", "dog"}
    assert main(["predict", "run=whole", "text=pets/dog/0.png"]) == 0
    assert capsys.readouterr().out.strip() == found[2]["prediction"]
    assert main(["predict", "run=whole", "input=pets/cat"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 24


def test_inspect_draws_the_patches_over_the_image(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "run=whole", "input=pets/cat/1.png", "paths.outputs=out"]) == 0
    shown = capsys.readouterr().out
    assert "weights in hundredths, row by row" in shown
    (page,) = (pets / "whole" / "inspect").rglob("index.html")
    assert '"picture"' in page.read_text(encoding="ascii")
    captions = [path.read_text(encoding="utf-8") for path in page.parent.glob("*.txt")]
    assert any("over it the weight of each of its 9 patches" in caption for caption in captions)
    run, name = load("whole"), _first_tested(pets)
    (found,) = run.inspect(split="test", ids=[name], method="attention").examples
    assert (found.prediction.id, found.prediction.picture.pixels.shape) == (name, (12, 12))
    with pytest.raises(DataError, match="there is no row test:none among 6; the first is test:"):
        run.inspect(split="test", ids=["test:none"])


def test_evaluate_reads_other_folders_and_tests_faithfulness(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pets(pets / "others", 3)
    assert main(["evaluate", "run=whole", "dataset.test=others", "paths.outputs=out"]) == 0
    assert "test: 6 rows read" in capsys.readouterr().err
    assert main(["evaluate", "run=whole", "faithfulness=true", "paths.outputs=out"]) == 0
    assert "faithfulness/comprehensiveness" in (pets / "whole" / "faithfulness.json").read_text(encoding="utf-8")
    assert main(["compare", "whole", "parts", "format=json", "run_dir=table", f"example={_first_tested(pets)}"]) == 0
    page = (pets / "table" / "compare.html").read_text(encoding="ascii")
    assert page.count('"picture":{') == 1  # read anew from the data, by the row's name; the other is the same once more


def _first_tested(folder: Path) -> str:
    with (folder / "whole" / "predictions-test.jsonl").open(encoding="utf-8") as lines:
        return str(json.loads(next(lines))["id"])


def test_what_is_wrong_with_images_names_the_file(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pets / "odd" / "cat").mkdir(parents=True)
    (pets / "odd" / "dog").mkdir()
    Image.new("L", (8, 8)).save(pets / "odd" / "cat" / "a.png")
    Image.new("L", (9, 8), 9).save(pets / "odd" / "dog" / "b.png")
    train = ("train", "model=transformer", *SMALL, "dataset.train=odd", "dataset.split.valid=0", "dataset.split.test=0")
    assert main([*train, "run_dir=none"]) == 2
    assert "dataset.codec.size=[8,8]" in capsys.readouterr().err
    assert main(["train", "model=transformer", "dataset=images"]) == 2
    assert "dataset.train is not given" in capsys.readouterr().err


def test_evidence_on_a_canvas_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        commands_run_in(tmp_path, patch)
        sizes = ("dataset.size=24", "dataset.num_train=64", "dataset.num_valid=16", "dataset.num_test=16")
        run = ("train", "model=pooling_classifier", "dataset=canvas", *sizes, "trainer.max_steps=3", "run_dir=run")
        assert main([*run, "report=false", "focus.num_samples=1"]) == 0
        metrics = json.loads((tmp_path / "run" / "summary.json").read_text())["test"]
        assert {"plausibility/pointing_game", "plausibility/mass_inside", "plausibility/auprc"} <= metrics.keys()
        rows = Canvas(size=24, num_train=1, num_valid=1, num_test=16).read(tmp_path, 0).splits["test"]
        shares = [(bottom - top) * (right - left) / 24**2 for row in rows for top, left, bottom, right in row.regions]
        assert metrics["plausibility/mass_inside"] > 0.5 * np.mean(shares)  # nearly uniform after three steps
