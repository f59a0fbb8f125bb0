"""Compares two finished run directories to the last bit, apart from what tells the time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TIMES = {"seconds", "step_seconds", "words_per_second"}
SUMMARY_TIMES = {*TIMES, "started", "command", "git", "threads"}  # someone may commit, or want the cores, while it runs
OWNERS = (".lock", ".process", ".train.lock")  # which process had it
EVENTS = "events.out.tfevents."


def differences(expected: Path, run: Path) -> list[str]:
    """What differs, a line each: files, weights, optimizer, state, metrics, TensorBoard, summary, configuration."""
    from attnfocus.errors import CheckpointError  # here: torch must not be loaded before soak.py has set its threads
    from attnfocus.training.checkpoints.checkpoint import open_checkpoint

    there, here = _files(expected), _files(run)
    found = [f"{name}: missing" for name in sorted(set(there) - set(here))]
    found += [f"{name}: left behind" for name in sorted(set(here) - set(there))]
    for name in sorted(set(there) & set(here)):
        if not _is_same(there[name], here[name]):
            found.append(f"{name}: differs")
    for folder in sorted(run.glob("checkpoints/step-*")):
        try:
            open_checkpoint(folder).verify()
        except CheckpointError as error:
            found.append(str(error))
    return found


def _files(run: Path) -> dict[str, Path]:
    """By name; that of the event file without its time."""
    found = {}
    for path in run.rglob("*"):
        name = path.relative_to(run).as_posix()
        if not path.is_dir() and path.name not in OWNERS:
            found[EVENTS if name.startswith(EVENTS) else name] = path
    return found


def _is_same(first: Path, second: Path) -> bool:
    name = first.name
    if name in ("train.log", "manifest.json"):  # full of times; hashes of files that hold times
        return True
    if name == "metrics.jsonl":
        return _lines(first) == _lines(second)
    if name == "state.json":
        return _without(_json(first), TIMES) == _without(_json(second), TIMES)
    if name == "summary.json":
        return _without(_json(first), SUMMARY_TIMES) == _without(_json(second), SUMMARY_TIMES)
    if name.startswith(EVENTS):
        return list(_events(first)) == list(_events(second))
    return first.read_bytes() == second.read_bytes()


def _lines(path: Path) -> list[Any]:
    return [_without(json.loads(line), TIMES) for line in path.read_text(encoding="utf-8").splitlines()]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _without(content: Any, keys: set[str]) -> Any:
    if isinstance(content, dict):
        return {key: _without(value, keys) for key, value in content.items() if key not in keys}
    return [_without(value, keys) for value in content] if isinstance(content, list) else content


def _events(path: Path) -> Iterator[tuple[int, bytes]]:
    """Scalars, texts and images in their order; not the speed, nor when the run began and ended."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    for record in RawEventFileLoader(str(path)).Load():
        event = Event.FromString(record)
        for value in event.summary.value:
            if not value.tag.startswith("_hparams_/") and value.tag.rpartition("/")[2] not in TIMES:
                yield event.step, value.SerializeToString(deterministic=True)
