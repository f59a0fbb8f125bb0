"""17 and 56: archives are told by their content and never unpacked; a small compressed file fills no memory."""

import gzip
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests_support import Command, assert_polite

TEXT = b"one\ttwo\n" * 50


def tar(path: Path, member: tarfile.TarInfo, mode: str) -> None:
    with tarfile.open(path, mode) as archive:
        member.size = len(TEXT) if member.isfile() else 0
        archive.addfile(member, io.BytesIO(TEXT))


def link() -> tarfile.TarInfo:
    member = tarfile.TarInfo("pairs.tsv")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


@pytest.mark.parametrize("name", ["climbing.tar.gz", "absolute.tar", "link.tar.gz", "climbing.zip", "bomb.zip"])
def test_17_an_archive_is_refused_and_nothing_is_written_outside(name: str, tmp_path: Path, attnfocus: Command) -> None:
    path, outside = tmp_path / "data" / name, tmp_path / "outside.txt"
    path.parent.mkdir()
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("../outside.txt", b"\0" * 50_000_000 if name.startswith("bomb") else TEXT)
    else:
        members = {
            "climbing": tarfile.TarInfo("../outside.txt"),
            "absolute": tarfile.TarInfo(str(outside)),
            "link": link(),
        }
        tar(path, members[name.split(".")[0]], "w:gz" if name.endswith("gz") else "w")
    before = sorted(tmp_path.rglob("*"))
    done = attnfocus("train", "model=seq2seq", "dataset=parallel_text", f"dataset.train=data/{name}")
    assert_polite(done, 2)
    assert "is an archive; nothing was unpacked" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


IN_A_GIGABYTE = """
import resource, sys
from pathlib import Path
from attnfocus.data.reading.lines import BadRows, read_lines
from attnfocus.data.reading.tables import Table
from attnfocus.errors import DataError

resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))
path, bad = Path(sys.argv[1]), BadRows("skip")
try:
    rows = read_lines(path, "utf-8", bad) if "txt" in path.name else Table(path, (0, 1), "tsv").read(bad)
    print(len(rows))
except DataError as error:
    print(error)
"""
ROWS = {"txt": b"a\n", "tsv": b"a\t0\n"}


def read_in_a_gigabyte(path: Path, kind: str, num_rows: int) -> str:
    with gzip.open(path, "wb", compresslevel=6) as file:
        for _ in range(num_rows // 100_000):
            file.write(ROWS[kind] * 100_000)
    done = subprocess.run([sys.executable, "-c", IN_A_GIGABYTE, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ROWS)
def test_56_a_small_file_of_many_tiny_rows_is_refused_before_it_takes_a_gigabyte(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}.gz"
    message = read_in_a_gigabyte(path, kind, 39_000_000 if kind == "txt" else 5_000_000)
    assert "unpacks to more than 1,000,000 rows for its" in message
    assert str(path) in message
    assert path.stat().st_size < 800_000


@pytest.mark.slow
def test_56_a_million_tiny_rows_are_read_in_a_gigabyte(tmp_path: Path) -> None:
    assert read_in_a_gigabyte(tmp_path / "rows.tsv.gz", "tsv", 1_000_000) == "1000000"
