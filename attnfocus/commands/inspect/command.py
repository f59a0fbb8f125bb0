"""`attnfocus inspect run=DIR`: where a run looks, on the screen, as a page, as figures, as JSON."""

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from attnfocus.config.read import check
from attnfocus.data.reading.inputs import STDIN, Input, input_files, numbered
from attnfocus.display.console import open_console, say
from attnfocus.display.figure_choices import FigureStyle
from attnfocus.errors import ConfigError, Problem
from attnfocus.explanation.options import Level
from attnfocus.files import make_fresh_folder, strict_json, write_error
from attnfocus.inspection.examples import check_methods
from attnfocus.inspection.inspection import InspectFile, Inspection
from attnfocus.inspection.patched_maps import check_patches
from attnfocus.inspection.terminal import print_inspection
from attnfocus.layout import CHECKPOINTS, PAGES_FOLDER
from attnfocus.limits import NonNegativeInt, PositiveInt
from attnfocus.marks import FilePath
from attnfocus.regular_files import make_folder
from attnfocus.runs.catalog import OUTPUTS, find_run
from attnfocus.runs.inputs import open_inputs
from attnfocus.runs.loader import load
from attnfocus.runs.run import Run
from attnfocus.runs.schema import CheckpointName, DataChoice, InputChoice
from attnfocus.training import CheckpointStore


@dataclass(kw_only=True)
class InspectConfig(InputChoice, DataChoice, FigureStyle):
    """configs/inspect.yaml."""

    input: FilePath | list[FilePath] | None = None
    split: Literal["train", "valid", "test"] | None = None
    num_examples: PositiveInt = 4
    layer: str | int | None = None
    head: NonNegativeInt | None = None
    method: list[str] | str | None = None
    against: str | int | None = None  # labels may be numbers
    span: PositiveInt | None = None
    level: Level = "token"
    corrupted: str | None = None
    minus: int | FilePath | None = None
    scale: Literal["auto", "one", "largest", "uniform"] = "auto"
    format: Literal["text", "json"] = "text"
    files: list[InspectFile]
    output: FilePath | None = None


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Prints what was found, writes the files, and names them.

    Returns:
        The exit code.
    """
    config = check(values, InspectConfig)
    methods = check_methods(config.method, are_two=config.corrupted is not None)  # before the run is loaded
    config.check_width()
    texts, split = _inputs(config)
    check_patches(methods or (), len(texts or ()), config.corrupted, config.minus is not None)
    trained = load(
        config.run,
        checkpoint=config.checkpoint,
        device=config.device,
        data=config.paths.data,
        dataset=config.dataset.given,
        trust=config.trust,
    )
    new = None if split is None else trained.new_rows(split)
    for note in () if new is None else new.notes:
        say(open_console(), note)
    found = trained.inspect(
        texts,
        split=split,
        num_examples=config.num_examples,
        layer=config.layer,
        head=config.head,
        method=methods,
        against=None if config.against is None else str(config.against),
        span=config.span,
        level=config.level,
        corrupted=config.corrupted,
        minus=None if config.minus is None else _subtracted(str(config.minus), config, trained.path),
    )
    if config.scale != "auto":
        found = replace(found, scale=config.scale)
    if config.format == "json":
        print(json.dumps(strict_json(found.as_facts()), ensure_ascii=True))
    else:
        print_inspection(open_console(sys.stdout), found)
    if config.files:
        _save(found, config, trained.path)
    return 0


def _subtracted(name: str, config: InspectConfig, path: Path) -> Run:
    """The run, or the checkpoint of the run at `path`, that is taken away."""
    options: dict[str, Any] = {"device": config.device, "trust": config.trust}
    if name in get_args(CheckpointName):
        return load(path, checkpoint=name, **options)
    if not re.fullmatch(r"(step-)?[0-9]{1,15}", name):
        return load(find_run("minus", name, OUTPUTS), checkpoint=config.checkpoint, **options)
    step = int(name.removeprefix("step-"))
    there = CheckpointStore(path / CHECKPOINTS).steps
    if step not in there:
        nearest = min(there, key=lambda each: abs(each - step), default=step)
        text = (
            f"minus: there is no checkpoint of step {step} in {path.name}. There are those of steps "
            f"{', '.join(map(str, there)) or 'none'}; a training with trainer.keep_checkpoints=5 keeps more."
        )
        raise ConfigError(Problem(text, "minus", [f"minus={nearest}"]))
    return load(path, checkpoint=f"step-{step:08d}", **options)


def _inputs(config: InspectConfig) -> tuple[list[Input] | None, str | None]:
    """The inputs that were given, or else the split whose first examples are meant."""
    given = [name for name in ("text", "input", "split") if getattr(config, name) is not None]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)}: choose one of them.")
    if config.texts is not None:
        if not any(text.strip() for text in config.texts):
            raise ConfigError("text: the input is empty. Give what the run should read: text='...'.")
        return list(numbered(config.texts)), None
    if config.input is None:
        return None, config.split or "test"
    if config.input == STDIN and sys.stdin.isatty():
        print("attnfocus: type a line for each input; Ctrl-D ends.", file=sys.stderr)
    with open_inputs(input_files(config.input), config, config.dataset.given) as inputs:
        waited_for = (given for given in inputs.each if given is not None)
        shown = list(islice(waited_for, config.num_examples))
        has_more = config.input != STDIN and next(waited_for, None) is not None  # a pipe may not have ended
    if inputs.encoding_hint is not None:
        print(f"attnfocus: {inputs.encoding_hint}", file=sys.stderr)
    if has_more:
        print(
            f"attnfocus: input: there are more lines than num_examples={config.num_examples}, which are not shown.",
            file=sys.stderr,
        )
    if not shown:
        raise ConfigError("input: there is no line in it. Give one input per line, or text='...'.")
    return shown, None


def _save(found: Inspection, config: InspectConfig, run_dir: Path) -> None:
    key = "run" if config.output is None else "output"
    folder = run_dir / PAGES_FOLDER if config.output is None else Path(config.output).expanduser().resolve()
    try:
        if config.output is None:
            make_folder(folder)
            folder = make_fresh_folder(folder, datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
        written = found.save(folder, config.files, style=config.style, width=config.width)
    except OSError as error:
        problem = write_error(error, folder, key)
        raise type(problem)(f"{problem} Name another folder: output=DIR.") from error
    console = open_console()
    say(console, "")
    counts = Counter(path.suffix[1:] for path in written)
    for path in written:
        if path.suffix[1:] in ("html", "json"):
            say(console, f"{path.suffix[1:]:<5} {path}", wrap=False)
    for kind, what in {"png": "", "pdf": "", "svg": "", "csv": "", "txt": " captions"}.items():
        if counts[kind]:
            say(console, f"{kind:<5} {counts[kind]}{what} in {folder}", wrap=False)
