"""What predict and inspect read: lines, and tables as the run's own; and the answers that belong to them."""

import csv
import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_here import run_here
from tests_support import Command, Notes, assert_polite

pytestmark = pytest.mark.slow

REVIEWS = "id,text,label\n" + "".join(f'{n},"good, film {n}",pos\n{n},"a bad\nfilm {n}",neg\n' for n in range(20))
TINY = ("model=pooling_classifier", "model.embed_dim=8", "trainer.max_steps=2", "focus.num_samples=0", "device=cpu")
TABLE = 'num,text,note\n1,"good\nfilm",x\n2,bad,y\n3, ,z\n4,"a ""film""",w\n'  # rows in lines 2, 4, 5 and 6


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of the column `text` of a csv, hardly trained. Only to be read."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "reviews.csv").write_text(REVIEWS, encoding="utf-8")
    columns = ("dataset.text_column=text", "dataset.label_column=label")
    done = run_here(
        ("train", *TINY, "dataset=labelled_text", "dataset.train=reviews.csv", *columns, "run_dir=run"), folder
    )
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def predict(attnfocus: Command, run: Path) -> Command:
    return lambda *arguments, **how: attnfocus("predict", f"run={run}", "device=cpu", *arguments, **how)


def write(folder: Path, name: str, content: str | bytes) -> str:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return f"input={name}"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_a_run_of_texts_reads_what_stands_in_a_file_whatever_its_name(predict: Command, tmp_path: Path) -> None:
    done = predict(write(tmp_path, "a.png", "good film\nbad film\n"))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("name", ["new.csv", "new.csv.gz"])
def test_a_csv_is_answered_as_a_table_with_the_lines_of_its_rows(predict: Command, tmp_path: Path, name: str) -> None:
    done = predict(write(tmp_path, name, TABLE))
    assert done.returncode == 0, done.stderr
    rows = table(done.stdout)
    assert [row["id"] for row in rows] == ["2", "4", "5", "6"]
    assert [row["prediction"] in ("pos", "neg") for row in rows] == [True, True, False, True]
    assert [row["skipped"] for row in rows] == ["", "", "column 'text' is empty", ""]
    said = f"{name} is read as csv, its column 'text' (as in this run's own files); input_format=lines reads it line by"
    assert said in done.stderr
    assert "1 input was skipped." in done.stderr


def test_answers_are_tables_of_the_kind_of_the_input(predict: Command, tmp_path: Path) -> None:
    tsv = predict(write(tmp_path, "new.tsv", "text\tx\ngood\t1\nbad\t2\n"))
    header, *rows = (line.split("\t") for line in tsv.stdout.splitlines())
    assert header == ["id", "prediction", "probability", "unknown", "skipped"]
    assert [row[0] for row in rows] == ["2", "3"]
    assert all(0 < float(row[2]) <= 1 for row in rows)
    objects = predict(write(tmp_path, "new.jsonl", '{"text": "good"}\n{"x": 1}\n{"text": "bad unheard"}\n'))
    facts = [json.loads(line) for line in objects.stdout.splitlines()]
    assert [fact["id"] for fact in facts] == ["1", "2", "3"]
    assert facts[1]["skipped"].startswith("no 'text' among its keys 'x'")
    assert facts[2]["skipped"] is None
    assert [type(fact["probability"]) for fact in facts] == [float, type(None), float]
    assert [fact["unknown"] for fact in facts] == [0.0, None, 0.5]
    array = predict(write(tmp_path, "new.json", '[\n {"text": "good"},\n {"x": 1},\n {"text": "bad"}]\n'))
    assert [json.loads(line)["id"] for line in array.stdout.splitlines()] == ["1", "2", "3"]


def test_several_files_are_answered_one_after_the_other(predict: Command, run: Path, tmp_path: Path) -> None:
    write(tmp_path, "part-2.csv", "text,label\ngood,pos\nbad,neg\n")
    write(tmp_path, "part-10.csv", "label,text\nneg,bad\n")
    (tmp_path / "more").mkdir()
    write(tmp_path / "more", "part-2.csv", "text\ngood\n")
    for given in ("input=part-*.csv", "input=[part-2.csv,part-10.csv]"):
        done = predict(given)
        assert [row["id"] for row in table(done.stdout)] == ["part-2.csv:2", "part-2.csv:3", "part-10.csv:2"]
        assert done.stderr.count("is read as csv") == 1  # both alike
    done = predict("input=[more,part-2.csv]", "format=jsonl", "output=answers.jsonl")
    assert done.returncode == 0, done.stderr
    facts = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [fact["id"] for fact in facts] == ["more/part-2.csv:2", "part-2.csv:2", "part-2.csv:3"]
    assert [fact.get("target") for fact in facts] == [None, "pos", "neg"]
    assert "holds the inputs" in predict("input=part-*.csv", "output=part-2.csv").stderr
    lines = [write(tmp_path, name, "good\nbad\n") for name in ("a.txt", "b.txt")]
    assert len(predict("input=[a.txt,b.txt]").stdout.splitlines()) == 2 * len(lines)
    arguments = ("num_examples=3", "files=[]", "format=json", "method=attention")
    shown = run_here(("inspect", f"run={run}", "device=cpu", "input=[a.txt,b.txt]", *arguments), tmp_path)
    assert [each["id"] for each in json.loads(shown.stdout)["examples"]] == ["a.txt:1", "a.txt:2", "b.txt:1"]


def test_answers_keep_the_separator_of_the_input(predict: Command, tmp_path: Path) -> None:
    given = write(tmp_path, "new.csv", "num;text\n1;good, film\n2;bad\n")
    assert [line.count(";") for line in predict(given).stdout.splitlines()] == [4, 4, 4]
    predict(given, "output=answers.csv")
    assert (tmp_path / "answers.csv").read_text().startswith("id;prediction;")
    predict(given, "output=answers.tsv")
    assert (tmp_path / "answers.tsv").read_text().startswith("id\tprediction\t")


def test_jsonl_stays_the_format_with_all_that_is_known(predict: Command, tmp_path: Path) -> None:
    done = predict(write(tmp_path, "new.csv", TABLE), "format=jsonl")
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [fact["id"] for fact in facts] == ["2", "4", "5", "6"]
    assert facts[0]["source"] == "good film"
    assert facts[0]["attention"]
    assert facts[2]["skipped"] == "column 'text' is empty"
    assert not any("target" in fact for fact in facts)
    known = {
        "new.csv": "label,text\npos,good\n,bad\n",
        "new.jsonl": '{"label": "pos", "text": "good"}\n{"text": "a"}\n',
    }
    for name, content in known.items():
        done = predict(write(tmp_path, name, content), "format=jsonl")
        facts = [json.loads(line) for line in done.stdout.splitlines()]
        assert [fact.get("target") for fact in facts] == ["pos", None]
        assert set(facts[0]["probabilities"]) == {"pos", "neg"}


def test_plain_text_stays_line_by_line(predict: Command, tmp_path: Path) -> None:
    lines = write(tmp_path, "lines.txt", "good, film\n\nbad\ttext\n")
    done = predict(lines)
    assert len(done.stdout.split("\n")) == 4
    assert "is read as" not in done.stderr
    same = predict(write(tmp_path, "lines.csv", "text\ngood\n"), "input_format=lines")
    assert len(same.stdout.splitlines()) == 2
    piped = predict(input=TABLE)
    assert len(piped.stdout.splitlines()) == len(TABLE.splitlines())
    assert "line 1 looks like the first one of a table; input_format=csv reads it as one" in piped.stderr
    assert "input_format=jsonl reads" in predict(input='{"id": 1, "text": "good"}\n').stderr
    assert "input_format=csv reads it as one" in predict(input="id;text\n1;good\n").stderr
    assert "looks like" not in predict(input="a text, and more\n").stderr


def test_a_table_in_a_pipe_is_one_where_that_is_said(predict: Command) -> None:
    done = predict("input_format=csv", input=TABLE)
    assert [row["id"] for row in table(done.stdout)] == ["2", "4", "5", "6"]
    semicolons = predict("input_format=csv", "dataset.separator=semicolon", input="x;text\n1;good, film\n")
    assert [row.split(";")[0] for row in semicolons.stdout.splitlines()] == ["id", "2"]
    shown = predict("input_format=csv", input='x;text\n1;"good; film"\n')
    assert shown.stdout.splitlines()[0] == "id;prediction;probability;unknown;skipped"
    assert "standard input: its first line shows columns separated by semicolons." in shown.stderr
    mistyped = predict("input_format=csv", "text_column=txt", input="x;text\n1;good\n")
    assert "Its columns: x, text." in mistyped.stderr
    other = predict("input_format=csv", input="a^text\n1^good\n")
    assert_polite(other, 2)
    assert "dataset.separator=" in other.stderr
    wrong = predict("input_format=csv", input="a,b\n1,2\n")
    assert wrong.stdout == ""
    assert_polite(wrong, 2)
    assert "text_column=text: not in the first line of standard input.\nIts columns: a, b." in wrong.stderr
    assert_polite(predict("input_format=parquet", input=""), 2)


def test_a_file_like_the_one_that_was_trained_on_is_read_as_that_was(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("good film\tpos\nbad film\tneg\n" * 10, encoding="utf-8")
    options = ("dataset=labelled_text", "dataset.train=train.txt", "run_dir=run", "dataset.clean.deduplicate=false")
    splits = ("dataset.split.valid=0", "dataset.split.test=0", "trainer.monitor=accuracy")
    done = attnfocus("train", *TINY, *options, *splits)
    assert done.returncode == 0, done.stderr
    same = attnfocus("predict", "run=run", "checkpoint=last", write(tmp_path, "new.txt", "good\tpos\nbad\tneg\n"))
    assert same.stdout.splitlines()[0] == "id\tprediction\tprobability\tunknown\tskipped"
    assert "new.txt is read as tsv, its column 0, counted from 0" in same.stderr
    plain = attnfocus("predict", "run=run", "checkpoint=last", write(tmp_path, "plain.txt", "good film\nbad\n"))
    assert len(plain.stdout.splitlines()) == 2
    assert "is read as" not in plain.stderr


def test_a_missing_column_is_answered_with_those_that_there_are(predict: Command, tmp_path: Path) -> None:
    given = write(tmp_path, "other.csv", "num,body\n1,good\n2,bad\n")
    done = predict(given)
    assert_polite(done, 2)
    assert "other.csv has no column text." in done.stderr
    assert "num ('1', '2'); body ('good', 'bad')" in done.stderr
    assert "text_column=NAME" in done.stderr
    assert done.stdout == ""
    for column in ("body", "1"):
        assert len(predict(given, f"text_column={column}").stdout.splitlines()) in (3, 4)
    assert_polite(predict(given, "text_column=5"), 2)
    assert_polite(predict("text_column=body", input="a\n"), 2)


def test_a_run_without_columns_takes_usual_names_or_the_first_column(attnfocus: Command, tmp_path: Path) -> None:
    vectors = shutil.copytree(Path(__file__).parents[1] / "runs" / "fixtures" / "run-format-1", tmp_path / "vectors")
    one = "[[1, 0, 0, 0]]"
    for content, column in (
        (f'x,text\n1,"{one}"\n', "'text'"),
        (f'"{one}",1\n', "0, counted from 0"),
    ):
        done = attnfocus("predict", f"run={vectors}", write(tmp_path, "new.csv", content))
        assert done.returncode == 0, done.stderr
        assert f"its column {column} (text_column=NAME takes another)" in done.stderr
        assert len(table(done.stdout)) == 1


def test_encodings_are_recognized_or_given(predict: Command, tmp_path: Path) -> None:
    for name, text, encoding in (
        ("new.txt", "good\nb\u00e4d\n", "utf-16"),
        ("new.csv", "text,x\ngood,1\nb\u00e4d,2\n", "utf-8-sig"),
        ("new.csv", "text,x\ngood,1\nb\u00e4d,2\n", "latin-1"),
    ):
        given = ("encoding=latin-1",) if encoding == "latin-1" else ()
        done = predict(write(tmp_path, name, text.encode(encoding)), *given, "format=jsonl")
        assert done.returncode == 0, done.stderr
        assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == ["good", "b\u00e4d"]


def test_what_comes_later_need_not_be_in_the_encoding_of_training(
    attnfocus: Command, run: Path, tmp_path: Path
) -> None:
    western = Path(shutil.copytree(run, tmp_path / "western"))
    config = western / "config.yaml"
    content = config.read_text()
    assert "encoding: utf-8" in content
    config.write_text(content.replace("encoding: utf-8", "encoding: cp1252"))

    def sources(*given: str, **how: str | bytes) -> tuple[list[str], str]:
        done = attnfocus("predict", f"run={western}", "device=cpu", "format=jsonl", *given, **how)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["source"] for line in done.stdout.splitlines()], done.stderr

    word = "b\u00e4d"
    assert sources(input=f"{word}\n")[0] == [word]
    assert sources("encoding=cp1252", input=f"{word}\n".encode("cp1252"))[0] == [word]
    texts, said = sources(write(tmp_path, "new.txt", f"good\n{word}\n"))
    assert texts != ["good", word]
    assert "warning: new.txt is read as cp1252" in said
    assert "encoding=utf-8" in said
    assert "warning" not in sources(write(tmp_path, "new.txt", f"{word}\n".encode("cp1252")))[1]
    assert "warning" not in sources(write(tmp_path, "new.txt", "good\n"))[1]
    assert sources("input=new.txt", "encoding=utf-8") == (["good"], "")
    (tmp_path / "test.csv").write_text(f"text,label\n{word},pos\ngood,neg\n", encoding="utf-8")
    done = attnfocus("evaluate", f"run={western}", "device=cpu", "dataset.test=test.csv")
    assert "test.csv is read as cp1252" in done.stderr
    assert "dataset.encoding=utf-8" in done.stderr


def test_an_undecodable_line_is_a_marked_skip_in_its_place(predict: Command, tmp_path: Path) -> None:
    given = write(tmp_path, "lines.txt", b"good\nb\xe4d\nbad\n")
    done = predict(given, "format=jsonl")
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [fact.get("skipped") for fact in facts] == [None, "byte 0xe4 in column 2 is not utf-8", None]
    assert predict(given).stdout.split("\n")[1] == ""
    assert json.loads(predict(given, "format=jsonl", "encoding=latin-1").stdout.splitlines()[1])["source"] == "b\u00e4d"
    assert "inputs that are not utf-8: encoding=cp1252 reads there 'b\u00e4d'." in done.stderr
    csv_rows = table(predict(write(tmp_path, "new.csv", b"text,x\ngood,1\nb\xe4d,2\n")).stdout)
    assert [row["skipped"] for row in csv_rows] == ["", "byte 0xe4 is not utf-8"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("program", b"\x7fELF\x02\x01\x01" + bytes(9) + b"good\n" * 9, "is not a text file in utf-8"),
        ("program.csv", b"text\n" + bytes(40), "is not a text file"),
        ("pack.zip", b"PK\x03\x04rest", "is an archive"),
        ("wide.txt", "good\n".encode("utf-16-le"), "dataset.encoding=utf-16-le"),
    ],
)
def test_what_is_no_text_is_refused_before_the_first_answer(
    predict: Command, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    done = predict(write(tmp_path, name, content))
    assert_polite(done, 2)
    assert said in done.stderr
    assert done.stdout == ""


def test_texts_of_the_command_line_are_answered(predict: Command, attnfocus: Command, run: Path) -> None:
    assert predict("text=good").stdout in ("pos\n", "neg\n")
    strange = "[1], 'it''s' \"${oc.env:HOME}\" \\ k=v \u5e74"
    done = predict("text=good", f"text={strange}", "text=\\", "format=jsonl")
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(fact["id"], fact["source"]) for fact in facts] == [("1", "good"), ("2", strange), ("3", "\\")]
    shown = attnfocus("inspect", f"run={run}", "text=good", "text=bad", "files=[]", "method=attention")
    assert "1  good" in shown.stdout
    assert "2  bad" in shown.stdout
    assert_polite(predict("text=good", "input=x.txt"), 2)


def test_answers_go_to_a_file(predict: Command, tmp_path: Path) -> None:
    given = write(tmp_path, "lines.txt", "good\nbad\n")
    done = predict(given, "output=answers.txt")
    assert (done.returncode, done.stdout) == (0, "")
    assert len((tmp_path / "answers.txt").read_text().splitlines()) == 2
    predict(given, "output=answers.csv")
    assert [row["id"] for row in table((tmp_path / "answers.csv").read_text())] == ["1", "2"]
    for output, said in ((".", "is a folder"), ("lines.txt", "holds the inputs"), ("no/such/x", "cannot write to")):
        refused = predict(given, f"output={output}")
        assert_polite(refused, 2)
        assert said in refused.stderr
    assert (tmp_path / "lines.txt").read_text() == "good\nbad\n"
    (tmp_path / "answers.txt").write_text("old")
    assert_polite(predict(write(tmp_path, "program", bytes(9)), "output=answers.txt"), 2)
    assert (tmp_path / "answers.txt").read_text() == "old"


@pytest.mark.parametrize(
    ("name", "content"), [("new.txt", "good\nbad\n\nfilm\n"), ("new.jsonl", '{"text": "a"}\n' * 4)]
)
def test_whoever_waits_for_a_file_is_shown_how_far_it_is(
    predict: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str
) -> None:
    notes = Notes()
    monkeypatch.setattr("attnfocus.display.stages.StageScreen", lambda: notes)
    given = write(tmp_path, name, content)
    done = predict(given, "output=answers.txt")
    assert done.returncode == 0, done.stderr
    moves = [f"answering {name} {share}" for share in (0.25, 0.5, 0.75, 1.0)]
    assert notes.lines[-6:] == [f"began answering {name}", *moves, f"ended answering {name}"]  # reading is a part of it
    notes.lines.clear()
    piped = predict(given)  # standard output is no terminal
    assert notes.lines[-6:-1] == [f"began answering {name}", *moves]
    assert len(piped.stdout.splitlines()) == 4
    notes.lines.clear()
    predict(input="good\nbad\n")  # may be a program that waits for each answer
    assert notes.lines == []


def test_inspect_reads_the_same_tables(attnfocus: Command, run: Path, tmp_path: Path) -> None:
    given = write(tmp_path, "new.csv", TABLE)
    done = attnfocus("inspect", f"run={run}", given, "files=[]", "format=json", "method=attention")
    assert done.returncode == 0, done.stderr
    sources = [example["source"] for example in json.loads(done.stdout)["examples"]]
    assert sources == ["good film", "bad", "", 'a "film"']
    assert "new.csv is read as csv" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["input=nowhere.csv"], "nowhere.csv: file not found"),
        (["input=none-*.csv"], "no file fits"),
        (["input=[a.txt,none.csv]"], "none.csv does not exist"),
        (["input=[a.txt,-]"], "input: - is standard input, which is read alone. Leave it out of the list."),
        (["input=[]"], "input: an empty list. Give at least one file."),
        (["input=true"], "input: takes a file, several ([a.csv,b.csv]), a folder of tables, a pattern (a-*.csv)"),
        (["input=[a.txt,t.csv]"], "a.txt is read as lines, t.csv as csv. Give files of one format, or say it for all"),
        (["input=."], "t.csv is read as csv, u.tsv as tsv. Give files of one format"),
        (["input=empty"], "is a folder, not a file, and holds no tables"),
        (["input=a.txt", "encoding=utf-9"], "encoding=utf-9: unknown encoding"),
        (["input=a.txt", "input_format=xml"], "input_format: must be one of auto, lines, tsv, csv"),
    ],
)
def test_mistakes_are_answered(predict: Command, tmp_path: Path, arguments: Sequence[str], said: str) -> None:
    write(tmp_path, "a.txt", "a\n")
    write(tmp_path, "t.csv", "text\na\n")
    write(tmp_path, "u.tsv", "text\na\n")
    (tmp_path / "empty").mkdir()
    done = predict(*arguments)
    assert_polite(done, 2)
    assert said in done.stderr.replace(f"{tmp_path}/", "")
