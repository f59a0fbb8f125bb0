"""63: a program that writes into predict's pipe, and waits for each answer."""

import io
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attnfocus.cli import main
from attnfocus.data.reading.input_tables import arriving_inputs
from attnfocus.data.reading.inputs import STDIN_PATH, Input, inputs_of_lines, open_bytes
from attnfocus.data.reading.tables import Table
from attnfocus.errors import DataError

RUN = Path(__file__).resolve().parents[1] / "runs" / "fixtures" / "run-format-1"
PATIENCE = 60.0  # seconds until a test that would wait for ever gives up


@pytest.fixture
def pipe_to_stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a pipe to write to; the other one is standard input."""
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writing


def answer_from(descriptor: int, seconds: float) -> bytes | None:
    """What is written there within that time; None: nothing."""
    return os.read(descriptor, 65536) if select.select([descriptor], [], [], seconds)[0] else None


@pytest.mark.parametrize("format", ["text", "jsonl"])
def test_63_a_program_that_waits_for_each_answer_gets_it_within_a_second(
    format: str, pipe_to_stdin: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    reading, writing = os.pipe()
    waited: list[float | None] = []

    def converse() -> None:
        try:
            for _ in range(4):
                os.write(pipe_to_stdin, b"[[1, 0, 0, 0]]\n")
                begun = time.monotonic()
                answer = answer_from(reading, PATIENCE)
                waited.append(None if answer is None else time.monotonic() - begun)
                if answer is None:
                    return
        finally:
            os.close(pipe_to_stdin)

    asking = threading.Thread(target=converse)
    asking.start()
    with open(writing, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        code = main(["predict", f"run={RUN}", f"format={format}", "device=cpu"])
    asking.join()
    os.close(reading)
    assert code == 0
    assert len(waited) == 4
    assert all(seconds is not None for seconds in waited)
    assert all(seconds < 1 for seconds in waited[1:] if seconds is not None)  # the first one loads the model


def test_63_lines_that_are_there_are_read_ahead_and_what_is_waited_for_is_said(pipe_to_stdin: int) -> None:
    with open_bytes("-") as binary:
        lines = texts(inputs_of_lines(binary, STDIN_PATH, "utf-8"))
        os.write(pipe_to_stdin, b"one\r\ntwo\nthr")
        assert [next(lines) for _ in range(3)] == ["one", "two", None]
        os.write(pipe_to_stdin, b"ee\n\nfour")
        os.close(pipe_to_stdin)
        assert list(lines) == ["three", "", "four"]


def test_63_rows_of_a_table_are_there_as_they_arrive(pipe_to_stdin: int) -> None:
    rows = arriving_inputs(Table(STDIN_PATH, ("text",), "csv", keys=("text_column",)), "-")
    os.write(pipe_to_stdin, b'text,x\n"on\ne",1\n,2\nthr')
    first, bad, waiting = (next(rows) for _ in range(3))
    assert first == Input("2", "on e")
    assert bad == Input("4", "", "column 'text' is empty")
    assert waiting is None
    os.write(pipe_to_stdin, b"ee,3\n")
    assert next(rows) == Input("5", "three")
    os.close(pipe_to_stdin)
    assert [row for row in rows if row is not None] == []


def test_63_what_goes_wrong_in_a_pipe_is_raised_after_what_came_before(pipe_to_stdin: int) -> None:
    rows = arriving_inputs(Table(STDIN_PATH, ("text",), "csv", keys=("text_column",)), "-")
    os.write(pipe_to_stdin, b"label,x\na,1\n")
    os.close(pipe_to_stdin)
    with pytest.raises(DataError, match="Its columns: label, x"):
        next(rows)


def texts(inputs: Iterator[Input | None]) -> Iterator[str | None]:
    return (None if each is None else each.text for each in inputs)


def many_lines(folder: Path) -> tuple[Path, list[str]]:
    lines = [f"line {number} \N{GREEK SMALL LETTER ALPHA}" * (number % 7) for number in range(20_000)]
    path = folder / "many.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, lines


def from_file(path: Path) -> list[str | None]:
    with open_bytes(str(path)) as binary:
        return list(texts(inputs_of_lines(binary, STDIN_PATH, "utf-8")))


def from_memory(path: Path) -> list[str | None]:
    sys.stdin = io.TextIOWrapper(io.BytesIO(path.read_bytes()), encoding="utf-8")
    with open_bytes("-") as binary:
        return list(texts(inputs_of_lines(binary, STDIN_PATH, "utf-8")))


@pytest.mark.parametrize("read", [from_file, from_memory])
def test_63_a_file_is_read_without_a_pause(
    read: Callable[[Path], list[str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", sys.stdin)  # put back
    path, lines = many_lines(tmp_path)
    assert read(path) == lines


def test_63_windows_are_full_where_lines_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import attnfocus as package

    run = package.load(RUN, device="cpu")
    sizes: list[int] = []
    predict = run.task.predict

    def counted(model, batches, **options):  # type: ignore[no-untyped-def]
        batches = list(batches)
        sizes.append(sum(len(batch.ids) for batch in batches))
        return predict(model, batches, **options)

    monkeypatch.setattr(run.task, "predict", counted)
    lines = [*["[[1, 0, 0, 0]]"] * 10, None, *["[[1, 0, 0, 0]]"] * 3, None, None, "[[1, 0, 0, 0]]"]
    assert [answer.id for answer in run.predict(lines, batch_size=2)] == [str(number) for number in range(1, 15)]
    assert sizes == [10, 3, 1]
