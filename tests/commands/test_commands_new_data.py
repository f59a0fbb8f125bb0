"""A trained run on other data, and on data that have moved."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from command_here import run_here
from tests_support import Command, assert_polite

import attnfocus as package
from attnfocus.errors import DataError

pytestmark = pytest.mark.slow

COMMON = ("trainer.max_steps=2", "focus.num_samples=0", "device=cpu", "run_dir=run")
CLASSIFIER = ("model=pooling_classifier", "model.embed_dim=8")
TRANSLATOR = (
    "model=seq2seq",
    "model.embed_dim=8",
    "model.hidden_size=8",
    "decoding.beam_size=1",
    "decoding.max_length=4",
)


def trained(folder: Path, *options: str) -> Path:
    done = run_here(("train", *COMMON, *options), folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with reviews.csv and a run on its columns `body` and `stars`. Only to be read."""
    folder = tmp_path_factory.mktemp("reviews")
    rows = "".join(f"{n},good film {n},pos\n{n},bad film {n},neg\n" for n in range(20))
    (folder / "reviews.csv").write_text(f"id,body,stars\n{rows}", encoding="utf-8")
    columns = ("dataset.text_column=body", "dataset.label_column=stars")
    return trained(folder, *CLASSIFIER, "dataset=labelled_text", "dataset.train=reviews.csv", *columns)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on two files of lines. Only to be read."""
    folder = tmp_path_factory.mktemp("pairs")
    lines = [("eins zwei", "one two"), ("zwei drei", "two three"), ("drei eins", "three one"), ("eins", "one")]
    for side, name in enumerate(("train.de", "train.en")):
        (folder / name).write_text("".join(pair[side] + "\n" for pair in lines * 3), encoding="utf-8")
    sides = ("dataset.train=train.de", "dataset.train_target=train.en", "dataset.split.valid=1", "dataset.split.test=1")
    words = ("dataset.tokenizer.kind=word", "dataset.tokenizer.min_frequency=1", "dataset.clean.deduplicate=false")
    return trained(folder, *TRANSLATOR, "dataset=parallel_text", *sides, *words)


@pytest.fixture
def copy(reviews: Path, tmp_path: Path) -> Path:
    """The folder of reviews, to be changed; its run knows only the file that is there."""
    folder = Path(shutil.copytree(reviews, tmp_path / "copy"))
    config = folder / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(reviews), str(folder)))
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_run_is_evaluated_on_a_new_file(attnfocus: Command, copy: Path) -> None:
    (copy / "new.csv").write_text("stars,body\npos,good\nneg,bad\npos,\nodd,nice\nodd,fine\nnew one,well\n")
    before = content(copy / "run")
    (copy / "reviews.csv").unlink()  # nothing of it is needed
    options = ("run=run", "dataset.test=new.csv", "dataset.on_bad_row=skip")
    done = attnfocus("evaluate", *options, cwd=copy)
    assert done.returncode == 0, done.stderr
    assert "test of new.csv, best checkpoint" in done.stdout
    said = "3 of 5 rows have labels that this run does not know, and are left out: 'odd' 2, 'new one' 1"
    assert said in done.stderr
    assert "test: 5 rows read, 3 with unknown labels, 2 kept" in done.stderr
    assert "With those counted as wrong, accuracy is" in done.stderr
    shown = attnfocus("inspect", *options, "files=[]", "method=attention", cwd=copy)
    assert said in shown.stderr
    assert "column 'body' is empty" in done.stderr
    facts = json.loads(attnfocus("evaluate", *options, "format=json", "output=out", cwd=copy).stdout)
    assert facts["num_rows"] == 2
    assert facts["unknown_labels"] == {"odd": 2, "new one": 1}
    written = json.loads((copy / "out" / "metrics.json").read_text())
    assert written["metrics"]["accuracy"] == pytest.approx(facts["metrics"]["accuracy"])
    answers = [json.loads(line) for line in (copy / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [(each["id"], each["target"]) for each in answers] == [("test:2", "pos"), ("test:3", "neg")]
    assert content(copy / "run") == before


def test_other_columns_and_encodings_of_a_new_file_are_given(attnfocus: Command, copy: Path) -> None:
    (copy / "new.tsv").write_bytes("text\tlabel\nb\u00e4d\tneg\ngood\tpos\n".encode("latin-1"))
    wrong = attnfocus("evaluate", "run=run", "dataset.test=new.tsv", cwd=copy)
    assert_polite(wrong, 2)
    assert "dataset.text_column=body: not in the first line of" in wrong.stderr
    keys = ("dataset.text_column=text", "dataset.label_column=label", "dataset.encoding=latin-1")
    done = attnfocus("evaluate", "run=run", "dataset.test=new.tsv", *keys, "format=json", cwd=copy)
    assert json.loads(done.stdout)["num_rows"] == 2
    shown = attnfocus("inspect", "run=run", "dataset.test=new.tsv", *keys, "files=[]", "method=attention", cwd=copy)
    assert "1  b\u00e4d" in shown.stdout


def test_rows_of_the_run_itself_are_said_to_be_so(attnfocus: Command, copy: Path) -> None:
    lines = ["body,stars", "good film 1,pos", "bad film 2,neg"]
    (copy / "test.csv").write_text("\n".join(lines) + "\n")
    given = (
        "dataset.train=reviews.csv",
        "dataset.test=test.csv",
        "dataset.text_column=body",
        "dataset.label_column=stars",
    )
    options = [option for option in COMMON if not option.startswith("run_dir")]
    done = attnfocus("train", *options, *CLASSIFIER, "dataset=labelled_text", *given, "run_dir=other", cwd=copy)
    assert done.returncode == 0, done.stderr
    (copy / "test.csv").rename(copy / "moved.csv")
    moved = attnfocus("evaluate", "run=other", "dataset.test=moved.csv", cwd=copy)
    assert "these are the rows of the run's own test split" in moved.stderr


def test_a_new_file_without_usable_rows_is_a_message(attnfocus: Command, copy: Path) -> None:
    for text, said in (
        ("body,stars\n", "dataset.test=new.csv: the file has no rows"),
        ("body,stars\nx,odd\n", "labels that the model does not know: odd"),
    ):
        (copy / "new.csv").write_text(text)
        done = attnfocus("evaluate", "run=run", "dataset.test=new.csv", cwd=copy)
        assert_polite(done, 2)
        assert said in done.stderr
    assert_polite(attnfocus("evaluate", "run=run", "dataset.tets=new.csv", cwd=copy), 2)
    assert "dataset.test: is empty" in attnfocus("evaluate", "run=run", "dataset.test=", cwd=copy).stderr
    missing = attnfocus("evaluate", "run=run", "dataset.test=nowhere.csv", cwd=copy)
    assert_polite(missing, 2)
    assert "dataset=dates" not in missing.stderr


def test_translations_are_measured_on_new_lines_or_a_table(attnfocus: Command, pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "new.de").write_text("eins\nzwei\n")
    (tmp_path / "new.en").write_text("one\ntwo\n")
    (tmp_path / "new.csv").write_text("source,target\neins,one\nzwei,two\n")
    run = f"run={pairs / 'run'}"
    lines = attnfocus("evaluate", run, "dataset.test=new.de", "dataset.test_target=new.en", "format=json")
    table = attnfocus("evaluate", run, "dataset.test=new.csv", "format=json")
    assert lines.returncode == table.returncode == 0, lines.stderr + table.stderr
    (tmp_path / "more.csv").write_text("source,target\ndrei,three\n")
    several = attnfocus("evaluate", run, "dataset.test=[new.csv,more.csv]")
    assert "test of new.csv and 1 more" in several.stdout
    assert "test: 3 rows read" in several.stderr
    columns = ("dataset.source_column=source", "dataset.target_column=target")
    named = attnfocus("evaluate", run, "dataset.test=new.csv", *columns, "format=json")
    assert json.loads(lines.stdout)["metrics"] == json.loads(named.stdout)["metrics"]
    assert json.loads(table.stdout)["metrics"] == json.loads(named.stdout)["metrics"]
    alone = attnfocus("evaluate", run, "dataset.test=new.de")
    assert_polite(alone, 2)
    assert "dataset.test_target=FILE" in alone.stderr


def test_vectors_have_no_file(attnfocus: Command, tmp_path: Path) -> None:
    fixture = Path(__file__).parents[1] / "runs" / "fixtures" / "run-format-1"
    (tmp_path / "new.csv").write_text("a,b\n")
    done = attnfocus("evaluate", f"run={fixture}", "dataset.test=new.csv")
    assert_polite(done, 2)
    assert "this run reads vectors" in done.stderr


def test_a_file_that_has_moved_is_given_anew(attnfocus: Command, copy: Path) -> None:
    (copy / "reviews.csv").rename(copy / "moved.csv")
    for verb in ("evaluate", "inspect"):
        done = attnfocus(verb, "run=run", cwd=copy)
        assert_polite(done, 2)
        assert "It was there when the run was trained. If it has moved: dataset.train=NEW_PATH" in done.stderr
        assert "dataset=dates" not in done.stderr
    assert attnfocus("evaluate", "run=run", "dataset.train=moved.csv", cwd=copy).returncode == 0
    rows = "".join(f"1,good {n},pos\n2,bad {n},neg\n" for n in range(9))
    (copy / "other.csv").write_text(f"id,body,stars\n{rows}")
    other = attnfocus("evaluate", "run=run", "dataset.train=other.csv", cwd=copy)
    assert_polite(other, 3)
    assert "To test on other data: attnfocus evaluate run=... dataset.test=FILE" in other.stderr
    unfit = attnfocus("evaluate", "run=run", "dataset.path=moved.csv", cwd=copy)
    assert_polite(unfit, 2)
    assert "dataset.path: unknown option of LabelledText" in unfit.stderr


def test_a_run_goes_on_with_a_file_that_has_moved(attnfocus: Command, copy: Path) -> None:
    (copy / "reviews.csv").rename(copy / "moved.csv")
    lost = attnfocus("train", "resume=run", "trainer.max_steps=3", cwd=copy)
    assert_polite(lost, 2)
    assert "dataset.train=NEW_PATH" in lost.stderr
    other = attnfocus("train", "resume=run", "dataset.train=moved.csv", "dataset.encoding=latin-1", cwd=copy)
    assert_polite(other, 2)
    assert "dataset.encoding: a resumed run keeps its dataset.encoding" in other.stderr
    done = attnfocus("train", "resume=run", "dataset.train=moved.csv", "trainer.max_steps=3", cwd=copy)
    assert done.returncode == 0, done.stderr
    saved = yaml.safe_load((copy / "run" / "config.yaml").read_text())
    assert saved["dataset"]["train"] == str(copy / "moved.csv")
    assert attnfocus("evaluate", "run=run", cwd=copy).returncode == 0
    wrong = attnfocus("train", "resume=run", "dataset=dates", "trainer.max_steps=4", cwd=copy)
    assert "dataset: a resumed run keeps its dataset" in wrong.stderr


def test_a_file_of_the_hubs_reader_has_moved(attnfocus: Command, tmp_path: Path) -> None:
    rows = "".join(f"good film {n},pos\nbad film {n},neg\n" for n in range(20))
    (tmp_path / "reviews.csv").write_text(f"text,label\n{rows}")
    trained(tmp_path, *CLASSIFIER, "dataset=hub", "dataset.path=reviews.csv")
    (tmp_path / "reviews.csv").rename(tmp_path / "moved.csv")
    lost = attnfocus("evaluate", "run=run")
    assert_polite(lost, 2)
    assert "If it has moved: dataset.path=NEW_PATH" in lost.stderr
    assert attnfocus("evaluate", "run=run", "dataset.path=moved.csv").returncode == 0
    assert attnfocus("train", "resume=run", "dataset.path=moved.csv", "trainer.max_steps=3").returncode == 0
    (tmp_path / "new.tsv").write_text("text\tlabel\ngood\tpos\n")
    new = attnfocus("evaluate", "run=run", "dataset.test=new.tsv", "format=json")
    assert json.loads(new.stdout)["num_rows"] == 1


OWN = """
from attnfocus.data.rows import RawData, Row
from attnfocus.marks import FilePath

class Corpus:
    task = "classification"

    def __init__(self, *, corpus: FilePath) -> None:
        self.corpus = corpus

    def read(self, data_dir, seed):
        lines = open(self.corpus, encoding="utf-8").read().splitlines()
        return RawData({"train": [Row(f"train:{n}", line[4:], line[:3]) for n, line in enumerate(lines)]})
"""


def test_a_file_of_a_users_own_source_has_moved(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "my_corpus.py").write_text(OWN)
    (tmp_path / "mine" / "dataset").mkdir(parents=True)
    config = "_target_: my_corpus.Corpus\ntask: classification\ncorpus: ???\n"
    (tmp_path / "mine" / "dataset" / "corpus.yaml").write_text(config)
    (tmp_path / "c.txt").write_text("".join(f"pos good {n}\nneg bad {n}\n" for n in range(20)))
    own = ("--config-dir", "mine", "trust=[my_corpus]")
    trained(tmp_path, *CLASSIFIER, "dataset=corpus", "dataset.corpus=c.txt", *own)
    (tmp_path / "c.txt").rename(tmp_path / "moved.txt")
    lost = attnfocus("evaluate", "run=run", "trust=[my_corpus]")
    assert_polite(lost, 2)
    assert "write its new place into the run's config.yaml, as dataset.corpus" in lost.stderr
    moved = ("resume=run", "dataset.corpus=moved.txt", "trainer.max_steps=3")
    done = attnfocus("train", *own, *moved)
    assert done.returncode == 0, done.stderr
    (tmp_path / "new.csv").write_text("good,pos\nbad,neg\n")
    new = attnfocus("evaluate", "run=run", "trust=[my_corpus]", "dataset.test=new.csv", "format=json")
    assert json.loads(new.stdout)["num_rows"] == 2


def test_the_library_takes_other_data_too(reviews: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("body,stars\ngood,pos\nbad,neg\nbad,odd\n")
    run = package.load(reviews / "run", device="cpu", dataset={"test": str(tmp_path / "new.csv")})
    assert len(run.evaluate().predictions) == 2
    assert len(run.inspect(num_examples=9).examples) == 2
    lost = package.load(reviews / "run", device="cpu", dataset={"test": str(tmp_path / "nowhere.csv")})
    with pytest.raises(DataError, match=r"dataset\.test="):
        lost.evaluate()
