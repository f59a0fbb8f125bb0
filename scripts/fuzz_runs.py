"""Damages the files of a run in every way and sees that each verb answers politely: in time, with 0, 2 or 3.

    python scripts/fuzz_runs.py RUN_DIR --count 500

A file of a copy of the run is cut, has a bit flipped, gets a value of another type or size (and a new seal, as from one
who means it), or is replaced by a pipe, a socket, a device, a folder or a link; then one verb is run on the copy. A
case is named that takes more than 20 seconds, ends with another code, or shows a traceback. Linux only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 20.0
CODES = {0, 2, 3}
VALUES: tuple[Any, ...] = (None, True, -1, 0, 10**9, 2**70, 1e308, "x", "", "../../etc/passwd", [], [1], {}, {"a": 1})
VERBS: dict[str, Callable[[Path, Path], list[str]]] = {
    "evaluate": lambda run, good: ["evaluate", f"run={run}"],
    "predict": lambda run, good: ["predict", f"run={run}", "text=1"],
    "inspect": lambda run, good: ["inspect", f"run={run}", "num_examples=1", f"output={run.parent / 'pages'}"],
    "resume": lambda run, good: ["train", f"resume={run}", "trainer.max_steps=21"],
    "average": lambda run, good: ["evaluate", f"run={run}", "checkpoint=average"],
    "compare": lambda run, good: ["compare", f"runs=[{run},{good}]", f"run_dir={run.parent / 'compared'}"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="a finished run, small enough to be evaluated in a second")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    import attnfocus.commands.train.command
    import attnfocus.inspection.page  # noqa: F401 - loaded once, before the forks

    problems, good = 0, options.run.resolve()
    for number in range(options.seed, options.seed + options.count):
        with tempfile.TemporaryDirectory() as folder:
            problem = one_case(good, Path(folder), random.Random(number))
        if problem:
            problems += 1
            print(f"seed {number}: {problem}", flush=True)
    print(f"{options.count} damaged files, {problems} problems")
    return 1 if problems else 0


def one_case(good: Path, folder: Path, chance: random.Random) -> str:
    """One damage and one verb; what is wrong with the answer, or nothing."""
    run = Path(shutil.copytree(good, folder / "run"))
    files = sorted(path for path in run.rglob("*") if path.is_file())
    path = chance.choice(files)
    damage = chance.choice((cut, flip, retype, retype, replace))
    what = damage(path, chance)
    name = chance.choice(list(VERBS))
    case = f"{name} after {what} in {path.relative_to(run)}"
    code, seconds, text = answer(VERBS[name](run, good), folder)
    if code is None:
        return f"{case}: took more than {seconds:.0f} s"
    if code not in CODES or "Traceback" in text:
        return f"{case}: code {code}\n{text[-2000:]}"
    return ""


def answer(arguments: list[str], folder: Path) -> tuple[int | None, float, str]:
    """Exit code (None: stopped after `SECONDS`), time, and what was shown."""
    started = time.monotonic()
    child = os.fork()
    if not child:
        run_child(arguments, folder)
    while time.monotonic() - started < SECONDS:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            text = (folder / "shown").read_text(encoding="utf-8", errors="replace")
            return os.waitstatus_to_exitcode(status), time.monotonic() - started, text
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None, SECONDS, ""


def run_child(arguments: list[str], folder: Path) -> None:
    """The command, in this process, which then ends."""
    code = 1
    try:
        shown = os.open(folder / "shown", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(shown, 1)
        os.dup2(shown, 2)
        os.chdir(folder)
        from attnfocus.cli.main import main as command

        sys.argv = ["attnfocus", *arguments]
        code = command()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def cut(path: Path, chance: random.Random) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content) + 1)])
    return "a cut"


def flip(path: Path, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    if content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(content))
    return "a flipped bit"


def retype(path: Path, chance: random.Random) -> str:
    """Another value at any place of a JSON or YAML file; other files are cut."""
    if path.suffix not in (".json", ".jsonl", ".yaml"):
        return cut(path, chance)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        import yaml

        content: Any = yaml.safe_load(text)
        key = put_value(content, chance)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return f"another value at {key}"
    lines = text.splitlines() if path.suffix == ".jsonl" else [text]
    number = chance.randrange(len(lines))
    content = json.loads(lines[number])
    key = put_value(content, chance)
    lines[number] = json.dumps(content)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    seal(path.parent)
    return f"another value at {key}"


def put_value(content: Any, chance: random.Random) -> str:
    """Replaces one value somewhere in nested containers; says where."""
    key = chance.choice(list(content) if isinstance(content, dict) else range(len(content)))
    inner = content[key]
    if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
        return f"{key}.{put_value(inner, chance)}"
    content[key] = chance.choice(VALUES)
    return f"{key} ({content[key]!r})"


def seal(folder: Path) -> None:
    """The manifest of a checkpoint, as if what is there were what was saved."""
    path = folder / "manifest.json"
    if not path.exists():
        return
    manifest = json.loads(path.read_bytes())
    files = manifest.get("files")
    for name in files if isinstance(files, dict) else ():
        if (folder / name).is_file() and isinstance(files[name], dict):
            content = (folder / name).read_bytes()
            files[name] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest.pop("seal", None)
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**manifest, "seal": digest}), encoding="utf-8")


def replace(path: Path, chance: random.Random) -> str:
    """A special file in its place."""
    kind = chance.choice(("pipe", "socket", "device", "folder", "link", "dangling link"))
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.chdir(path.parent)  # the name of a socket may not be long
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
        os.chdir("/")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/zero", "link": "/etc/hostname"}.get(kind, "/nowhere"))
    return f"a {kind}"


if __name__ == "__main__":
    sys.exit(main())
