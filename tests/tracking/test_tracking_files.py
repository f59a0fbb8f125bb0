import contextlib
import json
import logging
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from attnfocus.commands.sweep.table import JobResult, write_results_csv
from attnfocus.events import CheckpointSaved, Evaluated, Listener, Progress, StopRequest, TrainingEnded, TrainingStarted
from attnfocus.files import make_fresh_folder, readable_json, write_json_atomically
from attnfocus.redaction import is_secret, note_values, redact
from attnfocus.tracking.event_file import EventFile
from attnfocus.tracking.guard import Guarded, own_are_strict
from attnfocus.tracking.log import LogEvents, RunLog
from attnfocus.tracking.metrics_file import MetricsFile, logged_metrics
from attnfocus.training import guards

needs_full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """While entered no file can grow over `size` bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def progress(step: int, is_logged: bool = True) -> Progress:
    return Progress(step, 1, step / 10, step * 1.5, None, 1 / step, 1e-3, math.inf, 100.0, is_logged)


def evaluated(step: int, split: str = "valid") -> Evaluated:
    return Evaluated(step, 1, split, step * 1.5, {"bleu": float(step), "loss": math.nan})


def started(folder: Path, resumed_from: int | None = None) -> TrainingStarted:
    return TrainingStarted(folder, 10, None, 10, resumed_from)


def opened(folder: Path) -> MetricsFile:
    file = MetricsFile()
    file.on_start(started(folder))
    return file


def play(folder: Path, first: int, last: int, resumed_from: int | None = None) -> None:
    file = MetricsFile()
    file.on_start(started(folder, resumed_from))
    for step in range(first, last + 1):
        file.on_progress(progress(step, is_logged=step % 2 == 0))
        if step % 3 == 0:
            file.on_evaluation(evaluated(step))
    if last == 10:
        file.on_evaluation(evaluated(6, "test"))
    file.close()


def strict_lines(path: Path) -> list[dict]:
    def refuse(text: str) -> None:
        raise ValueError(text)

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_each_logged_event_is_a_line_of_strict_json(tmp_path):
    path = tmp_path / "metrics.jsonl"
    play(tmp_path, 1, 3)
    assert strict_lines(path) == [
        {"step": 2, "epoch": 1, "split": "train", "seconds": 3.0}
        | {"loss": 0.5, "lr": 0.001, "grad_norm": None, "words_per_second": 100.0},
        {"step": 3, "epoch": 1, "split": "valid", "seconds": 4.5, "bleu": 3.0, "loss": None},
    ]


def test_lines_reach_the_file_at_once(tmp_path):
    path = tmp_path / "metrics.jsonl"
    file = opened(tmp_path)
    file.on_evaluation(evaluated(1))
    assert len(strict_lines(path)) == 1  # before it is closed
    file.close()


@pytest.mark.parametrize("torn", [b"", b'{"step": 9, "epo', b"\x00\xff\n"])
def test_a_resumed_file_equals_an_uninterrupted_one(tmp_path, torn):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    for folder in (whole, resumed):
        folder.mkdir()
    play(whole, 1, 10)
    play(resumed, 1, 8)
    with open(resumed / "metrics.jsonl", "ab") as file:
        file.write(torn)
    play(resumed, 5, 10, resumed_from=4)
    assert (resumed / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


def test_metrics_are_found_again_by_step_and_split(tmp_path):
    path = tmp_path / "metrics.jsonl"
    file = opened(tmp_path)
    for step, split in ((1, "train"), (1, "valid"), (2, "valid")):
        file.on_evaluation(Evaluated(step, 1, split, 1.0, {"loss": float(step), "bleu": math.nan}))
    file.close()
    path.write_bytes(b'torn\n{"step": 2\n' + path.read_bytes())
    assert logged_metrics(path, 2, "valid") == {"loss": 2.0}
    assert logged_metrics(path, 2, "test") is None
    assert logged_metrics(tmp_path / "none.jsonl", 2, "valid") is None


def test_without_resuming_an_old_file_is_never_touched(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("precious\n")
    with pytest.raises(FileExistsError):
        opened(tmp_path)
    assert path.read_text() == "precious\n"


def test_resuming_without_an_old_file_starts_one(tmp_path):
    play(tmp_path, 5, 6, resumed_from=4)
    assert [line["step"] for line in strict_lines(tmp_path / "metrics.jsonl")] == [6, 6]


def test_numpy_numbers_are_written_as_numbers(tmp_path):
    file = opened(tmp_path)
    file.on_evaluation(Evaluated(1, 1, "valid", 1.0, {"a": np.float32(0.5), "b": np.int64(2)}))
    file.close()
    (line,) = strict_lines(tmp_path / "metrics.jsonl")
    assert (line["a"], line["b"]) == (0.5, 2)


@needs_full_disk
def test_a_full_disk_stops_the_file_with_one_warning_and_the_run_goes_on(tmp_path):
    said: list[str] = []
    guarded = Guarded(opened(tmp_path), said.append)
    with full_disk(200):
        for step in range(1, 5):
            guarded.on_progress(progress(step))
        guarded.on_end(TrainingEnded(4, 1, 1.0, "max_steps reached", None))
        guarded.close()
    assert said == ["MetricsFile stopped: File too large. The run goes on without it."]
    assert (tmp_path / "metrics.jsonl").stat().st_size == 200


class Broken(Listener):
    def __init__(self, error: BaseException) -> None:
        self.error, self.calls, self.closed = error, 0, 0

    def on_start(self, event: TrainingStarted) -> None:
        self.calls += 1
        raise self.error

    on_progress = on_evaluation = on_checkpoint = on_end = on_start  # type: ignore[assignment]

    def close(self) -> None:
        self.closed += 1
        raise self.error


def hear_all(listener: Listener) -> None:
    listener.on_start(started(Path("run")))
    listener.on_progress(progress(1))
    listener.on_evaluation(evaluated(1))
    listener.on_checkpoint(CheckpointSaved(1, Path("x"), False))
    listener.on_end(TrainingEnded(1, 1, 1.0, "max_steps reached", None))
    listener.close()


def test_a_listener_that_cannot_write_is_left_alone_after_one_warning():
    said: list[str] = []
    broken = Broken(OSError(5, "Input/output error", "/run/metrics.jsonl"))
    hear_all(Guarded(broken, said.append))
    assert broken.calls == 1
    assert said == ["Broken stopped: Input/output error (/run/metrics.jsonl). The run goes on without it."]


def test_a_warning_that_cannot_be_shown_does_not_end_the_run():
    def closed_pipe(line: str) -> None:
        raise BrokenPipeError

    hear_all(Guarded(Broken(OSError("full")), closed_pipe))


def test_faults_of_our_own_listeners_are_not_hidden_under_test():
    assert own_are_strict()
    with pytest.raises(ZeroDivisionError):
        Guarded(Broken(ZeroDivisionError()), print, is_strict=own_are_strict()).on_start(started(Path("run")))


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("division by zero"), KeyError("x"), RuntimeError("a\nb"), ValueError()]
)
def test_whatever_a_tracker_raises_stops_it_with_one_warning(error):
    said: list[str] = []
    broken = Broken(error)
    hear_all(Guarded(broken, said.append, name="tracker.mine"))
    assert (broken.calls, broken.closed) == (1, 1)
    assert len(said) == 1
    assert said[0].startswith(f"tracker.mine stopped: {type(error).__name__}")
    assert said[0].endswith(". The run goes on without it.")
    assert "\n" not in said[0]


def test_an_error_while_closing_is_told_too():
    said: list[str] = []

    class Full(Listener):
        def close(self) -> None:
            raise RuntimeError("not sent")

    guarded = Guarded(Full(), said.append)
    guarded.close()
    guarded.close()
    assert said == ["Full stopped: RuntimeError: not sent. The run goes on without it."]


def test_ctrl_c_passes_a_tracker():
    with pytest.raises(KeyboardInterrupt):
        Guarded(Broken(KeyboardInterrupt()), print).on_start(started(Path("run")))


def test_a_tracker_can_ask_the_run_to_stop_and_not_with_anything_else():
    said: list[str] = []

    class Asks(Listener):
        def __init__(self, request: Any) -> None:
            self.request = request

        def stop_request(self) -> Any:
            return self.request

    stop = StopRequest("stopped", "enough")
    assert Guarded(Asks(stop), said.append).stop_request() == stop
    assert Guarded(Asks(True), said.append).stop_request() is None
    assert said == [
        "Asks stopped: TypeError: stop_request gave bool, not StopRequest or None. The run goes on without it."
    ]


def test_a_warning_holds_no_secret():
    note_values({"api_key": "hunter2hunter2"})
    said: list[str] = []
    Guarded(Broken(RuntimeError("refused: hunter2hunter2")), said.append).on_start(started(Path("run")))
    assert said == ["Broken stopped: RuntimeError: refused: <redacted>. The run goes on without it."]


def test_a_listener_that_works_hears_everything():
    heard: list[str] = []

    class All(Listener):
        def __getattribute__(self, name: str) -> object:
            if name.startswith("on_") or name == "close":
                return lambda *event: heard.append(name)
            return super().__getattribute__(name)

    hear_all(Guarded(All(), print))
    assert heard == ["on_start", "on_progress", "on_evaluation", "on_checkpoint", "on_end", "close"]


def test_the_log_has_the_turning_points_and_the_screen_the_warnings(tmp_path):
    screen: list[str] = []
    with RunLog(tmp_path / "train.log", screen.append):
        hear_all(LogEvents())
        logging.getLogger("attnfocus.data").warning("3 rows\x1b[31m skipped \udc80")
        logging.getLogger("attnfocus.data").debug("too much")
    logging.getLogger("attnfocus.data").info("after the end")
    lines = (tmp_path / "train.log").read_text(encoding="utf-8").splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == [
        "training started in run",
        "step 1 valid: bleu=1.000 loss=nan",
        "step 1: checkpoint x",
        "training ended at step 1 after 1 s: max_steps reached",
        "3 rows\\x1b[31m skipped \\udc80",
    ]
    assert len(screen) == 1
    assert screen[0].startswith("warning: 3 rows")


def test_the_screen_shows_the_brief_form_of_a_warning_and_the_log_the_whole(tmp_path):
    screen: list[str] = []
    batch = SimpleNamespace(ids=[f"train-{number}" for number in range(64)])
    with RunLog(tmp_path / "train.log", screen.append):
        guards.warn_of([batch], "step 7: a spike")
    assert screen == ["warning: step 7: a spike; batch: train-0, train-1, train-2 and 61 more"]
    written = (tmp_path / "train.log").read_text()
    assert "step 7: a spike; batch: train-0, train-1, train-2, train-3, " in written
    assert "train-7 and 56 more" in written


@pytest.mark.filterwarnings("default")
def test_warnings_of_libraries_go_to_the_log_only(tmp_path):
    screen: list[str] = []
    before = warnings.showwarning
    with RunLog(tmp_path / "train.log", screen.append):
        warnings.warn("a library's warning", stacklevel=1)
    assert "a library's warning" in (tmp_path / "train.log").read_text()
    assert not screen
    assert warnings.showwarning is before


@needs_full_disk
def test_a_log_on_a_full_disk_is_given_up_with_one_warning(tmp_path, capsys):
    screen: list[str] = []
    path = tmp_path / "train.log"
    with full_disk(200), RunLog(path, screen.append):
        for _ in range(3):
            logging.getLogger("attnfocus").info("a line " * 50)
    assert screen == [f"warning: {path} stopped: File too large. The run goes on without it."]
    assert capsys.readouterr().err == ""


def test_a_log_that_cannot_be_opened_is_given_up_with_one_warning(tmp_path):
    screen: list[str] = []
    with RunLog(tmp_path / "no such folder" / "train.log", screen.append):
        for _ in range(3):
            logging.getLogger("attnfocus").info("a line")
    assert len(screen) == 1


def test_a_fresh_folder_is_never_one_that_others_have_taken(tmp_path):
    (tmp_path / "a-1").touch()
    made = [make_fresh_folder(tmp_path / "new" / "..", "a") for _ in range(3)]
    assert made == [tmp_path / name for name in ("a", "a-2", "a-3")]
    with pytest.raises(OSError, match="a-1"):
        make_fresh_folder(tmp_path / "a-1", "b")


def test_json_is_strict_and_replaces_the_old_file_whole(tmp_path):
    path = tmp_path / "summary.json"
    write_json_atomically(path, {"best": math.nan, "dir": Path("a b"), "n": np.int64(3), "名": ["é\udc80", (1, 2.5)]})
    assert json.loads(path.read_bytes()) == {"best": None, "dir": "a b", "n": 3, "名": ["é\udc80", [1, 2.5]]}
    with pytest.raises(TypeError):
        write_json_atomically(path, {"bad": object()})
    assert json.loads(path.read_bytes())["n"] == 3
    assert os.listdir(tmp_path) == ["summary.json"]


def test_json_has_a_line_for_each_row_of_a_matrix():
    content = {
        "matrix": [[1, 2], [3, 4]],
        "labels": ["a", "b"],
        "rows": [{"n": 1}, {"t": "x" * 200}],
        "no": {},
        "y": [],
    }
    text = readable_json({**content, "in": {"a": 1}})
    assert json.loads(text) == {**content, "in": {"a": 1}}
    assert [line.strip() for line in text.splitlines()] == [
        "{",
        '"matrix": [',
        "[1, 2],",
        "[3, 4]",
        "],",
        '"labels": ["a", "b"],',
        '"rows": [',
        '{"n": 1},',
        "{",
        f'"t": "{"x" * 200}"',
        "}",
        "],",
        '"no": {},',
        '"y": [],',
        '"in": {',
        '"a": 1',
        "}",
        "}",
    ]


@needs_full_disk
def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "summary.json"
    write_json_atomically(path, {"n": 1})
    with full_disk(200), pytest.raises(OSError, match="too large"):
        write_json_atomically(path, {"n": list(range(200))})
    assert json.loads(path.read_bytes()) == {"n": 1}
    assert os.listdir(tmp_path) == ["summary.json"]


SECRET = ["token", "hf_token", "HF_TOKEN", "apiKey", "api_key", "db.password", "accessToken", "client-secret", "passwd"]
SECRET += ["wandb_api_key", "AWS_SECRET_ACCESS_KEY", "credentials", "Authorization", "private_key", "apikey"]
PLAIN = ["tokenizer", "tokenizer.kind", "max_tokens", "batch_unit", "unk_token", "pad_token", "key_dim", "num_heads"]
PLAIN += [
    "monkey",
    "author",
    "tokens",
    "keep_checkpoints",
    "per_token",
    "token_dropout",
    "head_dim",
    "key",
    "secretary",
]


@pytest.mark.parametrize(("keys", "expected"), [(SECRET, True), (PLAIN, False)])
def test_keys_that_look_like_secrets_are_known(keys, expected):
    assert {key: is_secret(key) for key in keys} == dict.fromkeys(keys, expected)


def test_redaction_hides_secrets_at_any_depth_and_nothing_else():
    config = {
        "dataset": {"hf_token": "hf_abc", "tokenizer": {"kind": "word", "unk_token": "<unk>"}, "pin_password": 1234},
        "credentials": {"user": "me", "parts": ["x", {"y": "z"}]},
        "urls": ["https://me:pw@host/x", "https://host/a@b"],
        "api_key": None,
        "lr": 0.1,
    }
    before = json.dumps(config)
    assert redact(config) == {
        "dataset": {
            "hf_token": "<redacted>",
            "tokenizer": {"kind": "word", "unk_token": "<unk>"},
            "pin_password": "<redacted>",
        },
        "credentials": {"user": "<redacted>", "parts": ["<redacted>", {"y": "<redacted>"}]},
        "urls": ["https://<redacted>@host/x", "https://host/a@b"],
        "api_key": None,
        "lr": 0.1,
    }
    assert json.dumps(config) == before


def test_results_csv_has_every_column_that_any_job_has(tmp_path):
    jobs = [
        JobResult(0, {"lr": "0.1"}, "done", tmp_path / "a", 12.5, "bleu", 30.0, {"bleu": 29.0}),
        JobResult(11, {"lr": "1", "model": "x,y"}, "failed", tmp_path / "b", error="line 1\nline 2", value=math.nan),
    ]
    write_results_csv(tmp_path / "results.csv", jobs)
    assert (tmp_path / "results.csv").read_text().splitlines() == [
        "number,lr,model,status,monitor,value,test/bleu,seconds,run_dir,error",
        "0,0.1,,done,bleu,30.0,29.0,12.5,a,",
        '11,1,"x,y",failed,,,,,b,line 1\\nline 2',
    ]


@pytest.mark.slow
def test_a_long_log_is_read_and_cut_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for step in range(100_000):
            file.write(f'{{"step": {step}, "epoch": 1, "split": "train", "seconds": 0.5, "loss": 1.5}}\n')
    code = """
import resource, sys
from pathlib import Path
from attnfocus.tracking.metrics_file import _drop_after, logged_metrics
path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert logged_metrics(path, 99_999, "train") == {"loss": 1.5}
_drop_after(path, 99_000, True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    assert int(grown) < (800 if sys.platform == "linux" else 800_000)  # KiB; bytes on macOS; the file has 8 MB
    assert path.read_bytes().count(b"\n") == 99_001


@pytest.mark.slow
def test_a_large_event_file_is_cut_record_by_record(tmp_path: Path) -> None:
    file = EventFile(tmp_path)
    for step in range(100):
        file.image("weights_valid/pooling/1", os.urandom(400_000), (1, 1), step)
    file.close()
    code = """
import resource, sys
from pathlib import Path
from attnfocus.tracking.event_file import EventFile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
EventFile(Path(sys.argv[1]), 49).close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    found = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(found.stdout) < (8_000 if sys.platform == "linux" else 8_000_000)  # KiB; bytes on macOS; 20 MB are kept
    assert 20_000_000 < file.path.stat().st_size < 20_100_000
