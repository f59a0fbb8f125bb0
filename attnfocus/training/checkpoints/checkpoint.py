"""Checkpoints that survive a kill at any moment and are checked before they are believed.

    checkpoints/
      step-00001200/
        model.safetensors  optimizer.safetensors  optimizer.json  state.json  [average.safetensors]
        manifest.json      format version, SHA-256 and size of each file, and of itself
      best  last           the name of a folder, as text

A checkpoint is written into a folder `.tmp-...`, flushed to disk, read back, and renamed: under its own name it is
always whole. What is damaged later (a flipped bit, a cut file) fails its hash and is passed over.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

from attnfocus.errors import CheckpointError
from attnfocus.regular_files import read_file
from attnfocus.training.checkpoints.tensors import load_model_tensors, load_optimizer_tensors
from attnfocus.version import __version__

logger = logging.getLogger(__name__)

FORMAT = 1
MODEL, OPTIMIZER, OPTIMIZER_REST, STATE = "model.safetensors", "optimizer.safetensors", "optimizer.json", "state.json"
AVERAGE = "average.safetensors"  # only in runs with trainer.ema_decay
FILES = (MODEL, OPTIMIZER, OPTIMIZER_REST, STATE)
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1_000_000
REPLACED = ".replaced"  # suffix of a folder while a new one of the same step takes its place
FOLDER = re.compile(r"step-(\d{8,15})(?:\.replaced)?")


class DamagedError(CheckpointError):
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
        return step_of(self.path)

    def state(self) -> dict[str, Any]:
        """Everything but tensors: counts, schedule, loss scale."""
        return _parse_json(self.path / STATE, self._read(STATE))

    def load_model(self, model: nn.Module) -> None:
        """The weights to use: the averaged ones where the run kept them."""
        load_model_tensors(model, self.weights())

    def weights(self) -> dict[str, Tensor]:
        """What `load_model` puts into a model."""
        return self._tensors(AVERAGE if AVERAGE in self.files else MODEL)

    def load_trained(self, model: nn.Module) -> None:
        """The weights to go on training with."""
        load_model_tensors(model, self._tensors(MODEL))

    def load_average(self, model: nn.Module) -> None:
        """The averaged weights."""
        load_model_tensors(model, self._tensors(AVERAGE))

    def load_optimizer(self, optimizer: Optimizer, model: nn.Module) -> None:
        rest = _parse_json(self.path / OPTIMIZER_REST, self._read(OPTIMIZER_REST))
        load_optimizer_tensors(optimizer, model, self._tensors(OPTIMIZER), rest)

    def verify(self) -> None:
        for name in {*FILES, *self.files}:
            self._read(name)

    def _read(self, name: str) -> bytes:
        path = self.path / name
        saved = self.files.get(name, {}).get("bytes", 0)
        try:
            content = read_file(path, saved)
        except OSError as error:
            raise DamagedError(f"{path}: is not what was saved: it cannot be read ({error.strerror})") from None
        if self.files.get(name) != fingerprint(content):
            raise DamagedError(f"{path}: is not what was saved ({len(content)} bytes, wrong hash)")
        return content

    def _tensors(self, name: str) -> dict[str, Tensor]:
        try:
            return safetensors.torch.load(self._read(name))
        except SafetensorError as error:
            raise DamagedError(f"{self.path / name}: {error}") from None


def open_checkpoint(path: Path) -> Checkpoint:
    """Reads the manifest of a checkpoint folder.

    Raises:
        CheckpointError: it is missing, damaged, or of a newer format.
    """
    file = path / MANIFEST
    try:
        content = read_file(file, MAX_MANIFEST_BYTES)
    except OSError as error:
        raise DamagedError(f"{file}: cannot be read ({error.strerror})") from None
    manifest = _parse_json(file, content)
    seal = manifest.pop("seal", None)
    if seal != _seal(manifest):
        raise DamagedError(f"{file}: is not what was saved (wrong hash)")
    if manifest.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: has format {manifest.get('format')}, written by attnfocus {manifest.get('attnfocus')};\n"
            f"this is attnfocus {__version__}, which reads format {FORMAT}. Use that version or a later one."
        )
    return Checkpoint(path, manifest.get("files", {}))


def step_of(path: Path) -> int:
    match = FOLDER.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def fingerprint(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def manifest_of(files: Mapping[str, Mapping[str, Any]]) -> bytes:
    manifest = {"format": FORMAT, "attnfocus": __version__, "files": files}
    return json.dumps({**manifest, "seal": _seal(manifest)}, indent=2).encode()


def _seal(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _parse_json(path: Path, content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: is not JSON ({error})") from None
    if not isinstance(parsed, dict):
        raise DamagedError(f"{path}: is not a JSON object")
    return parsed
