"""Checkpoints that survive a kill at any moment and are checked before they are believed.

    checkpoints/
      step-00001200/
        model.safetensors  optimizer.safetensors  optimizer.json  state.json
        manifest.json      format version, SHA-256 and size of each file, and of itself
      best  last           the name of a folder, as text

A checkpoint is written into a folder `.tmp-...`, flushed to disk, read back, and renamed: under its own name it is
always whole. What is damaged later (a flipped bit, a cut file) fails its hash and is passed over.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

import attnfocus
from attnfocus.errors import CheckpointError
from attnfocus.training.tensors import load_model_tensors, load_optimizer_tensors, model_tensors, optimizer_tensors

logger = logging.getLogger(__name__)

FORMAT = 1
MODEL, OPTIMIZER, OPTIMIZER_REST, STATE = "model.safetensors", "optimizer.safetensors", "optimizer.json", "state.json"
FILES = (MODEL, OPTIMIZER, OPTIMIZER_REST, STATE)
MANIFEST = "manifest.json"
REPLACED = ".replaced"  # suffix of a folder while a new one of the same step takes its place
_FOLDER = re.compile(r"step-(\d{8,15})(?:\.replaced)?")


class _DamagedError(CheckpointError):
    """Not what was written; another checkpoint may still be good."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder whose manifest holds; each file is checked against it when read.

    Raises (all methods):
        CheckpointError: a file is missing or damaged, or belongs to another architecture.
    """

    path: Path
    files: Mapping[str, Mapping[str, Any]]

    @property
    def step(self) -> int:
        return _step(self.path)

    def state(self) -> dict[str, Any]:
        """Everything but tensors: counts, schedule, loss scale."""
        return _parse_json(self.path / STATE, self._read(STATE))

    def load_model(self, model: nn.Module) -> None:
        load_model_tensors(model, self._tensors(MODEL))

    def load_optimizer(self, optimizer: Optimizer, model: nn.Module) -> None:
        rest = _parse_json(self.path / OPTIMIZER_REST, self._read(OPTIMIZER_REST))
        load_optimizer_tensors(optimizer, model, self._tensors(OPTIMIZER), rest)

    def verify(self) -> None:
        for name in FILES:
            self._read(name)

    def _read(self, name: str) -> bytes:
        path = self.path / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _DamagedError(f"{path}: cannot be read ({error.strerror})") from None
        if self.files.get(name) != _fingerprint(content):
            raise _DamagedError(f"{path}: is not what was saved ({len(content)} bytes, wrong hash)")
        return content

    def _tensors(self, name: str) -> dict[str, Tensor]:
        try:
            return safetensors.torch.load(self._read(name))
        except SafetensorError as error:
            raise _DamagedError(f"{self.path / name}: {error}") from None


class CheckpointStore:
    """The checkpoints of one run.

    Args:
        folder: made at the first save. Reading never writes.
        keep: how many of the newest stay; the best stays besides.
    """

    def __init__(self, folder: Path, *, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def save(
        self, step: int, model: nn.Module, optimizer: Optimizer, state: Mapping[str, Any], *, is_best: bool = False
    ) -> Path:
        """Saves, verifies, points `last` (and `best`) to it, then drops old ones.

        Raises:
            OSError: the disk is full or not writable; the folder is as it was, `last` names the one before.
        """
        tensors, rest = optimizer_tensors(optimizer, model)
        contents = {
            MODEL: safetensors.torch.save(model_tensors(model)),
            OPTIMIZER: safetensors.torch.save(tensors),
            OPTIMIZER_REST: json.dumps(rest).encode(),
            STATE: json.dumps(state).encode(),
        }
        contents[MANIFEST] = _manifest({name: _fingerprint(content) for name, content in contents.items()})
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        path = self.folder / f"step-{step:08d}"
        staged = self.folder / f".tmp-{path.name}-{os.getpid()}"
        try:
            staged.mkdir()
            for name, content in contents.items():
                _write(staged / name, content)
            _flush_folder(staged)
            open_checkpoint(staged).verify()
            replaced = path.with_name(path.name + REPLACED)
            if path.exists():
                path.rename(replaced)
            staged.rename(path)
        except CheckpointError as error:  # written, but not what comes back
            raise OSError(str(error)) from None
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        _flush_folder(self.folder)
        self._point("last", path)
        if is_best:
            self._point("best", path)
        self._prune(step)
        return path

    def point_best(self, step: int) -> None:
        """Sets `best` again, after a kill between a save and the writing of `best`."""
        path = self.folder / f"step-{step:08d}"
        if path.is_dir() and self._pointed("best") != path:
            self._point("best", path)

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None when nothing was ever saved. A warning names those passed over.

        Raises:
            CheckpointError: there are checkpoints, but none is whole, or the newest has a newer format.
        """
        skipped: list[str] = []
        for path in self._folders():
            try:
                checkpoint = open_checkpoint(path)
                checkpoint.verify()
            except _DamagedError as error:
                skipped.append(str(error))
                continue
            if skipped:
                logger.warning("damaged checkpoints were passed over: %s; using %s", "; ".join(skipped), path)
            return checkpoint
        if skipped:
            raise CheckpointError(
                f"{self.folder}: no checkpoint is whole:\n  " + "\n  ".join(skipped[:2]) + "\nThe run must start anew."
            )
        return None

    def load(self, which: str) -> Checkpoint:
        """`best`, `last`, or a folder's name such as `step-00001200`.

        Raises:
            CheckpointError: it is not there, or damaged; names those that are there.
        """
        if which in ("best", "last"):
            path = self._pointed(which)
            if path is None:
                raise CheckpointError(f"{self.folder / which}: names no checkpoint. {self._choices()}")
        else:
            path = self.folder / which
            if not _FOLDER.fullmatch(which) or not path.is_dir():
                raise CheckpointError(f"{path}: there is no such checkpoint. {self._choices()}")
        try:
            checkpoint = open_checkpoint(path)
            checkpoint.verify()
        except _DamagedError as error:
            raise CheckpointError(f"{error}\n{self._choices()}") from None
        return checkpoint

    def _choices(self) -> str:
        names = [path.name for path in self._folders()]
        return f"There are: {', '.join(names)}." if names else "Nothing has been saved there."

    def _folders(self) -> list[Path]:
        """Newest first; a replaced one after the one that was to take its place."""
        found = [path for path in self.folder.glob("step-*") if _FOLDER.fullmatch(path.name) and path.is_dir()]
        return sorted(found, key=lambda path: (-_step(path), path.name))

    def _pointed(self, name: str) -> Path | None:
        try:
            target = (self.folder / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return self.folder / target if _FOLDER.fullmatch(target) else None

    def _point(self, name: str, path: Path) -> None:
        staged = self.folder / f".tmp-{name}-{os.getpid()}"
        _write(staged, f"{path.name}\n".encode())
        staged.replace(self.folder / name)
        _flush_folder(self.folder)

    def _prune(self, step: int) -> None:
        """Keeps the newest up to `step` and the best. Later steps are of a branch that a resume has left: they go."""
        best = self._pointed("best")
        current = [path for path in self._folders() if _step(path) <= step and not path.name.endswith(REPLACED)]
        for path in self._folders():
            if path != best and path not in current[: self.keep]:
                doomed = self.folder / f".tmp-{path.name}-{os.getpid()}"
                path.rename(doomed)  # a half-deleted folder must not look like a checkpoint
                shutil.rmtree(doomed, ignore_errors=True)

    def _sweep(self) -> None:
        """Repairs and removes what a killed save left."""
        for path in self._folders():
            if path.name.endswith(REPLACED):
                original = path.with_name(path.name.removesuffix(REPLACED))
                path.rename(self.folder / f".tmp-{path.name}" if original.exists() else original)
        for path in self.folder.glob(".tmp-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def open_checkpoint(path: Path) -> Checkpoint:
    """Reads the manifest of a checkpoint folder.

    Raises:
        CheckpointError: it is missing, damaged, or of a newer format.
    """
    file = path / MANIFEST
    try:
        content = file.read_bytes()
    except OSError as error:
        raise _DamagedError(f"{file}: cannot be read ({error.strerror})") from None
    manifest = _parse_json(file, content)
    seal = manifest.pop("seal", None)
    if seal != _seal(manifest):
        raise _DamagedError(f"{file}: is not what was saved (wrong hash)")
    if manifest.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: has format {manifest.get('format')}, written by attnfocus {manifest.get('attnfocus')};\n"
            f"this is attnfocus {attnfocus.__version__}, which reads format {FORMAT}. Use that version or a later one."
        )
    return Checkpoint(path, manifest.get("files", {}))


def _step(path: Path) -> int:
    match = _FOLDER.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def _fingerprint(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _manifest(files: Mapping[str, Mapping[str, Any]]) -> bytes:
    manifest = {"format": FORMAT, "attnfocus": attnfocus.__version__, "files": files}
    return json.dumps({**manifest, "seal": _seal(manifest)}, indent=2).encode()


def _seal(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _parse_json(path: Path, content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _DamagedError(f"{path}: is not JSON ({error})") from None
    if not isinstance(parsed, dict):
        raise _DamagedError(f"{path}: is not a JSON object")
    return parsed


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """Makes a rename durable. Windows cannot, and does not need it."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
