"""The checkpoints of a run on disk: saved so that a kill at any moment leaves a whole one, pointed to, pruned.

See `checkpoint` for what is in one.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage
from typing import Any

import safetensors.torch
from torch import Tensor, nn
from torch.optim import Optimizer

from attnfocus.errors import CheckpointError
from attnfocus.files import is_no_room, reason_of
from attnfocus.regular_files import (
    is_folder,
    is_regular,
    is_there,
    make_folder,
    number,
    read_file,
    require_folder,
    write_new,
)
from attnfocus.training.checkpoints.checkpoint import (
    AVERAGE,
    FOLDER,
    MANIFEST,
    MODEL,
    OPTIMIZER,
    OPTIMIZER_REST,
    REPLACED,
    STATE,
    Checkpoint,
    DamagedError,
    fingerprint,
    manifest_of,
    open_checkpoint,
    step_of,
)
from attnfocus.training.checkpoints.tensors import model_tensors, optimizer_tensors

logger = logging.getLogger(__name__)

OWN_NAMES = frozenset({MODEL, OPTIMIZER, OPTIMIZER_REST, STATE, AVERAGE, MANIFEST})  # all that a checkpoint has in it
MAX_POINTER_BYTES = 100
STAGED = re.compile(r"\.tmp-(best|last|step-\d{8,15}(\.replaced)?)(-\d+)?")  # what a kill inside a save leaves


class CheckpointStore:
    """The checkpoints of one run.

    Args:
        folder: made at the first save. Reading never writes.
        keep: how many of the newest stay; the best stays besides.
        like: the tensors of the run's model, without their numbers, which every checkpoint that is read must have.
    """

    def __init__(self, folder: Path, *, keep: int = 2, like: Mapping[str, Tensor] | None = None) -> None:
        self.folder = folder
        self.keep = keep
        self.like = like

    def save(
        self,
        step: int,
        model: nn.Module,
        optimizer: Optimizer,
        state: Mapping[str, Any],
        *,
        is_best: bool = False,
        averaged: nn.Module | None = None,
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
        if averaged is not None:
            contents[AVERAGE] = safetensors.torch.save(model_tensors(averaged))
        contents[MANIFEST] = manifest_of({name: fingerprint(content) for name, content in contents.items()})
        make_folder(self.folder)
        self._sweep()
        path = self.folder / f"step-{step:08d}"
        staged = self._staged(path.name)
        try:
            staged.mkdir()
            for name, content in contents.items():
                write_new(staged / name, content)
            _flush_folder(staged)
            open_checkpoint(staged).verify()
            replaced = path.with_name(path.name + REPLACED)
            if is_there(path):
                path.rename(replaced)
            staged.rename(path)
        except CheckpointError as error:  # written, but not what comes back
            raise OSError(str(error)) from None
        except OSError as error:
            raise _with_sizes(error, sum(map(len, contents.values())), self.folder) from None
        finally:
            _remove(staged)
        _flush_folder(self.folder)
        self._point("last", path)
        if is_best:
            self._point("best", path)
        self._prune(step)
        return path

    def finish_save(self, newest: Checkpoint, best_step: int | None) -> Path:
        """Does the rest of a save that was killed when its checkpoint was whole already.

        That is `last` and `best`, what was staged, and the old checkpoints that were to go.

        Returns:
            Where the checkpoint is now.
        """
        path = self.folder / f"step-{newest.step:08d}"
        if newest.path != path and is_there(path):
            return newest.path  # it was to be replaced, by one that is damaged now: the next save decides
        self._sweep()
        best = None if best_step is None else self.folder / f"step-{best_step:08d}"
        for name, target in (("last", path), ("best", best)):
            if target is not None and is_folder(target) and self._pointed(name) != target:
                self._point(name, target)
        self._prune(newest.step, with_later=False)  # which may be damaged, and somebody may want to look
        return path

    @property
    def is_empty(self) -> bool:
        """Whether there is no checkpoint, whole or not."""
        return not self._folders()

    @property
    def steps(self) -> list[int]:
        """Those that have a checkpoint, whole or not, the first first."""
        return sorted({step_of(path) for path in self._folders()})

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None when nothing was ever saved. A warning names those passed over.

        Raises:
            CheckpointError: there are checkpoints, but none is whole, or the newest has a newer format.
        """
        skipped: list[str] = []
        for path in self._folders():
            try:
                checkpoint = open_checkpoint(path)
                checkpoint.verify(self.like)
            except DamagedError as error:
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

    def has(self, name: str) -> bool:
        """Whether `best` or `last` names a checkpoint that is there."""
        path = self._pointed(name)
        return path is not None and is_folder(path)

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
            if not FOLDER.fullmatch(which) or not is_folder(path):
                raise CheckpointError(f"{path}: there is no such checkpoint. {self._choices()}")
        try:
            checkpoint = open_checkpoint(path)
            checkpoint.verify(self.like)
        except DamagedError as error:
            if which in ("best", "last") and self._pointed(which) != path:
                return self.load(which)  # a save has put another in its place meanwhile
            raise CheckpointError(f"{error}\n{self._choices()}") from None
        return checkpoint

    def newest_few(self) -> list[Checkpoint]:
        """The newest `keep` checkpoints, newest first, to be averaged.

        Raises:
            CheckpointError: there are fewer than two, or one is damaged.
        """
        names = [path.name for path in self._folders() if not path.name.endswith(REPLACED)][: self.keep]
        if len(names) < 2:
            raise CheckpointError(
                f"{self.folder}: an average needs two checkpoints or more. {self._choices()} This run keeps the newest "
                f"{self.keep}.\nTrain with trainer.keep_checkpoints=5, and evaluate or save more often "
                "(trainer.save_every_steps); or use checkpoint=best."
            )
        return [self.load(name) for name in names]

    def _choices(self) -> str:
        names = [path.name for path in self._folders()]
        return f"There are: {', '.join(names)}." if names else "Nothing has been saved there."

    def _folders(self) -> list[Path]:
        """Newest first; a replaced one after the one that was to take its place.

        Raises:
            CheckpointError: `checkpoints` is no folder of the run itself.
        """
        if not is_there(self.folder):
            return []
        self._require_own()
        found = [path for path in self.folder.glob("step-*") if FOLDER.fullmatch(path.name) and is_folder(path)]
        return sorted(found, key=lambda path: (-step_of(path), path.name))

    def _pointed(self, name: str) -> Path | None:
        """The folder that `best` or `last` names; None where it names none.

        Raises:
            CheckpointError: `checkpoints` is no folder of the run itself.
        """
        if is_there(self.folder):
            self._require_own()
        try:
            target = read_file(self.folder / name, MAX_POINTER_BYTES).decode().strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        except OSError as error:
            raise CheckpointError(f"{self.folder / name}: cannot be read ({error.strerror}).") from None
        return self.folder / target if FOLDER.fullmatch(target) else None

    def _require_own(self) -> None:
        try:
            require_folder(self.folder)
        except OSError as error:
            raise CheckpointError(f"{self.folder}: {error.strerror}. Use the run directory itself.") from None

    def _staged(self, name: str) -> Path:
        """A name that nobody has foreseen."""
        return self.folder / f".tmp-{name}-{number()}"

    def _point(self, name: str, path: Path) -> None:
        staged = self._staged(name)
        write_new(staged, f"{path.name}\n".encode())
        staged.replace(self.folder / name)
        _flush_folder(self.folder)

    def _prune(self, step: int, *, with_later: bool = True) -> None:
        """Keeps the newest up to `step` and the best. Later steps are of a branch that a resume has left: they go."""
        best = self._pointed("best")
        current = [path for path in self._folders() if step_of(path) <= step and not path.name.endswith(REPLACED)]
        for path in self._folders():
            is_surplus = path in current[self.keep :] or (with_later and path not in current)
            if is_surplus and path != best and _is_ours(path):
                doomed = self._staged(path.name)
                path.rename(doomed)  # a half-deleted folder must not look like a checkpoint
                _remove(doomed)

    def _sweep(self) -> None:
        """Repairs and removes what a killed save left."""
        for path in self._folders():
            if path.name.endswith(REPLACED):
                original = path.with_name(path.name.removesuffix(REPLACED))
                path.rename(self._staged(path.name) if is_there(original) else original)
        for path in self.folder.glob(".tmp-*"):
            if STAGED.fullmatch(path.name):
                _remove(path)


def _is_ours(folder: Path) -> bool:
    """Whether there is nothing in a checkpoint's folder but what a save writes."""
    return is_folder(folder) and all(path.name in OWN_NAMES and is_regular(path) for path in folder.iterdir())


def _with_sizes(error: OSError, needed: int, folder: Path) -> OSError:
    """The error with what a checkpoint needs, where the disk has no room for it."""
    if not is_no_room(error):
        return error
    free = disk_usage(folder).free
    problem = f"{reason_of(error)}; it needs {needed:,} bytes, {free:,} are free"
    return OSError(error.errno, problem, error.filename)


def _remove(path: Path) -> None:
    """Removes what a save has written, as far as it can; what somebody else has put there stays."""
    with suppress(OSError):
        if is_regular(path):
            path.unlink()
        elif is_folder(path):
            for inner in path.iterdir():
                if inner.name in OWN_NAMES and is_regular(inner):
                    inner.unlink()
            path.rmdir()


def _flush_folder(path: Path) -> None:
    """Makes a rename durable. Windows cannot, and does not need it."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
