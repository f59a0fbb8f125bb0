"""Everything that users can add, added at once in a folder of their own, without touching the package.

`user_folder/my_tags.py` holds a source with a file option, a codec over arrays that is lazy and augments, a third task
with its own metrics, a model with oddly named layers, a metric and a tracker; `groups/` their choices.
docs/architecture.md, "I want to add", names these files.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support import assert_equal_weights, commands_run_in

import attnfocus
from attnfocus.cli import main

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent / "user_folder"
OWN = ("--config-dir", "groups", "trust=[my_tags]")
CHOSEN = ("model=tagger", "tracker=lines", "metric=entity_share", "scheduler=constant", "optimizer.lr=0.02")
FEW_PICTURES, NO_PICTURES = "focus.num_samples=1", "focus.num_samples=0"  # most of such a run's time is its pictures


def write_corpus(path: Path, num_rows: int = 60) -> None:
    random = np.random.default_rng(0)
    lines = []
    for _ in range(num_rows):
        length = int(random.integers(3, 9))
        vectors = random.normal(0, 0.1, (length, 3))
        place = int(random.integers(0, length - 1))
        vectors[place : place + 2, 0] += 1.0
        tags = ["ENTITY" if place <= position < place + 2 else "O" for position in range(length)]
        lines.append(json.dumps({"vectors": vectors.round(4).tolist(), "tags": " ".join(tags)}))
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A user's folder in which a run was trained whole, and one that was stopped on the way and went on."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    write_corpus(folder / "corpus.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        commands_run_in(folder, patch)
        patch.syspath_prepend(str(folder))
        train = ("train", *OWN, *CHOSEN)
        assert main([*train, "run_dir=whole", "trainer.max_epochs=6", "seed=1", FEW_PICTURES]) == 0
        assert main([*train, "run_dir=parts", "trainer.max_epochs=3", "seed=1", NO_PICTURES]) == 0
        assert main(["train", *OWN, "resume=parts", "trainer.max_epochs=6"]) == 0
        assert main([*train, "run_dir=other", "trainer.max_epochs=6", "seed=2", "model.depth=1", NO_PICTURES]) == 0
        yield folder


def test_data_of_ones_own_are_looked_at_like_ours(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *OWN, "dataset=tags", "run_dir=look"]) == 0
    assert "target positions, longest" in capsys.readouterr().out
    facts = json.loads((house / "look" / "data.json").read_text(encoding="utf-8"))
    assert facts["splits"]["train"]["lengths"]["target"] == facts["splits"]["train"]["lengths"]["source"]


def summary_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "summary.json").read_text(encoding="utf-8"))


def test_it_trains_and_all_that_is_ours_shows_what_is_the_users(house: Path) -> None:
    summary = summary_of(house / "whole")
    assert summary["status"] == "completed"
    assert summary["best"]["metric"] == "entity_f1"
    assert summary["directions"]["entity_f1"] == summary["directions"]["entity_share"] == "max"
    assert summary["test"]["entity_f1"] > 0.9  # planted, so it can be learned
    assert {"loss", "entity_f1", "whole_right", "entity_share"} <= summary["test"].keys()
    assert set(summary["test"]["focus_heads"]) == {"blocks.0.mixer", "blocks.1.mixer"}
    logged = [json.loads(line) for line in (house / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert all("entity_share" in line for line in logged if line["split"] in ("valid", "test"))


def test_a_tracker_of_the_users_hears_the_test_metrics(house: Path) -> None:
    lines = (house / "whole" / "lines.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split()[1] for line in lines] == [*["valid"] * 6, "test"]
    assert "entity_share" in lines[-1]


def test_a_stopped_run_goes_on_to_the_same_bits_augmentation_included(house: Path) -> None:
    assert_equal_weights(house / "whole", house / "parts")
    assert summary_of(house / "whole")["test"] == summary_of(house / "parts")["test"]


def test_it_is_evaluated_from_another_folder(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", f"run={house / 'whole'}", "format=json", "trust=[my_tags]"]) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])["metrics"]
    expected = summary_of(house / "whole")["test"]
    assert {name: expected[name] for name in found} == pytest.approx(found)


def test_it_is_not_built_where_nobody_trusts_it(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", f"run={house / 'whole'}"]) == 2
    assert "trust=[my_tags]" in capsys.readouterr().err


def test_it_is_inspected_with_the_padding_left_out(house: Path) -> None:
    run = attnfocus.load(house / "whole", trust=["my_tags"])
    found = run.inspect(split="test", num_examples=3, method="attention")
    for example in found.examples:
        length = len(example.prediction.key_tokens)
        assert [shown.weights.shape[1:] for shown in example.maps] == [(length, length)] * 2
        assert all(np.allclose(shown.weights.sum(-1), 1, atol=1e-5) for shown in example.maps)
    assert "blocks.1.mixer" in found.page()
    answer = next(iter(run.predict(["[[1, 0, 0], [1, 0, 0], [0, 0, 0]]"])))
    assert len(answer.text.split()) == 3


def test_runs_are_compared_and_tested(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", "whole", "other", "format=json"]
    assert main([*command, "run_dir=blind"]) == 0
    blind = json.loads(capsys.readouterr().out)
    assert "trust=[my_tags]" in json.dumps(blind)
    assert main([*command, "run_dir=seen", "trust=[my_tags]"]) == 0
    section = json.loads(capsys.readouterr().out)["sections"][0]
    assert section["task"] == "tagging"
    assert "whole_right" in json.dumps(section["differences"])
