"""The cache folder: entries that are whole or not there, of this user alone, the oldest-used of which go first."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attnfocus.errors import ConfigError
from attnfocus.regular_files import is_folder, is_regular, number, open_to_read, read_file, write_new
from attnfocus.stages import Stage, stage

ENTRY_FILE = "entry.json"
MAX_ENTRY_BYTES = 64 * 2**20
HASH_BYTES = 1 << 20
DIGEST_BYTES = 32
ABANDONED_SECONDS = 24 * 3600  # a temporary folder that nobody can be writing any more
GB = 10**9
_KEY = re.compile("[0-9a-f]{40}")
_REMAINS = re.compile(r"\.[0-9a-f]{40}\.\d{16}\.tmp")


class DamagedError(Exception):
    """An entry that is not what was written."""


class TooLargeError(Exception):
    """An entry that is larger than all of them may be."""


@dataclass(frozen=True)
class NewEntry:
    """The files of an entry that is being written.

    Attributes:
        folder: where they are.
        writing: the stage, which moves by their bytes.
        known: file -> its size and digest, of those that `write` has written.
    """

    folder: Path
    writing: Stage
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """Writes a file, part by part.

        Raises:
            OSError: it is there already, or cannot be written.
        """
        digest, size = hashlib.blake2b(digest_size=DIGEST_BYTES), 0

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for part in parts:
                digest.update(part)
                size += len(part)
                yield part
                self.writing.advance(len(part))

        write_new(self.folder / name, hashed())
        self.known[name] = {"size": size, "digest": digest.hexdigest()}

    def checked(self) -> dict[str, dict[str, Any]]:
        """File -> its size and digest, of all; each is then of this user alone."""
        result = {}
        for file in sorted(self.folder.iterdir()):
            os.chmod(file, 0o600)
            size = file.stat().st_size
            result[file.name] = self.known.get(file.name) or {"size": size, "digest": digest_of(file, self.writing)}
        return result


@dataclass(frozen=True)
class CacheFolder:
    """Where prepared data are kept.

    Args:
        path: the folder; it is made.
        max_bytes: of all entries together; 0: nothing is kept, and nothing is looked for.
    """

    path: Path
    max_bytes: int

    def ready(self) -> None:
        """Makes the folder, or finds one of this user, which is closed to others if nothing but entries is in it.

        Raises:
            ConfigError: it is a link, no folder, of another user, or holds other things and others may write to it.
            OSError: it cannot be made.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
        status = os.lstat(self.path)
        problem = None
        if not stat.S_ISDIR(status.st_mode):
            problem = "is a link or a file, not a folder"
        elif hasattr(os, "getuid") and status.st_uid != os.getuid():
            problem = "belongs to another user, who could change what this one reads"
        elif status.st_mode & 0o077 and all(_is_entry(each) or _is_remains(each) for each in self.path.iterdir()):
            os.chmod(self.path, 0o700)
        elif status.st_mode & 0o022:
            problem = "holds other things, and other users may write to it, who could change what this one reads"
        if problem is not None:
            raise ConfigError(f"paths.cache: {self.path} {problem}. Give a folder of your own, or paths.cache_gb=0")

    def find(self, key: str) -> Path | None:
        """The folder of an entry, from now on the latest used; None: there is none."""
        entry = self.path / key
        if not is_folder(entry):
            return None
        with contextlib.suppress(OSError):
            os.utime(entry)
        return entry

    def require_room(self, num_bytes: int) -> None:
        """Refuses an entry that is larger than all of them may be; those that are there are bound all the same.

        Raises:
            TooLargeError: it is.
        """
        if num_bytes > self.max_bytes:
            self.bound()
            raise TooLargeError(
                f"they have {num_bytes / GB:.3g} GB, which is larger than paths.cache_gb={self.max_bytes / GB:g}"
            )

    def keep(self, key: str, write: Callable[[NewEntry], dict[str, Any]], keeping: Stage) -> None:
        """Makes an entry; of several writers one succeeds, whose entry is as good.

        Args:
            write: writes the files, and gives what stands about them in the entry's own file.
            keeping: moves by the bytes of these files.

        Raises:
            OSError: it cannot be written; nothing is left of it.
            TooLargeError: it is larger than all entries may be; nothing is left of it.
        """
        temporary = self.path / f".{key}.{number()}.tmp"
        temporary.mkdir(mode=0o700)
        try:
            new = NewEntry(temporary, keeping)
            content = write(new)
            files = new.checked()
            self.require_room(sum(each["size"] for each in files.values()))
            entry = {**content, "files": files}
            write_new(temporary / ENTRY_FILE, json.dumps({**entry, "digest": _content_digest(entry)}).encode())
            os.chmod(temporary / ENTRY_FILE, 0o600)
            with contextlib.suppress(OSError):  # another has been faster
                os.rename(temporary, self.path / key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self.bound()

    def drop(self, key: str) -> None:
        """Removes an entry. Who has its files open can go on reading them."""
        gone = self.path / f".{key}.{number()}.tmp"
        with contextlib.suppress(OSError):
            os.rename(self.path / key, gone)
        shutil.rmtree(gone, ignore_errors=True)

    def bound(self) -> None:
        """Removes the entries that were not used for longest, until the others have room; nothing that is none."""
        entries = []
        for entry in list(self.path.iterdir()):
            with contextlib.suppress(OSError):
                used = os.lstat(entry).st_mtime
                if _is_entry(entry):
                    entries.append((used, entry.name, sum(os.lstat(file).st_size for file in entry.iterdir())))
                elif _is_remains(entry) and used < time.time() - ABANDONED_SECONDS:
                    shutil.rmtree(entry, ignore_errors=True)
        total = sum(size for _, _, size in entries)
        for _, name, size in sorted(entries):
            if total <= self.max_bytes:
                return
            self.drop(name)
            total -= size


def checked_content(entry: Path) -> dict[str, Any]:
    """What an entry's own file says, after all its files have been compared with it.

    Raises:
        DamagedError: a file is missing, or is not what was written.
    """
    try:
        content = json.loads(read_file(entry / ENTRY_FILE, MAX_ENTRY_BYTES))
        if content.pop("digest") != _content_digest(content):
            raise DamagedError(f"{ENTRY_FILE} has changed")
        expected = content["files"]
        with stage("checking prepared data", sum(each["size"] for each in expected.values())) as checking:
            for name, each in expected.items():
                if Path(name).name != name or digest_of(entry / name, checking) != each["digest"]:
                    raise DamagedError(f"{name} has changed")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(str(error)) from error
    return dict(content)


def digest_of(path: Path, moving: Stage, *, follow_links: bool = False) -> str:
    """Of a file's content."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with open_to_read(path, follow_links=follow_links) as file:
        for part in _parts(file):
            digest.update(part)
            moving.advance(len(part))
    return digest.hexdigest()


def _is_entry(path: Path) -> bool:
    return _KEY.fullmatch(path.name) is not None and is_folder(path) and is_regular(path / ENTRY_FILE)


def _is_remains(path: Path) -> bool:
    """Whether it is what a kill inside `keep` or `drop` has left, or another writer's."""
    return _REMAINS.fullmatch(path.name) is not None and is_folder(path)


def _parts(file: Any) -> Iterator[bytes]:
    return iter(lambda: file.read(HASH_BYTES), b"")


def _content_digest(content: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=DIGEST_BYTES).hexdigest()
