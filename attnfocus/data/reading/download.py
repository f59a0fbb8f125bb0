"""Files of published sets: found in the data folder, or downloaded, checked against a pinned hash and kept there.

A download that is cut off stays beside its file as `.part` and is continued with an HTTP Range request. A file takes
its name only when its hash is right, so that whatever has a name is whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attnfocus.data.sources.embedded import without_files
from attnfocus.errors import DataError

if TYPE_CHECKING:
    import requests

CHUNK_BYTES = 1 << 16
CONNECT_SECONDS, READ_SECONDS = 10, 60
NUM_RETRIES = 2


@dataclass(frozen=True)
class PublishedFile:
    """A file at an address whose content never changes.

    Args:
        name: of the file in the set's folder. A copy with .gz added or taken away is as good.
        sha256: of the file as the publisher serves it.
    """

    name: str
    url: str
    sha256: str


class HashError(ValueError):
    """What arrived is not what was published."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"sha256 {got}")
        self.expected, self.got = expected, got


def default_data_dir() -> Path:
    """The folder for downloads when the configuration names none: the user's cache."""
    import pooch

    return Path(pooch.os_cache("attnfocus"))


def find_published(dataset: str, folder: Path, files: Sequence[PublishedFile], *, download: bool) -> list[Path]:
    """The paths of the files, downloaded where they are missing and `download` allows it.

    Raises:
        DataError: one is missing and cannot be had.
    """
    paths = []
    for file in files:
        path = locate(folder, file.name)
        if path is None and not download:
            raise DataError(
                f"dataset={dataset}: {folder.absolute() / file.name} does not exist, and dataset.download=false.\n"
                f"Get it from {file.url}, or set dataset.download=true.\n{_folder_hint(folder)}"
            )
        paths.append(path or fetch(dataset, folder, file))
    return paths


def find_by_hand(dataset: str, folder: Path, names: Sequence[str], how: str) -> list[Path]:
    """The paths of files that have no address which would stay valid.

    Args:
        how: where the user gets them, as a sentence.

    Raises:
        DataError: one is missing.
    """
    paths = {name: locate(folder, name) for name in names}
    missing = [str(folder.absolute() / name) for name, path in paths.items() if path is None]
    if missing:
        raise DataError(
            f"dataset={dataset}: missing {', '.join(missing)} (with or without .gz).\n{how}\n{_folder_hint(folder)}"
        )
    return [path for path in paths.values() if path is not None]


def locate(folder: Path, name: str) -> Path | None:
    """The file of this name, plain or gzip."""
    plain = name.removesuffix(".gz")
    candidates = (folder / name, folder / plain, folder / f"{plain}.gz")
    return next((path for path in candidates if path.is_file()), None)


def fetch(dataset: str, folder: Path, file: PublishedFile, *, num_retries: int = NUM_RETRIES) -> Path:
    """Download a file into a folder; processes that want it at the same time wait for the first.

    Raises:
        DataError: it could not be had: address, expected and got. What has arrived is kept for the next try.
    """
    import filelock
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # its remarks on each try would stand in the midst of our message
    path = folder / file.name
    source = pooch.create(
        folder, base_url="", registry={file.name: f"sha256:{file.sha256}"}, urls={file.name: file.url},
        retry_if_failed=num_retries,
    )  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / ".lock"):
            if not path.is_file():
                source.fetch(file.name, downloader=ResumingDownloader(path.with_name(file.name + ".part"), file.sha256))
    except (requests.RequestException, HashError) as error:
        expected = f"sha256 {file.sha256}" if isinstance(error, HashError) else f"a file with sha256 {file.sha256}"
        raise DataError(
            f"dataset={dataset}: {file.name} could not be downloaded.\n"
            f"  address: {file.url}\n  expected: {expected}\n  got: {_describe(error)}\n"
            f"Try again (what has arrived is continued), or put the file at {path.absolute()} by hand."
        ) from error
    except OSError as error:
        raise DataError(
            f"dataset={dataset}: {file.name} cannot be written to {folder.absolute()}: {error.strerror or error}.\n"
            "Set paths.data, or $ATTNFOCUS_DATA, to a folder that can be written."
        ) from error
    return path


class ResumingDownloader:
    """A pooch downloader that goes on where an earlier one was cut off.

    Args:
        part: where bytes gather until the file is whole.
        sha256: what they must come to; otherwise they are thrown away, and the next try begins anew.
    """

    def __init__(self, part: Path, sha256: str) -> None:
        self._part = part
        self._sha256 = sha256

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        self._gather(url)
        with self._part.open("rb") as stream:
            got = hashlib.file_digest(stream, "sha256").hexdigest()
        if got != self._sha256:
            self._part.unlink()
            raise HashError(self._sha256, got)
        self._part.replace(output_file)

    def _gather(self, url: str) -> None:
        import requests

        start = self._part.stat().st_size if self._part.is_file() else 0
        # A server that compresses on the way would count other bytes than the file's.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
            if start and response.status_code == requests.codes.requested_range_not_satisfiable:
                return  # nothing is left to send: the hash decides whether the part is whole
            response.raise_for_status()
            with self._part.open("ab" if _continues(response, start) else "wb") as stream:
                for chunk in response.iter_content(CHUNK_BYTES):
                    stream.write(chunk)


def _continues(response: requests.Response, start: int) -> bool:
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _describe(error: Exception) -> str:
    import requests

    if isinstance(error, requests.ConnectionError):
        return f"no connection, or one that broke ({type(error).__name__})"
    return " ".join(str(error).split())[:200]


def _folder_hint(folder: Path) -> str:
    return f"The data folder is {folder.absolute().parent} (paths.data, or $ATTNFOCUS_DATA). {without_files()}"
