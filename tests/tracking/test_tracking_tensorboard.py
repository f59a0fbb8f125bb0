import io
import json
import math
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard import plugin_util
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import api_pb2, metadata

from attnfocus.events import Best, Evaluated, OptionValue, Progress, RunFacts, Sample, TrainingEnded, TrainingStarted
from attnfocus.tracking.event_file import LAYOUT_TAG
from attnfocus.tracking.tables import samples_table
from attnfocus.tracking.tensorboard import Scalars, TensorBoard

SAMPLE = Sample(
    id="valid/7",
    source="5 mars | <b>",
    target="2024-03-05",
    prediction="2024_03_05",
    key_tokens=tuple("5 mars"),
    query_tokens={"cross": tuple("2024"), "layers.0": ("a",)},
    weights={"cross": np.full((1, 4, 6), 1 / 6), "layers.0": np.full((2, 1, 6), 1 / 6)},
)


def progress(step: int, is_logged: bool = True) -> Progress:
    return Progress(step, 1, step / 10, step * 1.5, 3.0, 1 / step, 1e-3, 0.5, 100.0, is_logged)


def evaluated(step: int, split: str = "valid", samples: tuple[Sample, ...] = ()) -> Evaluated:
    metrics = {"bleu": float(step), "loss": math.nan, "focus/effective_positions": 3.1}
    return Evaluated(step, 1, split, 1.0, metrics, True, Best("bleu", float(step), step), samples)


def started(run_dir: Path, resumed_from: int | None = None, **options: OptionValue) -> TrainingStarted:
    return TrainingStarted(run_dir, 10, None, 10, resumed_from, facts=RunFacts(options=options))


def opened(run_dir: Path) -> TensorBoard:
    board = TensorBoard()
    board.on_start(started(run_dir))
    return board


def play(run: TrainingStarted, steps: range, end: bool = True, scalars: Scalars = "all") -> TensorBoard:
    board = TensorBoard(scalars)
    board.on_start(run)
    for step in steps:
        board.on_progress(progress(step))
        if step % 2 == 0:
            board.on_evaluation(evaluated(step))
    if end:
        board.on_end(TrainingEnded(10, 1, 9.0, "max_steps reached", Best("bleu", 10.0, 10)))
        board.on_evaluation(evaluated(10, "test"))
        board.close()
    return board


def read(run_dir: Path) -> EventAccumulator:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader's own deprecations
        return EventAccumulator(str(run_dir), size_guidance={"tensors": 0, "scalars": 0, "images": 0}).Reload()


def scalars(run_dir: Path) -> dict[str, list[tuple[int, float]]]:
    events = read(run_dir)
    return {tag: [(e.step, round(e.value, 6)) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_every_logged_number_can_be_read_back(tmp_path):
    play(started(tmp_path), range(1, 5))
    values = scalars(tmp_path)
    assert values["train/loss"] == [(1, 1.0), (2, 0.5), (3, 0.333333), (4, 0.25)]
    assert values["valid/bleu"] == values["valid_best/bleu"][:2] == [(2, 2.0), (4, 4.0)]
    assert values["test/bleu"] == [(10, 10.0)]
    assert values["weights_focus/effective_positions"] == [(2, 3.1), (4, 3.1)]
    assert {"train/lr", "train/grad_norm", "train/words_per_second", "valid/loss"} <= set(values)
    assert math.isnan(values["valid/loss"][0][1])


def test_events_for_the_screen_only_are_not_written(tmp_path):
    board = opened(tmp_path)
    board.on_progress(progress(1, is_logged=False))
    board.on_progress(progress(2))
    board.close()
    assert [step for step, _ in scalars(tmp_path)["train/loss"]] == [2]


def test_a_run_directory_has_one_event_file_and_nothing_else(tmp_path):
    play(started(tmp_path), range(1, 5))
    play(started(tmp_path, resumed_from=2), range(3, 5))
    assert [path.name.startswith("events.out.tfevents.") for path in tmp_path.iterdir()] == [True]


def test_each_sample_and_attention_is_an_image(tmp_path):
    board = opened(tmp_path)
    board.on_evaluation(evaluated(2, samples=(SAMPLE,)))
    board.close()
    events = read(tmp_path)
    assert events.Tags()["images"] == ["weights_valid/cross/1", "weights_valid/layers.0/1"]
    event = events.Images("weights_valid/cross/1")[0]
    picture = Image.open(io.BytesIO(event.encoded_image_string))
    assert picture.size == (event.width, event.height)
    assert event.step == 2


def test_predictions_are_a_table_that_shows_the_text_as_it_is(tmp_path):
    board = opened(tmp_path)
    board.on_evaluation(evaluated(2, samples=(SAMPLE,)))
    board.close()
    (event,) = read(tmp_path).Tensors("samples/valid")
    markdown = event.tensor_proto.string_val[0].decode()
    html = plugin_util.markdown_to_safe_html(markdown)
    assert "<td>5 mars | &lt;b&gt;</td>" in html
    assert "<td>2024_03_05</td>" in html


@pytest.mark.parametrize(
    "text", ["*a* _b_ `c`", "[x](http://y)", "a\nb\x1b[31m", "# h", "\\| a", "", "\udc80", "&amp;"]
)
def test_no_text_breaks_the_table(text):
    sample = Sample("1", text, "t", "p", (), {}, {})
    html = plugin_util.markdown_to_safe_html(
        samples_table((sample,), "valid").encode("utf-8", "backslashreplace").decode()
    )
    assert html.count("<td>") == 4
    assert not any(tag in html for tag in ("<em>", "<strong>", "<code>", "<a ", "<h1>", "\x1b"))


def test_runs_can_be_compared_by_options(tmp_path):
    options = {"model.hidden_size": 8, "bias": True, "model": "seq2seq", "seed": None}
    play(started(tmp_path, **options), range(1, 3))
    events = read(tmp_path)
    start = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    hparams = metadata.parse_session_start_info_plugin_data(start).hparams
    assert hparams["model.hidden_size"].number_value == 8
    assert hparams["bias"].bool_value is True
    assert hparams["model"].string_value == "seq2seq"
    assert hparams["seed"].string_value == "none"
    end = events.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(end).status == api_pb2.STATUS_SUCCESS


def test_the_options_page_ends_with_the_file_after_the_test_metrics(tmp_path):
    play(started(tmp_path, lr=1e-3), range(1, 3))
    (path,) = tmp_path.iterdir()
    tags = [value.tag for event in EventFileLoader(str(path)).Load() for value in event.summary.value]
    assert tags[0] == metadata.SESSION_START_INFO_TAG
    assert tags[-1] == metadata.SESSION_END_INFO_TAG
    assert "test/bleu" in tags


def test_a_run_that_did_not_end_is_marked_as_failed(tmp_path):
    play(started(tmp_path, lr=1.0), range(1, 3), end=False).close()
    end = read(tmp_path).SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(end).status == api_pb2.STATUS_FAILURE


@pytest.mark.parametrize("torn_bytes", [0, 3, 40])
def test_a_resumed_file_equals_an_uninterrupted_one(tmp_path, torn_bytes):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    for run_dir in (whole, resumed):
        run_dir.mkdir()
    play(started(whole), range(1, 11))
    killed = play(started(resumed), range(1, 8), end=False)
    (path,) = resumed.iterdir()
    path.write_bytes(path.read_bytes()[: -torn_bytes or None])
    play(started(resumed, resumed_from=4), range(5, 11))
    assert repr(scalars(resumed)) == repr(scalars(whole))  # NaN too
    assert len(list(resumed.iterdir())) == 1
    killed.close()  # only now, since it writes that the run has ended: to the file that the resumed one has replaced


def test_a_finished_run_that_trains_on_keeps_one_test_result(tmp_path):
    play(started(tmp_path), range(1, 5))
    play(started(tmp_path, resumed_from=10), range(11, 13))
    assert len(scalars(tmp_path)["test/bleu"]) == 1


HEADS = {f"layers.{layer}": {"effective_positions": (2.0,) * 8, "first_mass": (0.1,) * 8} for layer in range(4)}
FOCUS = ("effective_positions", "positions", "normalized_entropy", "top_mass", "first_mass", "distance", "special_mass")


def large_run(run_dir: Path, scalars: Scalars = "few", resumed_from: int | None = None) -> None:
    """What a Transformer of four layers of eight heads logs, with all penalties."""
    board = TensorBoard(scalars)
    board.on_start(started(run_dir, resumed_from, lr=1e-3))
    penalties = {"entropy": 0.1, "coverage": 0.1, "diversity": 0.1}
    metrics = dict.fromkeys(("loss", "accuracy", "macro_f1", *(f"focus/{name}" for name in FOCUS), "focus/drift"), 1.0)
    answers = (replace(SAMPLE, is_right=False, id="valid/9"), replace(SAMPLE, is_right=True))
    for step in range(1 + (resumed_from or 0), 7):
        board.on_progress(replace(progress(step), penalties=penalties))
        if step % 2 == 0:
            best = Best("accuracy", 1.0, step)
            board.on_evaluation(Evaluated(step, 1, "valid", 1.0, metrics, True, best, (SAMPLE,), answers, HEADS))
    board.on_end(TrainingEnded(6, 1, 9.0, "max_steps reached", Best("accuracy", 1.0, 6)))
    board.on_evaluation(Evaluated(6, 1, "test", 1.0, metrics, answers=answers, heads=HEADS))
    board.close()


def test_a_large_model_has_few_scalars_and_no_dots_of_test(tmp_path):
    large_run(tmp_path)
    values = scalars(tmp_path)
    assert len(values) <= 40
    assert all(len(points) > 1 for points in values.values()), "a single dot is no curve"
    assert not [tag for tag in values if "test" in tag or "head" in tag]
    (event,) = read(tmp_path).Tensors("test_metrics")
    html = plugin_util.markdown_to_safe_html(event.tensor_proto.string_val[0].decode())
    assert "<td>macro f1</td>" in html


def test_all_scalars_are_there_for_those_who_ask(tmp_path):
    large_run(tmp_path, "all")
    values = scalars(tmp_path)
    assert {"test/loss", "weights_focus_test/distance", "weights_heads/layers.3/head7/first_mass"} <= set(values)
    assert len(values) > 100


def test_pages_which_sort_by_name_begin_with_the_curves(tmp_path):
    large_run(tmp_path)
    tags = read(tmp_path).Tags()
    groups = sorted({tag.split("/")[0] for tag in [*tags["scalars"], *tags["images"]]})
    assert groups == ["train", "valid", "valid_best", "weights_focus", "weights_heads", "weights_valid"]


@pytest.mark.parametrize("resumed_from", [None, 4])
def test_train_and_valid_are_in_one_chart_and_the_monitored_metric_is_next(tmp_path, resumed_from):
    large_run(tmp_path)
    if resumed_from:
        large_run(tmp_path, resumed_from=resumed_from)
    [event] = read(tmp_path).Tensors(LAYOUT_TAG)
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    assert [category.title for category in layout.category] == ["curves", "training", "where it looks"]
    charts = [(chart.title, list(chart.multiline.tag)) for chart in layout.category[0].chart]
    assert charts[0] == ("loss (train, valid)", ["^train/loss$", "^valid/loss$"])
    assert charts[1] == ("accuracy", ["^valid/accuracy$"])
    tags = [tag for category in layout.category for chart in category.chart for tag in chart.multiline.tag]
    names = list(scalars(tmp_path))
    assert [tag for tag in tags if not any(re.match(tag, name) for name in names)] == []


def test_heads_are_an_image_of_each_measure_over_the_evaluations_also_after_a_resume(tmp_path):
    large_run(tmp_path)
    lines = [{"step": step, "epoch": 1, "split": "valid", "seconds": 1.0, "focus/heads": HEADS} for step in (2, 4)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    whole = read(tmp_path).Images("weights_heads/effective_positions")
    large_run(tmp_path, resumed_from=4)
    assert read(tmp_path).Tags()["images"][:2] == ["weights_heads/effective_positions", "weights_heads/first_mass"]
    again = read(tmp_path).Images("weights_heads/effective_positions")
    assert [event.step for event in again] == [event.step for event in whole] == [2, 4, 6]
    assert again[-1].encoded_image_string == whole[-1].encoded_image_string


def test_wrong_answers_come_first_and_rows_are_named_by_their_split(tmp_path):
    large_run(tmp_path)
    table = read(tmp_path).Tensors("samples/valid")[0].tensor_proto.string_val[0].decode()
    html = plugin_util.markdown_to_safe_html(table)
    assert "<th>row of valid</th>" in html
    assert html.index("valid/9") < html.index("valid/7")
    assert html.index("<strong>no</strong>") < html.index("<td>yes</td>")


def test_the_options_page_has_the_main_options_alone(tmp_path):
    board = TensorBoard()
    facts = RunFacts(options={"optimizer.lr": 1e-3, "trainer.spike_score": 20.0}, main=frozenset({"optimizer.lr"}))
    board.on_start(TrainingStarted(tmp_path, 10, None, 10, facts=facts))
    board.close()
    start = read(tmp_path).SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    assert list(metadata.parse_session_start_info_plugin_data(start).hparams) == ["optimizer.lr"]
