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
import os
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
from attnfocus.limits import NonNegativeInt
from attnfocus.records import to_record
from attnfocus.regular_files import open_to_read, read_file
from attnfocus.training.checkpoints.header import MAX_HEAD_BYTES, empty_tensors, size_of
from attnfocus.training.checkpoints.tensors import (
    load_model_tensors,
    load_optimizer_tensors,
    require_optimizer_shapes,
    require_same_shapes,
)
from attnfocus.version import __version__

logger = logging.getLogger(__name__)

FORMAT = 1
MODEL, OPTIMIZER, OPTIMIZER_REST, STATE = "model.safetensors", "optimizer.safetensors", "optimizer.json", "state.json"
AVERAGE = "average.safetensors"  # only in runs with trainer.ema_decay
FILES = (MODEL, OPTIMIZER, OPTIMIZER_REST, STATE)
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1_000_000
MAX_JSON_BYTES = 2**26
MAX_STATES = 16  # an optimizer keeps a few tensors for each weight
PART_BYTES = 2**20
REPLACED = ".replaced"  # suffix of a folder while a new one of the same step takes its place
FOLDER = re.compile(r"step-(\d{8,15})(?:\.replaced)?")


@dataclass(frozen=True)
class FileFacts:
    """What the manifest says of a file."""

    bytes: NonNegativeInt
    sha256: str


@dataclass(frozen=True)
class OptimizerRest:
    """What of an optimizer's state is no tensor: its class, and numbers as `<parameter>/<state>`."""

    kind: str
    numbers: dict[str, int | float | None]


@dataclass(frozen=True)
class Manifest:
    format: int
    files: dict[str, FileFacts]


class DamagedError(CheckpointError):
    """Not what was written; another checkpoint may still be good."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder whose manifest holds; each file is checked against it when read.

    Raises (all methods):
        CheckpointError: a file is missing or damaged, or belongs to another architecture.
    """

    path: Path
    files: Mapping[str, FileFacts]

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
        file = self.path / OPTIMIZER_REST
        rest = _parse_json(file, self._read(OPTIMIZER_REST))
        try:
            checked, saved = to_record(OptimizerRest, rest), empty_tensors(self.path / OPTIMIZER)
        except ValueError as error:
            raise CheckpointError(f"{file}: {error}. Use an undamaged copy.") from None
        except OSError as error:
            raise CheckpointError(f"{self.path / OPTIMIZER}: {error.strerror}. Use an undamaged copy.") from None
        require_optimizer_shapes(optimizer, model, saved)
        load_optimizer_tensors(optimizer, model, self._tensors(OPTIMIZER), vars(checked))

    def verify(self, like: Mapping[str, Tensor] | None = None) -> None:
        """Checks every file.

        Args:
            like: what the model has, without its numbers: sizes far beyond are refused before they are read, and other
                shapes before a model is built.
        """
        if like is not None:
            self._require_sizes(size_of(like))
        for name in {*FILES, *self.files}:
            self._verify(name)
        if like is not None:
            for name in {MODEL, AVERAGE} & self.files.keys():
                try:
                    require_same_shapes(empty_tensors(self.path / name), like)
                except OSError as error:
                    raise DamagedError(f"{self.path / name}: {error.strerror}") from None

    def _require_sizes(self, num_bytes: int) -> None:
        for name, most in ((MODEL, 1), (AVERAGE, 1), (OPTIMIZER, MAX_STATES)):
            saved = self.files.get(name)
            if saved is not None and saved.bytes > most * num_bytes + MAX_HEAD_BYTES:
                raise CheckpointError(
                    f"{self.path / name}: holds {saved.bytes:,} bytes, and the model of this run has {num_bytes:,}. "
                    "Use an undamaged copy."
                )

    def _saved(self, name: str) -> FileFacts:
        saved = self.files.get(name)
        if saved is None:
            raise DamagedError(f"{self.path / name}: {MANIFEST} does not know it")
        if name in (OPTIMIZER_REST, STATE) and saved.bytes > MAX_JSON_BYTES:
            raise DamagedError(f"{self.path / name}: is larger than {MAX_JSON_BYTES:,} bytes")
        return saved

    def _verify(self, name: str) -> None:
        """Reads a file in parts, however large it is, and only if it is as large as it was."""
        path, saved, digest = self.path / name, self._saved(name), hashlib.sha256()
        try:
            with open_to_read(path) as file:
                num_bytes = os.fstat(file.fileno()).st_size
                while num_bytes == saved.bytes and (part := file.read(PART_BYTES)):
                    digest.update(part)
        except OSError as error:
            raise DamagedError(f"{path}: cannot be read ({error.strerror})") from None
        if (num_bytes, digest.hexdigest()) != (saved.bytes, saved.sha256):
            raise DamagedError(f"{path}: is not what was saved ({num_bytes} bytes, wrong hash)")

    def _read(self, name: str) -> bytes:
        path, saved = self.path / name, self._saved(name)
        try:
            content = read_file(path, saved.bytes)
        except OSError as error:
            raise DamagedError(f"{path}: cannot be read ({error.strerror})") from None
        if fingerprint(content) != vars(saved):
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
    try:
        facts = to_record(Manifest, manifest, ignore_unknown=True)
    except ValueError as error:
        raise DamagedError(f"{file}: {error}") from None
    unknown = facts.files.keys() - {*FILES, AVERAGE}
    if unknown:
        raise DamagedError(f"{file}: files.{min(unknown)}: a checkpoint has no such file")
    return Checkpoint(path, facts.files)


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
