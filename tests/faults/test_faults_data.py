"""Cases 13 to 18: data that are missing, malformed, of another model, or cut off on their way. (17: tests/security.)"""

import contextlib
import hashlib
import http.server
import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_server import Server
from faults_runs import VECTORS, Run, run_once
from tests_support import assert_polite, only_run, summary_of

LABELLED = ("model=rnn_classifier", "dataset=labelled_text", "model.embed_dim=8", "model.hidden_size=8")
SHORT = ("trainer.max_steps=2", "focus.num_samples=0")
ROWS = [f"row number {number}\t{'good' if number % 2 else 'bad'}" for number in range(60)]


def write(folder: Path, rows: list[str], name: str = "mine.tsv") -> Path:
    path = folder / name
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_13_a_missing_file_names_key_and_path_and_the_sets_that_need_none(run: Run, tmp_path: Path) -> None:
    done = run("train", *LABELLED, "dataset.train=nowhere/mine.tsv")
    assert_polite(done, 2)
    assert f"dataset.train=nowhere/mine.tsv: {tmp_path / 'nowhere/mine.tsv'} does not exist" in done.stderr
    for name in ("dataset=languages", "dataset=identity", "dataset=listops"):  # those of the task
        assert name in done.stderr


def test_13_the_folder_of_named_sets_is_named_too(run: Run, tmp_path: Path) -> None:
    done = run("train", "dataset=multi30k", "dataset.download=false", "paths.data=nowhere")
    assert_polite(done, 2)
    assert f"{tmp_path / 'nowhere/multi30k'}" in done.stderr
    assert "paths.data" in done.stderr
    assert "dataset=dates" in done.stderr


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "the file has no rows. Give a file that has some."),
        (["the only row\tgood"], "train has 1 different inputs, and 2 of them would be taken for test and valid"),
    ],
    ids=["none", "one"],
)
def test_14_empty_data_get_the_counts_of_the_splits(run: Run, tmp_path: Path, rows: list[str], said: str) -> None:
    write(tmp_path, rows)
    done = run("train", *LABELLED, "dataset.train=mine.tsv")
    assert_polite(done, 2)
    assert said in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_14_a_split_smaller_than_a_batch_is_used_whole(run: Run, tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    done = run("train", *LABELLED, *SHORT, "dataset.train=mine.tsv", "trainer.batch_size=1000")
    assert done.returncode == 0, done.stderr
    assert summary_of(only_run(tmp_path))["epochs"] == 2  # a batch of all rows is an epoch, none is left out


@pytest.mark.slow
def test_15_bad_rows_are_placed_and_counted_or_skipped(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path, ROWS)
    bad = ["one column", "three\tcol\tumns", "\tgood", "again one", "and again"]
    path.write_bytes(path.read_bytes() + "".join(f"{row}\n" for row in bad).encode() + b"\xff\tgood\n")
    done = run("train", *LABELLED, f"dataset.train={path.name}")
    assert_polite(done, 2)
    assert "6 bad rows" in done.stderr
    assert f"{path}:61:" in done.stderr
    assert "dataset.on_bad_row=skip" in done.stderr
    done = run("train", *LABELLED, *SHORT, f"dataset.train={path.name}", "dataset.on_bad_row=skip")
    assert done.returncode == 0, done.stderr
    assert "6 bad rows skipped" in done.stderr


def test_15_an_unknown_label_is_placed_with_the_known_ones(run: Run, tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    path = write(tmp_path, ["fine\tgood", "fine\tgreat"], "valid.tsv")
    done = run("train", *LABELLED, "dataset.train=mine.tsv", "dataset.valid=valid.tsv")
    assert_polite(done, 2)
    assert f"{path}:2:6: label 'great' does not occur in train (bad, good)" in done.stderr


def test_15_sides_of_different_length_name_both_files(run: Run, tmp_path: Path) -> None:
    source, target = write(tmp_path, ["a", "b", "c"], "t.de"), write(tmp_path, ["x", "y"], "t.en")
    done = run("train", "dataset=parallel_text", "dataset.train=t.de", "dataset.train_target=t.en")
    assert_polite(done, 2)
    assert f"{source} has 3 lines and {target} has 2" in done.stderr


@pytest.mark.slow
def test_16_a_label_that_the_model_does_not_know_stops_before_the_first_step(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path, ROWS)
    assert run("train", *LABELLED, *SHORT, "dataset.train=mine.tsv").returncode == 0
    made = only_run(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("good", "great"), encoding="utf-8")
    done = run("train", f"resume={made}", "trainer.max_steps=4")
    assert_polite(done, 2)
    assert "great" in done.stderr
    assert "It knows bad, good" in done.stderr
    assert summary_of(made)["steps"] == 2


@pytest.mark.slow
def test_16_vectors_of_another_size_are_named(run: Run, vectors: Path) -> None:
    config = vectors / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("  size: 4", "  size: 5"), encoding="utf-8")
    done = run("evaluate", f"run={vectors}")
    assert_polite(done, 2)
    assert "vectors of size 5, where the model reads vectors of 4" in done.stderr


@pytest.mark.slow
def test_16_a_vocabulary_of_another_size_is_no_index_error(run: Run, copied: Path) -> None:
    """Tokens beyond the model's range cannot get into it: model and vocabulary no longer fit (case 28)."""
    shutil.copy(copied / "data/source_tokenizer.json", copied / "data/target_tokenizer.json")
    done = run("evaluate", f"run={copied}")
    assert_polite(done, 3)
    assert re.search(r"target_embedding.weight is \d+x16, here \d+x16", done.stderr)


@pytest.fixture(scope="session")
def made_vectors(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_once(server, tmp_path_factory.mktemp("vectors"), *VECTORS, *SHORT)


@pytest.fixture
def vectors(made_vectors: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_vectors, tmp_path / "vectors"))


class Publisher:
    """A server on this machine; `cut_after` bytes a reply breaks off."""

    content = json.dumps({"words": list(range(30_000))}).encode()
    cut_after: int | None = None

    def __init__(self) -> None:
        self.asked: list[str | None] = []


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
def url(publisher: Publisher) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            publisher.asked.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            size = len(publisher.content)
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(size - start))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(publisher.content[start : publisher.cut_after])

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}/cmudict.dict"
        served.shutdown()
        thread.join()


def test_18_a_wrong_hash_and_no_network_are_told_and_the_cache_stays_clean(
    run: Run, publisher: Publisher, url: str, tmp_path: Path
) -> None:
    asked = ("train", "dataset=cmudict", "paths.data=cache")
    how = {"fault": "publisher_elsewhere", "NO_PROXY": "127.0.0.1"}
    done = run(*asked, **how, FAULT_URL=url)
    assert_polite(done, 2)
    assert url in done.stderr
    assert hashlib.sha256(publisher.content).hexdigest() in done.stderr
    done = run(*asked, **how, FAULT_URL="http://127.0.0.1:9/cmudict.dict")
    assert_polite(done, 2)
    assert "no connection" in done.stderr
    assert [path.name for path in (tmp_path / "cache/cmudict").iterdir() if not path.name.startswith(".")] == []


def test_18_a_download_cut_off_half_way_goes_on_when_tried_again(
    run: Run, publisher: Publisher, url: str, tmp_path: Path
) -> None:
    asked = ("train", "dataset=cmudict", "paths.data=cache")
    digest = hashlib.sha256(publisher.content).hexdigest()
    how = {"fault": "publisher_elsewhere", "NO_PROXY": "127.0.0.1", "FAULT_URL": url, "FAULT_SHA256": digest}
    publisher.cut_after = 150_000
    assert_polite(run(*asked, **how), 2)
    kept = (tmp_path / "cache/cmudict/cmudict.dict.part").stat().st_size
    assert kept > 0
    publisher.cut_after = None
    run(*asked, **how)  # the file is whole, if no dictionary
    assert (tmp_path / "cache/cmudict/cmudict.dict").read_bytes() == publisher.content
    assert publisher.asked == [None, f"bytes={kept}-"]
