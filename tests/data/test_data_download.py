"""Downloads against a server on this machine: wrong hash, cut off half-way, no server."""

import contextlib
import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from attnfocus.data.reading.download import PublishedFile, fetch, find_by_hand, find_published, locate
from attnfocus.errors import DataError

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes: several chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CUT = 300_000


@dataclass
class Behaviour:
    """How the server answers, and what it was asked."""

    content: bytes = CONTENT
    cut_after: int | None = None  # bytes after which a reply breaks off
    ranges: bool = True
    status: int = 200
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def url(behaviour: Behaviour) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            behaviour.asked.append(asked)
            total = len(behaviour.content)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and behaviour.ranges else 0
            if behaviour.status != 200:
                self.send_error(behaviour.status)
                return
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.send_header("Content-Length", str(total - start))
            self.end_headers()
            body = behaviour.content[start:]
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body if behaviour.cut_after is None else body[: behaviour.cut_after])

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/data.txt"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxy_and_no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # pooch offers no other way


def published(url: str) -> PublishedFile:
    return PublishedFile("data.txt", url, SHA256)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def failure(folder: Path, url: str, num_retries: int = 0) -> str:
    with pytest.raises(DataError) as caught:
        fetch("multi30k", folder, published(url), num_retries=num_retries)
    text = str(caught.value)
    assert len(text.splitlines()) <= 5
    assert "dataset=multi30k: data.txt could not be downloaded" in text
    assert f"address: {url}" in text
    assert SHA256 in text
    assert str(folder / "data.txt") in text
    return text


def test_a_file_is_fetched_once_and_then_found(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    folder = tmp_path / "a" / "b"
    for _ in range(2):
        (path,) = find_published("multi30k", folder, [published(url)], download=True)
        assert path.read_bytes() == CONTENT
    assert behaviour.asked == [None]
    assert visible(folder) == ["data.txt"]


def test_a_wrong_hash_names_both_hashes_and_leaves_nothing(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    behaviour.content = b"something else"
    assert f"got: sha256 {hashlib.sha256(b'something else').hexdigest()}" in failure(tmp_path, url)
    assert visible(tmp_path) == []
    behaviour.content = CONTENT
    assert fetch("multi30k", tmp_path, published(url)).read_bytes() == CONTENT


def test_a_download_cut_off_half_way_is_continued(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    behaviour.cut_after = CUT
    assert "got: " in failure(tmp_path, url)
    assert visible(tmp_path) == ["data.txt.part"]
    kept = (tmp_path / "data.txt.part").stat().st_size
    assert 0 < kept <= CUT
    behaviour.cut_after = None
    assert fetch("multi30k", tmp_path, published(url)).read_bytes() == CONTENT
    assert behaviour.asked == [None, f"bytes={kept}-"]
    assert visible(tmp_path) == ["data.txt"]


def test_retries_within_one_call_continue_too(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    behaviour.cut_after = CUT
    assert fetch("multi30k", tmp_path, published(url), num_retries=2).read_bytes() == CONTENT
    assert len(behaviour.asked) == 2
    assert behaviour.asked[1] is not None


def test_a_server_without_ranges_is_read_from_the_start(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    behaviour.ranges = False
    (tmp_path / "data.txt.part").write_bytes(CONTENT[:1000])
    assert fetch("multi30k", tmp_path, published(url)).read_bytes() == CONTENT


def test_a_part_of_something_else_is_thrown_away_and_fetched_anew(
    tmp_path: Path, url: str, behaviour: Behaviour
) -> None:
    (tmp_path / "data.txt.part").write_bytes(b"x" * 1000)
    assert fetch("multi30k", tmp_path, published(url), num_retries=1).read_bytes() == CONTENT
    assert behaviour.asked == ["bytes=1000-", None]


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"more"])
def test_a_part_that_is_whole_or_too_long_never_gets_stuck(tmp_path: Path, url: str, part: bytes) -> None:
    (tmp_path / "data.txt.part").write_bytes(part)
    assert fetch("multi30k", tmp_path, published(url), num_retries=1).read_bytes() == CONTENT


def test_an_answer_such_as_not_found_is_shown(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    behaviour.status = 404
    assert "got: 404 Client Error: Not Found" in failure(tmp_path, url)
    assert visible(tmp_path) == []


def test_no_server_is_said_and_a_part_survives_it(tmp_path: Path) -> None:
    (tmp_path / "data.txt.part").write_bytes(CONTENT[:1000])
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        port = server.server_port  # free once closed
    assert "got: no connection" in failure(tmp_path, f"http://127.0.0.1:{port}/data.txt")
    assert (tmp_path / "data.txt.part").read_bytes() == CONTENT[:1000]


def test_two_at_once_fetch_one_whole_file(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    threads = [threading.Thread(target=fetch, args=("multi30k", tmp_path, published(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "data.txt").read_bytes() == CONTENT
    assert behaviour.asked == [None]


def test_a_file_in_place_of_the_folder_says_which_key_to_set(tmp_path: Path, url: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written to .*\n.*paths\.data"):
        fetch("multi30k", tmp_path / "file", published(url))


def test_download_false_names_the_address_and_the_place(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        find_published("multi30k", tmp_path, [published("https://example.org/data.txt")], download=False)
    for part in (str(tmp_path / "data.txt"), "https://example.org/data.txt", "dataset.download", "paths.data"):
        assert part in str(caught.value)


def test_files_without_an_address_say_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "here.txt.gz").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        find_by_hand("thucnews", tmp_path, ["here.txt", "there.txt"], "They are at home.")
    text = str(caught.value)
    assert str(tmp_path / "there.txt") in text
    assert "here.txt " not in text.replace("there.txt ", "")
    assert "They are at home." in text
    assert "dataset=dates" in text


def test_a_copy_is_found_with_or_without_gz(tmp_path: Path) -> None:
    assert locate(tmp_path, "a.gz") is None
    for made, asked in (("a", "a.gz"), ("b.gz", "b"), ("c", "c"), ("d.gz", "d.gz")):
        (tmp_path / made).write_bytes(b"")
        assert locate(tmp_path, asked) == tmp_path / made
