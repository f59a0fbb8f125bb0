"""Case 17: archives are told by their content, and nothing is ever unpacked."""

import io
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
