"""`evaluate faithfulness=true`, what compare makes of it, and attributions of a run."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from commands_runs import additive, sections, write_run
from tests_support import TINY_DATES, commands_run_in, summary_of

import attnfocus as package
from attnfocus.cli import main
from attnfocus.commands.compare.files import results_csv
from attnfocus.commands.compare.sections import shown_metrics
from attnfocus.commands.compare.table import as_markdown
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation import METHODS, Faithfulness
from attnfocus.explanation.head_table import HeadTable
from attnfocus.focus.verdict import Verdict
from attnfocus.layout import FAITHFULNESS_FIGURE, FAITHFULNESS_FILE, HEADS_FILE, METRICS_FILE
from attnfocus.runs.evaluation import prepare_data
from attnfocus.runs.faithfulness_file import load_faithfulness, load_tested, load_verdict, save_faithfulness
from attnfocus.runs.heads_file import load_heads, save_heads
from attnfocus.tasks.measures.head_names import Head

pytestmark = pytest.mark.slow

SMALL_IDENTITY = ("model=pooling_classifier", "trainer.max_epochs=2", "dataset.size=4", "dataset.length=4")
SMALL_IDENTITY += ("focus.num_samples=0",)
MEASURED = {
    "faithfulness/skill": 0.25,
    "faithfulness/permuted_flips": 0.5,
    "faithfulness/sufficiency": 0.125,
}
TESTED = Faithfulness(Verdict("no", "elsewhere"), MEASURED, sentences={"en": ("No.", "You may.", "You may not.")})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translator and a classifier."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        commands_run_in(folder, patch)
        assert main(["train", *SMALL_IDENTITY, "run_dir=identity"]) == 0
        assert main(["train", *TINY_DATES, "dataset.num_test=10", "decoding.max_length=6", "run_dir=dates"]) == 0
    return folder


def test_evaluate_tells_the_verdict_and_keeps_its_numbers(
    trained: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained / "identity", here / "run")
    before = summary_of(here / "run")
    asked = ["evaluate", "run=run", "faithfulness=true", "faithfulness_examples=3"]
    watcher = Mock()
    with monkeypatch.context() as patch:
        patch.setattr("attnfocus.display.stages.StageScreen", lambda: watcher)
        assert main(asked) == 0
    begun = [call.args[0] for call in watcher.stage_began.call_args_list]
    tests = [
        "taking inputs away",
        "taking shares of inputs away",
        "leaving out inputs one by one",
        "shuffling weights",
        "looking for other weights",
    ]
    assert [stage.name for stage in begun if stage.name in tests] == tests
    assert all(stage.done == stage.total for stage in begun if stage.name in tests and stage.total)
    printed = capsys.readouterr().out
    saved = json.loads((here / "run" / FAITHFULNESS_FILE).read_text(encoding="utf-8"))
    assert saved.pop("step") == before["best"]["step"]
    assert saved["verdict"] == {
        "answer": "cannot_tell",
        "reason": "too_few",
        "confidence": 1.0,
        "near_border": False,
        "second": None,
    }
    assert saved["sentences"]["en"][0] in printed
    assert "只有 3 个样例" in saved["sentences"]["zh"][0]
    assert (here / "run" / FAITHFULNESS_FIGURE).read_bytes().startswith(b"\x89PNG")
    assert saved["num_examples"] == 3
    assert all(name.startswith("faithfulness/") for name in saved["metrics"])
    for group in saved["groups"]:
        assert group["title"] in printed
        assert all(each["words"] in printed for each in group["measures"] if group["way"] is None)
    shown = {f"faithfulness/{each['name']}" for group in saved["groups"] for each in group["measures"]}
    assert shown == saved["metrics"].keys()
    assert main([*asked, "format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["faithfulness"] == saved
    again = package.load("run", device="cpu").faithfulness(num_examples=3).facts()
    assert json.loads(json.dumps(again)) == saved
    assert summary_of(here / "run") == before  # test metrics are never mixed with it


@pytest.mark.parametrize("other", ["split=valid", "checkpoint=last"])
def test_only_the_best_checkpoint_on_test_is_kept(other: str, trained: Path, here: Path) -> None:
    shutil.copytree(trained / "identity", here / "run")
    assert main(["evaluate", "run=run", "faithfulness=true", "faithfulness_examples=2", other]) == 0
    assert main(["evaluate", "run=run"]) == 0
    assert not (here / "run" / FAITHFULNESS_FILE).exists()


def test_a_run_is_asked_what_its_answer_rests_on(trained: Path) -> None:
    run = package.load(trained / "dates", device="cpu")
    for method in METHODS:
        if method not in ("attention_flow", "attention_block_norm", "attn_lrp"):  # a recurrent decoder has none of them
            found = run.attribute("3 May", method, target="1999")
            assert found.query_tokens == ("1", "9", "9", "9")
            assert found.key_tokens == ("3", "▁", "M", "a", "y")
            assert found.scores.shape == (4, 5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'methd'"):
        run.attribute("3 May", methd="attention")
    with pytest.raises(ConfigError, match="leave_out: must be mask, remove, got cut"):
        run.attribute("3 May", "leave_one_out", leave_out="cut")
    with pytest.raises(DataError, match="input text is empty"):
        run.attribute("")


def test_a_split_is_read_once_for_all_that_is_asked_of_it(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, read = package.load(trained / "identity", device="cpu"), Mock(wraps=prepare_data)
    monkeypatch.setattr("attnfocus.runs.run.prepare_data", read)
    first = run.evaluate().metrics
    run.heads(num_examples=3)
    run.faithfulness(num_examples=3)
    assert read.call_count == 1
    run.evaluate("valid")
    assert run.evaluate().metrics == first
    assert read.call_count == 3  # the last one alone stays in memory


def test_compare_puts_quality_beside_focus_and_faithfulness(tmp_path: Path, here: Path) -> None:
    test = {"loss": 1.0, "accuracy": 0.5, "focus/effective_positions": 2.5}
    one = write_run(tmp_path / "a", summary={"test": test})
    two = write_run(tmp_path / "b", summary={"test": test}, **additive(8))
    save_faithfulness(one, TESTED, 3)
    [section] = sections(one, two)
    assert shown_metrics(section)[-3:] == [
        "test/focus/effective_positions",
        "faithfulness/skill",
        "faithfulness/permuted_flips",
    ]
    assert "| skill of the weights ↑ |" in as_markdown([section])
    assert main(["compare", "a", "b", "run_dir=lone"]) == 0
    assert not (here / "lone" / "faithfulness.png").exists()  # one point is no scatter
    save_faithfulness(two, TESTED, 3)
    assert main(["compare", "a", "b", "run_dir=found"]) == 0
    assert (here / "found" / "faithfulness.png").read_bytes().startswith(b"\x89PNG")
    with (here / "found" / "results.csv").open(encoding="utf-8", newline="") as file:
        assert [row["faithfulness/sufficiency"] for row in csv.DictReader(file)] == ["0.125", "0.125"]


def test_compare_says_how_many_heads_are_of_which_kind(
    tmp_path: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, kinds in enumerate((["induction", "diffuse"], ["diffuse", "diffuse"]), 1):
        test = {"loss": 1.0, "accuracy": 0.5, "head_kinds": {"layers.0": kinds, "layers.1": ["mixed"]}}
        write_run(tmp_path / f"a{number}", summary={"test": test}, seed=number)
    write_run(tmp_path / "b", summary={"test": {"loss": 1.0, "head_kinds": ["not", 1]}}, **additive(8))
    [section] = sections(tmp_path / "a1", tmp_path / "a2", tmp_path / "b")
    assert [row.head_counts for row in section.rows] == [{"induction": 0.5, "diffuse": 1.5, "mixed": 1.0}, {}]
    assert main(["compare", "a1", "a2", "b"]) == 0
    assert "0.5 induction, 1.5 diffuse, 1 mixed" in capsys.readouterr().out
    for run, first in (("a1", 20), ("a2", 10)):
        lines = [{"focus/heads/diffuse": 3.0, "focus/heads/induction": float(step >= first)} for step in (10, 20)]
        events = [{"step": step, "epoch": 1, "split": "valid", "seconds": 1.0} for step in (10, 20)]
        text = "".join(json.dumps({**event, **line}) + "\n" for event, line in zip(events, lines, strict=True))
        (tmp_path / run / METRICS_FILE).write_text(text, encoding="utf-8")
    [section] = sections(tmp_path / "a1", tmp_path / "a2", tmp_path / "b")
    assert {kind: each.mean for kind, each in section.rows[0].heads_from.items()} == {"induction": 15, "diffuse": 10}
    assert main(["compare", "a1", "a2", "b"]) == 0
    assert "over training: induction from step 15\n" in capsys.readouterr().out
    assert "heads_from/induction" in results_csv([section], tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"step": 3, "heads": 1}', '{"step": 3, "heads": [{"kind": 1}]}'])
def test_a_damaged_table_of_heads_counts_as_none(content: str, tmp_path: Path) -> None:
    (tmp_path / HEADS_FILE).write_text(content)
    assert load_heads(tmp_path, 3) is None


def test_the_table_of_heads_is_read_as_it_was_saved(tmp_path: Path) -> None:
    heads = (Head("cross", 0, "alignment", {"alignment": 0.5}, {"loss": 1.0}),)
    save_heads(tmp_path, HeadTable(heads, 3, "test", "mean", {"loss": 0.25}), 7)
    assert load_heads(tmp_path, 7) == HeadTable(heads, 3, "test", "mean", {"loss": 0.25})
    assert load_heads(tmp_path, 8) is None


def test_without_faithfulness_a_comparison_is_as_before(tmp_path: Path) -> None:
    test = {"loss": 1.0, "accuracy": 0.5, "focus/effective_positions": 2.5}
    [section] = sections(write_run(tmp_path / "a", summary={"test": test}))
    assert not [name for name in shown_metrics(section) if name.startswith(("faithfulness", "test/focus"))]


def test_what_was_measured_before_more_training_counts_no_more(tmp_path: Path) -> None:
    save_faithfulness(tmp_path, TESTED, 3)
    assert load_faithfulness(tmp_path, 3) == MEASURED
    assert load_faithfulness(tmp_path, 4) == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"step": 3, "format": 2, "metrics": 1, "sentences": 2}',
        '{"step": 3, "metrics": {"a": "b"}}',
        '{"step": 3}\xff',
    ],
)
def test_a_damaged_file_counts_as_none(content: str, tmp_path: Path) -> None:
    (tmp_path / FAITHFULNESS_FILE).write_text(content, encoding="latin-1")
    assert load_faithfulness(tmp_path, 3) == {}
    assert load_verdict(tmp_path, 3) is None
    assert load_tested(tmp_path, 3) == {"verdict": None, "faithfulness": {}, "intervals": {}, "glossary": {}}


def test_an_inspection_shows_what_was_saved(tmp_path: Path) -> None:
    intervals = {"faithfulness/skill": (0.125, 0.5)}
    save_faithfulness(tmp_path, replace(TESTED, intervals=intervals, num_outputs=2, num_examples=1), 3)
    found = load_tested(tmp_path, 3)
    assert found["verdict"] == {"en": "No.\nYou may.\nYou may not."}
    assert found["faithfulness"] == MEASURED
    assert found["intervals"] == intervals
    assert [line.split("：")[0] for line in found["glossary"]["zh"]] == ["答案", "领先", "把握"]
    content = json.loads((tmp_path / FAITHFULNESS_FILE).read_text(encoding="utf-8"))
    content |= {"intervals": {"faithfulness/skill": [0.5], "faithfulness/gain": [0.25, 0.5]}, "glossary": ["x"]}
    (tmp_path / FAITHFULNESS_FILE).write_text(json.dumps(content), encoding="utf-8")
    assert load_tested(tmp_path, 3)["intervals"] == {"faithfulness/gain": (0.25, 0.5)}
    assert load_tested(tmp_path, 3)["glossary"] == {}


def test_a_file_of_an_older_version_says_how_to_measure_again(tmp_path: Path) -> None:
    content = {"verdict": "Weights say little: x.", "metrics": {"faithfulness/gain_over_chance": 0.1}, "step": 3}
    (tmp_path / FAITHFULNESS_FILE).write_text(json.dumps(content), encoding="utf-8")
    assert load_faithfulness(tmp_path, 3) == {}
    verdict = load_verdict(tmp_path, 3)
    assert verdict is not None
    assert verdict["en"].endswith(f"attnfocus evaluate run={tmp_path.name} faithfulness=true")
    assert load_verdict(tmp_path, 4) is None


def test_a_file_that_cannot_be_written_costs_itself_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FAITHFULNESS_FILE).mkdir()  # an OSError, as on a full disk
    save_faithfulness(tmp_path, TESTED, 3)
    assert f"{FAITHFULNESS_FILE} could not be written" in caplog.text
