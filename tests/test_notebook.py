"""The notebook under docs/ runs from top to bottom, as whoever opens it would run it."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "notebook" / "quick_start.ipynb"


def code_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run_cell(source: str, namespace: dict[str, Any]) -> Any:
    """Runs a cell, and gives the value of its last expression, which a notebook shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), namespace)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)


@pytest.mark.slow
def test_every_cell_runs_and_shows_what_the_text_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    namespace: dict[str, Any] = {}
    shown = [run_cell(source, namespace) for source in code_cells()]
    assert "query_dim=8, key_dim=8, num_heads=2" in repr(shown[0])
    assert (shown[1][:, 4] == 0).all()
    assert any("query_dim: int" in str(value) and "score" in str(value) for value in shown)
    run = namespace["run"]
    assert run.setup.config.trainer.loss == "focal"
    assert any(getattr(value, "shape", None) == (2, 2) and list(value.index) == list(value.columns) for value in shown)
    assert repr(run) in map(repr, shown)
    assert 1.0 in [value for value in shown if isinstance(value, float)]  # unknown words alone
    assert ["negative", "positive"] in [value for value in shown if isinstance(value, list)]
    assert any(hasattr(value, "_repr_html_") and "<" in value._repr_html_() for value in shown)
    assert shown[-1] == 6
    said = capsys.readouterr()
    assert "Did you mean rnn_classifier?" in said.out
    assert "linear baseline" in said.err


def test_the_notebook_is_saved_without_outputs() -> None:
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
