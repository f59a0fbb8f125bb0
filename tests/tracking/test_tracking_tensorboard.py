import io
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard import plugin_util
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import api_pb2, metadata

from attnfocus.events import Best, Evaluated, OptionValue, Progress, RunFacts, Sample, TrainingEnded, TrainingStarted
from attnfocus.tracking.tensorboard import TensorBoard, samples_table

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


def play(run: TrainingStarted, steps: range, end: bool = True) -> TensorBoard:
    board = TensorBoard()
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
    assert values["valid/bleu"] == values["best/bleu"][:2] == [(2, 2.0), (4, 4.0)]
    assert values["test/bleu"] == [(10, 10.0)]
    assert values["focus/valid/effective_positions"] == [(2, 3.1), (4, 3.1)]
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
    assert events.Tags()["images"] == ["attention/valid/cross/valid/7", "attention/valid/layers.0/valid/7"]
    event = events.Images("attention/valid/cross/valid/7")[0]
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
    html = plugin_util.markdown_to_safe_html(samples_table((sample,)).encode("utf-8", "backslashreplace").decode())
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
