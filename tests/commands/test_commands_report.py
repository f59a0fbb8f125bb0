"""report.html: written at the end of a run and by `attnfocus report`; what it says, and that it runs no text."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from browser_support import Tabs, wait_until
from tests_support import commands_run_in

import attnfocus
from attnfocus.cli import main
from attnfocus.commands.report import evidence, examples, facts
from attnfocus.commands.report import page as report_page
from attnfocus.commands.report.answers import Answers, Row, facts_of, in_turn, intervals, most_confused, read_answers
from attnfocus.commands.report.evidence import Evidence
from attnfocus.commands.report.examples import Examples, examples_of
from attnfocus.commands.report.page import MAX_BYTES, kept_examples, rows_within
from attnfocus.commands.train import end_page
from attnfocus.display.curves import thinned
from attnfocus.display.documents import embedded_json
from attnfocus.display.palette import steps
from attnfocus.errors import DataError
from attnfocus.inspection.examples import Choice, Trained, inspect_examples
from attnfocus.inspection.inspection import Inspection
from attnfocus.tasks import Inspected, Prediction
from attnfocus.tracking.map_history import read_history
from attnfocus.tracking.metrics_file import logged_head_measures
from attnfocus.training import CheckpointStore

EVIL = "</script><img src=x onerror=alert(1)>"
TOKEN = "hf_a1b2c3d4e5f6"
SMALL = ["device=cpu", "trainer.max_steps=6", "trainer.evaluate_every_steps=3", "trainer.log_every_steps=2"]
SMALL += ["focus.num_samples=1"]  # most of such a run's time is its pictures
CLASSES = [
    *["model=transformer", "model.num_layers=2", "attention=multi_head", "attention.num_heads=2", "model.embed_dim=8"],
    *["dataset=labelled_text", "dataset.train=rows.tsv", "dataset.tokenizer.kind=word"],
]
DATES = ["model=seq2seq", "dataset=dates", "dataset.num_train=200", "dataset.num_test=40", "model.hidden_size=8"]
DATES += ["dataset.num_valid=20", "decoding.max_length=20"]  # a model that has learnt nothing never ends by itself
VECTORS = ["model=pooling_classifier", "dataset=identity"]


def row(name: str, answer: str, target: str, confidence: float | None = 0.5) -> Row:
    return Row(name, f"text {name}", answer, target, confidence, None)


def test_the_surest_mistakes_come_first_and_no_row_is_shown_twice() -> None:
    rows = [row(str(n), "a" if n % 2 else "b", "a", n / 20) for n in range(20)]
    groups = Answers(rows).groups()
    assert [each.id for each in groups["wrong"]] == ["18", "16", "14"]
    assert [each.id for each in groups["unsure"]] == ["0", "1"]
    assert [each.is_right for each in groups["right"]] == [True] * 3
    shown = [each.id for _, each in in_turn(groups)]
    assert len(shown) == len(set(shown)) == 8
    assert [name for name, _ in in_turn(groups)][:3] == ["wrong", "unsure", "right"]


def test_intervals_are_those_of_resampled_rows() -> None:
    rows = [row(str(n), "a", "a" if n < 150 else "b") for n in range(200)]
    matrix = [[150, 0], [50, 0]]
    f1 = (2 * 150 / (150 + 200) + 0) / 2
    found = intervals(rows, {"accuracy": 0.75, "macro_f1": f1, "loss": 1.0}, {"confusion_matrix": matrix})
    random = np.random.default_rng(5)
    right = np.array([each.is_right for each in rows])
    draws = [right[random.integers(0, 200, 200)].mean() for _ in range(2000)]
    assert found["accuracy"] == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.015)
    assert found["macro_f1"][0] < f1 < found["macro_f1"][1]
    assert found.keys() == {"accuracy", "macro_f1"}
    assert found == intervals(rows, {"accuracy": 0.75, "macro_f1": f1}, {"confusion_matrix": matrix})
    assert intervals(rows, {"accuracy": 0.5}, {}) == {}  # a figure that is not the mean over these rows
    assert intervals([], {}, {}) == {}


def test_the_classes_with_most_mistakes_are_kept() -> None:
    assert most_confused([[5, 0, 0], [0, 1, 4], [0, 3, 2]], 2) == [1, 2]


def test_answers_that_are_damaged_are_none(tmp_path: Path) -> None:
    path = tmp_path / "predictions-test.jsonl"
    line = {"id": "1", "source": "s", "prediction": "a b c", "target": "a", "probability": 0.0625}
    skipped = {**line, "id": "2", "prediction": "", "skipped": "too long"}
    path.write_text(json.dumps(line) + "\n" + json.dumps(skipped) + "\n")
    found = read_answers(tmp_path, is_written=True)
    assert (found.rows[0].confidence, found.skipped) == (0.5, 1)
    path.write_text("[1]\n")
    assert read_answers(tmp_path, is_written=False) == Answers()


def inspection(number: int) -> Inspection:
    return Inspection({}, "text", tuple(Inspected(Prediction(str(n), "", 0.0)) for n in range(number)))


def test_examples_that_fail_take_their_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 0.0

    def failing(*_: object) -> None:
        nonlocal seconds
        seconds += 1.0
        raise DataError(f"input {seconds:.0f}: empty.")

    monkeypatch.setattr(examples.time, "monotonic", lambda: seconds)
    monkeypatch.setattr(examples, "inspect_examples", failing)
    monkeypatch.setattr(examples, "_chosen", lambda material: [("wrong", place) for place in range(8)])
    monkeypatch.setattr(examples, "_content", lambda material, shown: inspection(len(shown)))
    found = examples_of(SimpleNamespace(trained=None, seconds=2.5))  # type: ignore[arg-type]
    assert found.left_out == {"time": 5, "failed": 3}
    assert found.reason == "input 1: empty."
    assert len(found.content.examples) == 1


def test_one_large_example_is_left_out_not_all_after_it() -> None:
    found = Examples(inspection(5), {"wrong": [0, 1], "unsure": [2], "right": [3, 4]}, list("abcde"), {"time": 1})
    assert kept_examples(found, [30, 30, 500, 30, 30], 100) == [0, 1, 3]  # in turn: 0, 2, 3, 1, 4
    assert kept_examples(found, [500] * 5, 100) == [0]
    shown = found.only([0, 1, 3])
    assert (shown.groups, shown.ids) == ({"wrong": [0, 1], "right": [2]}, ["a", "b", "d"])
    assert shown.left_out == {"time": 1, "room": 2}
    assert len(shown.content.examples) == 3


def test_listed_rows_have_a_room_of_their_own() -> None:
    rows = [Row(str(number), "\u6587" * 400, "a", "b", None, None) for number in range(9)]
    size = len(embedded_json(facts_of(rows[0], None))) + 1
    assert rows_within(rows, 3 * size) == rows[:3]
    assert rows_within(rows, 3 * size - 1) == rows[:2]
    assert rows_within([], size) == []


def test_a_thinned_curve_has_its_ends() -> None:
    assert thinned(range(10), 4) == [0, 3, 6, 9]
    assert thinned(range(9), 4) == [0, 3, 6, 8]
    assert thinned(range(4), 4) == [0, 1, 2, 3]
    assert thinned([], 4) == []


def write_rows(folder: Path) -> None:
    words = {"good": "fine nice lovely great", "bad": "poor awful dull weak"}
    lines = [
        f"{EVIL} this is {text.split()[n % 4]} number {n}\t{label}" for n in range(40) for label, text in words.items()
    ]
    (folder / "rows.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("task", [CLASSES, DATES, VECTORS], ids=["classes", "dates", "vectors"])
def test_a_run_of_each_task_gets_a_page(
    task: list[str], here: Path, tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_page, "LEAST_SECONDS", 60.0)  # a busy machine asks for all examples, too
    write_rows(here)
    assert main(["train", *task, *SMALL, "report=true", "run_dir=run"]) == 0
    page = here / "run" / "report.html"
    assert page.stat().st_size < MAX_BYTES
    shown = tabs.open(page)
    for part in ("metrics", "curves", "samples", "data-part", "config", "machine"):
        assert shown.inner_text(f"#{part} h2")
    assert shown.locator("#curves polyline").count() >= 2
    assert shown.locator("#curves .best-step").count() >= 1
    assert shown.locator("#groups button").count() >= 3
    shown.click("#language button[value=zh]")
    assert shown.inner_text("#curves h2") == "学习过程"
    style = "(place) => ((each) => [each.backgroundColor, each.color])(getComputedStyle(document.querySelector(place)))"
    shown.emulate_media(media="print", color_scheme="dark")
    assert shown.evaluate(style, "body") == ["rgb(255, 255, 255)", "rgb(27, 31, 36)"]
    assert not shown.locator("#language").is_visible()
    assert shown.locator("#curves polyline").first.is_visible()
    shown.emulate_media(media="screen", forced_colors="active")
    axis = "getComputedStyle(document.querySelector('#curves .axis')).stroke"
    assert shown.evaluate(axis) == shown.evaluate("getComputedStyle(document.body).color")
    chosen = "getComputedStyle(document.querySelector('#groups button[aria-pressed=true]')).outlineStyle"
    assert shown.evaluate(chosen) == "solid"


@pytest.mark.slow
@pytest.mark.parametrize("num_test", [0, 8])
def test_the_page_is_of_the_best_checkpoint_which_is_loaded_once(
    num_test: int, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the run has no test rows, and so is not tested."""
    write_rows(here)
    loaded: list[str] = []
    load = CheckpointStore.load

    def noted(store: CheckpointStore, which: str) -> Any:
        loaded.append(which)
        return load(store, which)

    monkeypatch.setattr(CheckpointStore, "load", noted)
    assert main(["train", *CLASSES, *SMALL, f"dataset.split.test={num_test}", "report=true", "run_dir=run"]) == 0
    assert loaded == ["best"]
    assert (here / "run" / "report.html").is_file()


@pytest.mark.slow
def test_by_default_short_runs_and_jobs_of_a_sweep_get_no_page(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["train", *VECTORS, *SMALL, "run_dir=short"]) == 0
    assert not (here / "short" / "report.html").exists()
    monkeypatch.setattr(end_page, "MIN_SECONDS", 0.0)
    assert main(["train", *VECTORS, *SMALL, "run_dir=none", "report=false"]) == 0
    assert not (here / "none" / "report.html").exists()
    assert main(["train", *VECTORS, *SMALL, "run_dir=long"]) == 0
    assert (here / "long" / "report.html").is_file()
    assert main(["train", "-m", *VECTORS, *SMALL, "seed=1,2"]) == 0
    jobs = list((here / "outputs" / "sweeps").rglob("summary.json"))
    assert len(jobs) == 2
    assert not list((here / "outputs").rglob("report.html"))


@pytest.mark.slow
def test_a_page_that_cannot_be_made_is_a_warning(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(material: object) -> str:
        raise RuntimeError("no page today")

    monkeypatch.setattr(end_page, "page_of", broken)
    assert main(["train", *VECTORS, *SMALL, "run_dir=run", "report=true"]) == 0
    assert "report.html was not written (RuntimeError: no page today)" in capsys.readouterr().err
    assert not (here / "run" / "report.html").exists()
    assert "no page today" in (here / "run" / "train.log").read_text()
    assert json.loads((here / "run" / "summary.json").read_text())["status"] == "completed"


@pytest.mark.slow
def test_the_verb_writes_the_page_of_a_run_where_one_wants(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *VECTORS, *SMALL, "run_dir=run"]) == 0
    assert main(["report", "run=run", "device=cpu"]) == 0
    assert f"report  {here / 'run' / 'report.html'}" in capsys.readouterr().err
    assert main(["report", "run=run", "device=cpu", "output=given/away.html"]) == 0
    assert (here / "given" / "away.html").read_text() == (here / "run" / "report.html").read_text()
    assert main(["report", "run=nowhere"]) == 2


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two layers of two heads that read hostile texts."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        commands_run_in(folder, patch)
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setattr(end_page, "LEAST_SECONDS", 60.0)
        write_rows(folder)
        few = SMALL[:-1]  # several pictures: a page of maps over training offers several examples
        assert main(["train", *CLASSES, *few, "report=true", "run_dir=run", "baseline=linear"]) == 0
    return folder / "run" / "report.html"


@pytest.mark.slow
@pytest.mark.browser
def test_texts_of_the_data_are_shown_as_texts(tabs: Tabs, page_path: Path) -> None:
    raw = page_path.read_text()
    assert "<img" not in raw
    assert TOKEN not in raw
    page = tabs.open(page_path)
    assert EVIL in page.inner_text("#answer dd >> nth=0")
    page.locator("#confusion .cell[aria-disabled=false]").first.click()
    assert EVIL in page.inner_text("#answers article dd >> nth=0")
    assert page.locator("img").count() == 0


@pytest.mark.slow
@pytest.mark.browser
def test_metrics_stand_beside_intervals_and_simple_answers(tabs: Tabs, page_path: Path) -> None:
    page = tabs.open(page_path)
    text = page.inner_text("#metrics")
    for part in ("accuracy ↑", "95 % interval", "always the commonest class", "linear model", "faithfulness=true"):
        assert part in text
    summary = json.loads((page_path.parent / "summary.json").read_text())
    shown = page.inner_text("#metrics tr:has-text('accuracy') td >> nth=1")
    assert float(shown) == pytest.approx(summary["test"]["accuracy"], abs=1e-3)


@pytest.mark.slow
@pytest.mark.browser
def test_a_cell_opens_its_rows_and_a_row_its_example(tabs: Tabs, page_path: Path) -> None:
    page = tabs.open(page_path)
    cell = page.locator("#confusion .cell[aria-disabled=false]").last
    target, answer, count = cell.get_attribute("aria-label").replace(" answered as ", "|").replace(": ", "|").split("|")
    cell.press("Enter")
    assert page.evaluate("document.activeElement.id") == "errors-back"
    said = page.inner_text("#errors > .hint")
    assert target in said
    assert answer in said
    assert f"of {count}" in said
    first = page.locator("#answers article").first
    assert page.evaluate("[...document.querySelectorAll('#answers article')].length") >= 1
    assert answer in first.inner_text()
    page.click("#errors-back")
    looks = page.locator("#answers article button")
    if looks.count():
        looks.first.click()
        page.wait_for_timeout(100)
        assert page.evaluate("document.activeElement.id") == "example"
    page.click("#groups button >> nth=2")
    page.wait_for_timeout(100)
    assert page.evaluate("window.attnfocus.state.example") == 2
    assert page.get_attribute("#groups button >> nth=2", "aria-pressed") == "true"


@pytest.mark.slow
@pytest.mark.browser
def test_a_cell_of_the_grid_shows_this_head(tabs: Tabs, page_path: Path) -> None:
    page = tabs.open(page_path)
    assert page.locator("#grid .cell").count() == 4
    page.locator("#grid .cell").nth(3).press("Enter")
    page.wait_for_timeout(100)
    assert page.evaluate("window.attnfocus.state.head") == 1
    page.locator("#grid .cell").nth(0).focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("layers.1, head 0")


@pytest.mark.slow
@pytest.mark.browser
def test_a_slider_shows_the_heads_at_earlier_evaluations(tabs: Tabs, page_path: Path) -> None:
    """The numbers are those of metrics.jsonl, the pictures those that the run has kept, on one scale."""
    page = tabs.open(page_path)
    slider = page.locator("#grid-stop")
    assert (slider.get_attribute("max"), slider.input_value()) == ("2", "2")
    assert page.input_value("#grid-measure") == "effective_positions"
    assert page.locator("#grid .stops span").all_inner_texts() == ["3", "6", "test"]
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext").startswith("step 3")
    assert page.inner_text("#grid-now") == "Step 3: means over the valid rows."
    logged = logged_head_measures(page_path.parent / "metrics.jsonl")[3]
    values = [value for name in ("layers.0", "layers.1") for value in logged[name]["effective_positions"]]
    assert [float(text) for text in page.locator("#grid .cell").all_inner_texts()] == pytest.approx(values, rel=1e-3)
    assert page.evaluate("document.activeElement.id") == "grid-stop"
    maps = read_history(page_path.parent).common()[0]
    largest = float(max(weights.max() for weights in maps.values()))
    for stop, key in enumerate(("Home", "ArrowRight")):
        slider.press(key)
        page.wait_for_timeout(100)
        for number in range(4):
            weights = maps[f"layers.{number // 2}"][stop, number % 2].float().numpy()
            assert shown_shares(page, number) == pytest.approx(weights / largest, abs=0.02)
    assert page.inner_text("#grid-pictures").startswith("Pictures: one example at step 6.")
    page.select_option("#grid-example", "1")
    wait_until(page, "document.activeElement.id === 'grid-example'")
    assert EVIL in page.inner_text("#grid-texts")
    page.click("#language button[value=zh]")
    assert page.inner_text(".slider label") == "训练过程"
    assert slider.input_value() == "1"


def shown_shares(page: Any, number: int) -> np.ndarray:
    """What share of the scale the pixels of a picture are, by the colors of the page."""
    canvas = "document.querySelectorAll('#grid .picture')[number]"
    size, pixels = page.evaluate(
        f"number => {{ const c = {canvas}, d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; "
        "return [[c.height, c.width], [...d]]; }",
        number,
    )
    colors = np.array(steps("light"))
    shown = np.array(pixels).reshape(-1, 4)[:, :3]
    distances = np.abs(shown[:, None] - colors[None]).sum(axis=-1)
    assert distances.min(axis=1).max() == 0
    return distances.argmin(axis=1).reshape(size) / 255


@pytest.mark.slow
@pytest.mark.browser
def test_one_evaluation_needs_no_slider(tabs: Tabs, page_path: Path) -> None:
    path = page_path.parent / "one.html"
    raw = page_path.read_text()
    assert '"history":{"steps":[3,6]' in raw
    path.write_text(raw.replace('"history":{"steps":[3,6]', '"history":{"steps":[6]'))
    page = tabs.open(path)
    assert page.locator("#grid .cell").count() == 4
    assert page.locator("#grid-stop").count() == 0
    assert page.locator("#grid .picture").count() == 0
    assert page.input_value("#grid-measure") == "top_mass"


@pytest.mark.slow
@pytest.mark.browser
def test_heads_that_are_in_no_example_are_not_opened_as_the_mean(
    tabs: Tabs, page_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MAX_VALUES", 1)  # of the last layer one head, of the first none
    path = page_path.parent / "few.html"
    assert main(["report", f"run={page_path.parent}", "device=cpu", f"output={path}"]) == 0
    page = tabs.open(path)
    shown = page.eval_on_selector_all("#grid .cell", "all => all.map((each) => each.ariaDisabled)")
    assert shown == ["true", "true", "false", "true"]
    assert "dashed border" in page.inner_text("#grid .hint")
    before = page.inner_text("#shown")
    page.locator("#grid .cell").nth(3).press("Enter")
    page.wait_for_timeout(100)
    assert page.inner_text("#shown") == before
    assert page.evaluate("document.activeElement.className") == "cell"
    page.locator("#grid .cell").nth(2).press("Enter")
    wait_until(page, "document.activeElement.id === 'keys'")


@pytest.mark.slow
@pytest.mark.browser
def test_a_page_that_is_too_large_loses_examples_and_says_so(
    tabs: Tabs, page_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []

    def counted(*given: Any) -> dict[str, list[float]]:
        drawn.append(given)
        return intervals(*given)

    monkeypatch.setattr(facts, "intervals", counted)
    monkeypatch.setattr(report_page, "MAX_BYTES", page_path.stat().st_size - 5)
    path = page_path.parent / "small.html"
    assert main(["report", f"run={page_path.parent}", "device=cpu", f"output={path}"]) == 0
    assert len(drawn) == 1
    assert path.stat().st_size < page_path.stat().st_size
    page = tabs.open(path)
    left = page.inner_text("#samples-note")
    number = page.locator("#groups button").count()
    assert left == f"Left out, as their weights would make the page larger than 3 MB: {8 - number}."
    page.locator("#groups button").last.click()
    page.wait_for_timeout(100)
    assert page.evaluate("window.attnfocus.state.example") == number - 1


@pytest.mark.slow
@pytest.mark.browser
def test_weights_that_cannot_be_tested_are_not_sent_to_a_test(tabs: Tabs, page_path: Path) -> None:
    path = page_path.parent / "last.html"
    path.write_text(page_path.read_text().replace('"checkpoint":"best"', '"checkpoint":"last"'))
    text = tabs.open(path).inner_text("#metrics .verdict")
    assert text == "Not tested for these weights: only what was found of the best checkpoint is kept."


@pytest.mark.slow
@pytest.mark.browser
def test_curves_are_read_by_keyboard(tabs: Tabs, page_path: Path) -> None:
    page = tabs.open(page_path)
    page.locator("#curves svg.plot").first.press("End")
    assert page.inner_text("#curves .readout >> nth=0").startswith("step 6: ")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_down_only(tabs: Tabs, page_path: Path, scheme: str) -> None:
    page = tabs.open(page_path, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.slow
@pytest.mark.browser
def test_paper_has_the_shading_and_no_controls(tabs: Tabs, page_path: Path) -> None:
    page = tabs.open(page_path, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("#controls").is_hidden()
    assert page.locator("#grid-stop").is_hidden()
    assert page.locator("#grid-now").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('#confusion .cell')).printColorAdjust") == "exact"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def weights_of(rows: list[list[float]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_evidence_is_read_where_it_gets_more_than_its_share_of_the_text() -> None:
    marked = [True, False, False, True]
    found = evidence._evidence([(weights_of([[0.3, 0.2, 0.1, 0.4]])[0], marked)], 4)
    assert found is not None
    assert (round(found.share, 6), found.uniform, found.is_read) == (0.7, 0.5, True)
    found = evidence._evidence([(weights_of([[0.25, 0.25, 0.25, 0.25]])[0], marked)], 4)
    assert found is not None
    assert not found.is_read  # uniform attention looks at nothing
    # Padding behind the input does not count, and rows that are not normalized are.
    found = evidence._evidence([(weights_of([[2.0, 1.0, 9.0]])[0], [True, False])], 2)
    assert found == Evidence(pytest.approx(2 / 3), 0.5)
    two = [
        (weights_of([[1.0, 0.0, 0.0]])[0], [True, False, False]),
        (weights_of([[0.5, 0.5, 0.0]])[0], [False, True, True]),
    ]
    assert evidence._evidence(two, 3) == Evidence(pytest.approx(0.75), pytest.approx(0.5))
    assert evidence._evidence([(weights_of([[0.5, 0.5]])[0], [True, True])], 2) is None  # nothing else to look at
    assert evidence._evidence([(weights_of([[0.5, 0.5]])[0], None)], 2) is None


@pytest.mark.slow
@pytest.mark.browser
def test_wrong_outputs_are_counted_by_whether_they_looked_at_the_evidence(
    tabs: Tabs, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_page, "LEAST_SECONDS", 60.0)
    assert main(["train", *DATES, *SMALL, "report=true", "run_dir=run"]) == 0
    page = tabs.open(here / "run" / "report.html")
    known, read, elsewhere = map(int, re.findall(r"\d+", page.inner_text("#errors-evidence strong")))
    assert known == read + elsewhere > 0
    run = attnfocus.load(here / "run", device="cpu")
    rows = page.evaluate("JSON.parse(document.getElementById('data').textContent).report.answers")
    (wrong,) = [row for row in rows if row["evidence"]][:1]
    (example,) = [each for each in run._prepared("test").splits["test"] if each.id == wrong["id"]]
    (shown,) = inspect_examples(
        Trained(run.task, run.model, run.setup.config.decoding), [example], Choice(methods=("attention",))
    )
    links: dict[int, set[int]] = {}
    for output, place in shown.links.possible:
        links.setdefault(output, set()).add(place)
    weights = shown.maps[0].weights.mean(axis=0)
    shares = [weights[output, list(places)].sum() for output, places in links.items()]
    assert wrong["evidence"][0] == pytest.approx(np.mean(shares), abs=2e-4)
    assert wrong["evidence"][1] == pytest.approx(
        np.mean([len(each) / weights.shape[1] for each in links.values()]), abs=1e-4
    )
    for choice, number in (("read", read), ("elsewhere", elsewhere)):
        page.select_option("#errors-looked", choice)
        assert page.inner_text("#errors-found").startswith(f"{number} of ")
    page.click("#language button[value=zh]")
    assert "已知依据的错误" in page.inner_text("#errors-evidence")
