"""Damages files of a run at random, and asks each verb for them: an answer is polite, whatever lies there.

`python scripts/fuzz_runs.py --cases 500`: about ten minutes on two cores; exit code 1 if a command was not done within
20 s, ended with another code than 0, 2 or 3, or raised an error that nobody caught. `--seed` draws others, `--case`
tries one again and shows what it said. Each command is a process that is forked from this one, which has imported
everything.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SECONDS = 20
TINY = (
    "dataset.num_train=64",
    "dataset.num_valid=16",
    "dataset.num_test=16",
    "model.embed_dim=8",
    "model.hidden_size=8",
    "trainer.max_steps=4",
    "trainer.max_epochs=null",
    "trainer.save_every_steps=2",
    "decoding.max_length=12",
)
VERBS: dict[str, tuple[str, ...]] = {
    "evaluate": ("evaluate", "run=run"),
    "predict": ("predict", "run=run", "input=input.txt", "output=answers.txt"),
    "inspect": ("inspect", "run=run", "text=May 3, 1999", "output=pictures"),
    "compare": ("compare", "run", "other"),
    "resume": ("train", "resume=run", "trainer.max_steps=6"),
}
ODD_VALUES: tuple[Any, ...] = (None, True, -1, 0, 10**9, 1e308, "", "x" * 5000, [], {}, [1, "a"], "\u0000\u202e")


@dataclass(frozen=True)
class Case:
    """One damage and one command.

    Attributes:
        number: with the seed, what was drawn.
        file: relative to the run.
        kind: name of the damage.
        verb: key of `VERBS`.
    """

    number: int
    file: str
    kind: str
    verb: str


def flip(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes()) or bytearray(b"\0")
    for _ in range(draw.randint(1, 3)):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content) or 1)])


def retype(path: Path, draw: random.Random) -> None:
    """Puts a value of another kind in the place of one of a JSON or YAML file; flips a bit of another file."""
    is_yaml = path.suffix == ".yaml"
    if path.suffix not in (".json", ".jsonl", ".yaml"):
        return flip(path, draw)
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines() if path.suffix == ".jsonl" else [text]
    number = draw.randrange(len(lines))
    content = yaml.safe_load(lines[number]) if is_yaml else json.loads(lines[number])
    places = list(_places(content))
    if places:
        holder, key = draw.choice(places)
        holder[key] = draw.choice(ODD_VALUES)
    lines[number] = yaml.safe_dump(content) if is_yaml else json.dumps(content)
    path.write_text("\n".join(lines), encoding="utf-8")
    return None


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(items):
        yield content, key
        yield from _places(value)


def _replaced(make: Callable[[Path], object]) -> Callable[[Path, random.Random], None]:
    def damage(path: Path, draw: random.Random) -> None:
        path.unlink()
        make(path)

    return damage


def _listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(path.parent)  # the name of a socket is short
            made.bind(path.name)
        finally:
            os.fchdir(here)
            os.close(here)


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "flipped": flip,
    "truncated": truncate,
    "retyped": retype,
    "gone": _replaced(lambda path: None),
    "empty": _replaced(Path.touch),
    "a folder": _replaced(Path.mkdir),
    "a fifo": _replaced(lambda path: os.mkfifo(path)),
    "a socket": _replaced(_listen),
    "a link to a device": _replaced(lambda path: path.symlink_to("/dev/zero")),
    "a link to a file": _replaced(lambda path: path.symlink_to("/etc/hostname")),
    "a link to itself": _replaced(lambda path: path.symlink_to(path.name)),
    "unreadable": lambda path, draw: path.chmod(0),
}


def draw_cases(run: Path, count: int, seed: int) -> list[Case]:
    """The same for the same run, count and seed; each kind and each verb about as often."""
    draw = random.Random(seed)
    files = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    kinds, verbs = list(DAMAGES), list(VERBS)
    return [Case(number, draw.choice(files), kinds[number % len(kinds)], draw.choice(verbs)) for number in range(count)]


def make_run(folder: Path) -> Path:
    """A tiny run in `folder`, and what the commands need beside it."""
    code, said = command(folder, ["train", *TINY, "run_dir=run"])
    if code:
        raise SystemExit(f"the run that is to be damaged failed:\n{said}")
    (folder / "input.txt").write_text("May 3, 1999\n", encoding="utf-8")
    return folder / "run"


def try_case(run: Path, case: Case, seed: int) -> tuple[str | None, str]:
    """What is wrong with the answer (None: nothing), and what the command said."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for copy in ("run", "other"):
            shutil.copytree(run, folder / copy)
        shutil.copy(run.parent / "input.txt", folder)
        DAMAGES[case.kind](folder / "run" / case.file, random.Random(f"{seed}-{case.number}"))
        code, said = command(folder, VERBS[case.verb])
        for path in folder.rglob("*"):
            if not path.is_symlink() and path.is_file():
                path.chmod(0o600)
    if code is None:
        return f"not done within {SECONDS} s", said
    if code not in (0, 2, 3) or "Traceback" in said:
        return f"exit code {code}{' with a traceback' if 'Traceback' in said else ''}", said
    return None, said


def command(folder: Path, arguments: tuple[str, ...] | list[str]) -> tuple[int | None, str]:
    """The exit code, None if the command was not done in time, and all that it said."""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(folder, list(arguments)))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        code = None
    else:
        code = process.exitcode
    said = folder / "said.txt"
    return code, said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""


def _run(folder: Path, arguments: list[str]) -> None:
    from attnfocus.cli import main

    os.chdir(folder)
    with open("said.txt", "w", encoding="utf-8") as out, open(os.devnull, encoding="utf-8") as nothing:
        sys.stdin, sys.stdout, sys.stderr = nothing, out, out
        for stream in (1, 2):
            os.dup2(out.fileno(), stream)
        code = main(arguments)
        out.flush()
        os._exit(code)


def load_all() -> None:
    """Everything that a command imports, so that each case is short."""
    import torch

    import attnfocus.commands.compare.command
    import attnfocus.commands.inspect
    import attnfocus.commands.predict
    import attnfocus.commands.train.command  # noqa: F401

    torch.set_num_threads(1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=500, help="how many (> 0)")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--case", type=int, help="only this one, with all that its command says")
    arguments = parser.parse_args()
    load_all()
    num_wrong = 0
    with tempfile.TemporaryDirectory() as name:
        run = make_run(Path(name))
        for case in draw_cases(run, arguments.cases, arguments.seed):
            if arguments.case not in (None, case.number):
                continue
            problem, said = try_case(run, case, arguments.seed)
            if problem or arguments.case is not None:
                print(f"{case.number}: {case.verb}, {case.file} {case.kind}: {problem or 'fine'}\n{said}", flush=True)
            num_wrong += problem is not None
    print(f"{arguments.cases} cases, {num_wrong} wrong")
    return int(num_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
