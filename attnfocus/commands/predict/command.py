"""`attnfocus predict run=DIR`: one input in, one prediction out."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

from attnfocus.commands.predict.answers import Form, form_of, written
from attnfocus.commands.predict.terminal import GrowingText
from attnfocus.config.read import check
from attnfocus.data.reading.inputs import BYTES_AT_ONCE, STDIN, input_files, is_stream, numbered, open_bytes
from attnfocus.data.reading.media_files import is_media
from attnfocus.errors import ConfigError
from attnfocus.files import writing
from attnfocus.limits import PositiveInt
from attnfocus.marks import FilePath
from attnfocus.regular_files import replace_file
from attnfocus.runs.inputs import Inputs, open_inputs
from attnfocus.runs.loader import load
from attnfocus.runs.schema import DecodingOverride, InputChoice, OutputPath, ReadingOverride
from attnfocus.stages import counted, stage, unwatched
from attnfocus.tasks import LanguageModelingTask, Prediction

WITHOUT_LINES = ("json", "parquet", "xlsx")  # tables whose lines say nothing of their rows


@dataclass(kw_only=True)
class PredictConfig(InputChoice):
    """configs/predict.yaml."""

    input: FilePath | list[FilePath] = STDIN
    output: FilePath | None = None
    format: Literal["text", "jsonl"] = "text"
    batch_size: PositiveInt = 64
    dataset: ReadingOverride = field(default_factory=ReadingOverride)
    paths: OutputPath = field(default_factory=OutputPath)
    decoding: DecodingOverride = field(default_factory=DecodingOverride)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Reads inputs, writes predictions as they are made: at once where no further input has arrived.

    Returns:
        The exit code.
    """
    config = check(values, PredictConfig)
    if config.texts is not None and config.input != STDIN:
        raise ConfigError("text and input: choose one of them.")
    names = input_files(config.input) if config.texts is None else []
    output = _output(config, names)
    with ExitStack() as opened:
        inputs, form = _inputs(config, names, opened)
        trained = load(
            config.run,
            checkpoint=config.checkpoint,
            device=config.device,
            decoding=config.decoding,
            trust=config.trust,
        )
        if form == "lines" and config.texts is not None and trained.task.continues:
            form = "continued"  # for people to read; files are answered line by line
        counts = _Counts()
        is_whole = form == "jsonl"
        waits = _waits(config, names)
        given = unwatched(inputs.each) if waits else inputs.each
        answers = counts.counted(trained.predict(given, need_weights=is_whole, batch_size=config.batch_size))
        if waits:
            answers = _shown(answers, names, inputs.table not in WITHOUT_LINES)
        lines = written(answers, form, trained.setup.config.decoding.num_best, lambda: inputs.separator)
        task = trained.task
        if output is None and isinstance(task, LanguageModelingTask) and _is_watched(config, form):
            with GrowingText(sys.stdout.buffer) as growing:
                task.heard = growing.show
                growing.finish(b"".join(lines))
        elif output is None:
            _write_through(sys.stdout.buffer, lines)
        else:
            with writing("output", output):
                if output.exists() and not output.is_file():  # a device or a pipe
                    with output.open("wb") as stream:
                        _write_through(stream, lines)
                else:
                    replace_file(output, lines)
            print(f"attnfocus: wrote {counts.total} answers to {output}", file=sys.stderr)
    counts.report(says_why=form not in ("lines", "continued"))
    if inputs.encoding_hint is not None:
        print(f"attnfocus: {inputs.encoding_hint}", file=sys.stderr)
    return 0


def _is_watched(config: PredictConfig, form: Form) -> bool:
    """Whether somebody sees one text grow while it is written."""
    return form == "continued" and config.texts is not None and len(config.texts) == 1 and sys.stdout.isatty()


def _waits(config: PredictConfig, names: Sequence[str]) -> bool:
    """Whether files are answered without an answer that anybody sees."""
    is_file = bool(names) and not is_stream(names[0]) and not is_media(names[0])
    return is_file and (config.output is not None or not sys.stdout.isatty())


def _shown(answers: Iterator[Prediction], names: Sequence[str], has_lines: bool) -> Iterator[Prediction]:
    """The answers for files, as a stage that moves with each; it is as long as the files have lines, if they have."""
    what, total = Path(names[0]).name if len(names) == 1 else f"{len(names)} files", 0
    if has_lines:
        with stage(f"counting the lines of {what}"):
            for name in names:
                with open_bytes(name) as binary:
                    total += sum(block.count(b"\n") for block in iter(partial(binary.read, BYTES_AT_ONCE), b""))
    return counted(answers, f"answering {what}", total)


def _write_through(stream: BinaryIO, lines: Iterable[bytes]) -> None:
    for line in lines:
        stream.write(line)
        stream.flush()


def _inputs(config: PredictConfig, names: Sequence[str], opened: ExitStack) -> tuple[Inputs, Form]:
    """The inputs, which come while `opened` is, and in which form they are answered."""
    if config.texts is not None:
        return Inputs(numbered(config.texts)), form_of(config.format, None, config.output)
    inputs = opened.enter_context(open_inputs(names, config, config.dataset.given))
    if config.input == STDIN and sys.stdin.isatty():
        print("attnfocus: type a line for each prediction; Ctrl-D ends.", file=sys.stderr)
    return inputs, form_of(config.format, inputs.table, config.output)


def _output(config: PredictConfig, names: Sequence[str]) -> Path | None:
    """Where the answers go; None: to standard output.

    Raises:
        ConfigError: a folder, or a file of inputs.
    """
    if config.output is None:
        return None
    output = Path(config.output).expanduser().resolve()
    if output.is_dir():
        raise ConfigError(f"output: {output} is a folder. Give a file: output={config.output.rstrip('/')}/answers.txt.")
    if output in [Path(name).expanduser().resolve() for name in names if name != STDIN]:
        raise ConfigError(f"output: {output} holds the inputs, which would be lost. Give another file.")
    return output


class _Counts:
    """How many inputs there were, how many got no answer, and of how many the model knows nothing."""

    def __init__(self) -> None:
        self.total = self.skipped = self.unknown = 0

    def counted(self, answers: Iterable[Prediction]) -> Iterator[Prediction]:
        for answer in answers:
            self.total += 1
            self.skipped += answer.skipped is not None
            self.unknown += answer.unknown == 1
            yield answer

    def report(self, *, says_why: bool) -> None:
        """Says how many, and where the reasons stand."""
        if self.skipped:
            inputs_were = "input was" if self.skipped == 1 else "inputs were"
            why = "" if says_why else "; format=jsonl says why"
            print(f"attnfocus: {self.skipped} {inputs_were} skipped{why}.", file=sys.stderr)
        if self.unknown:
            have = "input has" if self.unknown == 1 else "inputs have"
            print(f"attnfocus: {self.unknown} {have} unknown words alone: the answers say nothing.", file=sys.stderr)
