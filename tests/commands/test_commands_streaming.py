"""`predict` of one text on a terminal: it grows while it is written, and is in the end what a pipe gets."""

import io
import os
import pty
import sys
from pathlib import Path

import pytest
from command_server import ROOT
from tests_support import Command, summary_of

from attnfocus.commands.predict.terminal import GrowingText

TEXT = "".join(f"第{n}行：今天天气很好。\n" for n in range(60))
PREFIX = "第7行：今"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("streaming")
    (made / "input.txt").write_text(TEXT, encoding="utf-8")
    return made


def on_a_terminal(folder: Path, *arguments: str, interrupt_at: int | None = None) -> tuple[str, int]:
    """What a terminal shows of a command, and its exit code; interrupt_at: Ctrl-C once so many bytes are there."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, "-m", "attnfocus", *arguments], env)
    seen = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the command has ended
            break
        seen += part
        if interrupt_at is not None and len(seen) >= interrupt_at:
            os.write(terminal, b"\x03")
            interrupt_at = None
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    return seen.decode("utf-8").replace("\r\n", "\n"), code


def test_a_model_of_bytes_writes_on_a_terminal_what_it_writes_into_a_pipe(attnfocus: Command, folder: Path) -> None:
    tiny = ("model.embed_dim=16", "model.num_layers=1", "trainer.max_steps=12", "trainer.max_epochs=null")
    data = ("dataset=text", "dataset.train=input.txt", "dataset.codec.window=16", "dataset.tokenizer.kind=byte")
    refused = attnfocus("train", "model=language_model", *data, cwd=folder)
    assert (refused.returncode, "dataset.tokenizer.kind=bytes" in refused.stderr) == (2, True)
    done = attnfocus("train", "model=language_model", *data[:3], "dataset.tokenizer.kind=bytes", *tiny,
                     "scheduler=constant", "focus.num_samples=1", "run_dir=run", "report=true", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    test = summary_of(folder / "run")["test"]
    assert test["bits_per_byte"] == pytest.approx(test["loss"] / 0.6931471805599453)
    assert 2 < test["bits_per_character"] / test["bits_per_byte"] < 3  # most characters are of three bytes
    looked = attnfocus("inspect", "run=run", f"text={PREFIX}", "format=json", cwd=folder)
    assert looked.returncode == 0, looked.stderr
    assert "<E4>" in looked.stdout
    asked = ("predict", "run=run", f"text={PREFIX}", "decoding.max_length_constant=30", "decoding.sampling=true")
    piped = attnfocus(*asked, cwd=folder)
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout.startswith(PREFIX)
    assert on_a_terminal(folder, *asked) == (piped.stdout, 0)
    endless = ("decoding.max_length=1000000", "decoding.max_length_constant=1000000")
    size = len(PREFIX.encode()) + 20
    shown, code = on_a_terminal(folder, *asked[:3], *endless, interrupt_at=size)
    assert code == 130
    assert shown.startswith(PREFIX)
    assert shown.endswith("\nattnfocus: interrupted.\n")
    assert len(shown.encode()) > size


def test_half_a_character_waits_for_the_rest_and_what_is_there_is_never_taken_back() -> None:
    stream = io.BytesIO()
    grown: list[str] = []

    def grow() -> None:
        with GrowingText(stream) as growing:
            for text in ("a", "a�", "a你", "a你�", "a你��"):
                growing.show(text)
                grown.append(stream.getvalue().decode())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grow()
    assert grown == ["a", "a", "a你", "a你", "a你�"]
    assert stream.getvalue().decode() == "a你�\n"
    stream = io.BytesIO()
    with GrowingText(stream) as growing:
        growing.show("a�")
        growing.finish("a�\n".encode())
    assert stream.getvalue().decode() == "a�\n"
    with GrowingText(stream) as growing:
        growing.show("b")
        growing.finish(b"c\n")  # of a tokenizer whose words change by what follows
    assert stream.getvalue().decode() == "a�\nb\nc\n"
