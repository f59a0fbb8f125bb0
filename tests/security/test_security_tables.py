"""What others have written into names and comments starts no formula and steers no terminal."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from attnfocus.files import csv_text

FORMULA = "=HYPERLINK(A1)"
ESCAPE = "\x1b]0;owned\x07\x1b[2J"


@pytest.mark.parametrize("cell", [FORMULA, "+1+1", "-1+1", "@SUM(A1)", f"{ESCAPE}=1"])
def test_55_a_cell_of_our_tables_is_no_formula(cell: str) -> None:
    ((written,),) = csv.reader(io.StringIO(csv_text([[cell]])))
    assert written.isprintable()
    assert not written.startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("cell", ["-0.5", "+1e-3", "0.25", "-inf", "a-b", "x=1"])
def test_55_numbers_and_names_stay_as_they_are(cell: str) -> None:
    assert csv_text([[cell, None, -1.5]]) == f"{cell},,-1.5\n"


def test_55_help_steers_no_terminal(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine" / "attention"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(f"# of {ESCAPE}mine\n_target_: x.Y\n", encoding="utf-8")
    (folder / f"{ESCAPE.replace('/', '')}.yaml").write_text("# mine\n_target_: x.Y\n", encoding="utf-8")
    for arguments in (["--help"], ["train", "--help"]):
        assert command(*arguments, "--config-dir", "mine") == 0
        shown = capsys.readouterr().out
        assert "owned" in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown


@pytest.mark.slow
def test_55_a_table_of_runs_steers_nothing(
    command: Callable[..., int], copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / "config.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["choices"] = dict.fromkeys(values["choices"], FORMULA + ESCAPE)
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    summary = (copy / "summary.json").read_text(encoding="utf-8")
    (copy / "summary.json").write_text(summary.replace('"seq2seq"', '"=cmd()\\u001b[2J"'), encoding="utf-8")
    assert command("compare", str(copy)) == 0
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    files = [file for file in (tmp_path / "outputs").rglob("*") if file.suffix in (".csv", ".md", ".json")]
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert not (
            file.suffix == ".csv" and any(cell.startswith("=") for row in csv.reader(io.StringIO(text)) for cell in row)
        )
