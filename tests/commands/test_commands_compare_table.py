"""Tables and figure of a comparison: whole in a pipe, narrow, in Markdown, and with any characters."""

import csv
import io
import sys
from pathlib import Path

import pytest

from attnfocus.commands.compare.figures import BASELINE_COLOR, draw_comparison
from attnfocus.commands.compare.files import differences_csv, results_csv
from attnfocus.commands.compare.table import (
    Difference,
    Row,
    Section,
    as_markdown,
    legend,
    print_comparison,
    shown_metrics,
)
from attnfocus.display.console import plain_console
from attnfocus.display.figures import to_png


def row(name: str, seeds: tuple[int, ...] = (1, 2), shift: float = 0.0) -> Row:
    values = {
        "test/loss": [1.0 + seed for seed in seeds],
        "test/bleu": [20.0 + shift + 2 * seed for seed in seeds],
        "test/focus/positions": [3.0 for _ in seeds],
        "valid/bleu": [20.0 for _ in seeds],
        "seconds": [60.0 for _ in seeds],
        "parameters": [5000 for _ in seeds],
    }
    return Row({"attention": name}, seeds, tuple(Path(f"/runs/{name}/{seed}") for seed in seeds), values)


def section(*names: str) -> Section:
    rows = [row(name, shift=float(place)) for place, name in enumerate(names)]
    differences = [
        Difference(name, "bleu", {1: 1.0, 2: 1.5}, (0.2, 2.3), {1: 0.04, 2: 0.00012}, "no p for seed 3: why | how")
        for name in names[1:]
    ]
    return Section("translation", "dates", rows, differences, "bleu")


def printed(shown: Section, width: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_comparison(plain_console(sys.stdout, width), [shown])
    return capsys.readouterr().out.splitlines()


def test_the_table_has_means_spreads_and_differences(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(section("dot", "additive"), 500, capsys)
    header, first, second = (next(line for line in lines if line.startswith(name)) for name in ("att", "dot", "add"))
    assert header.split("  ")[0] == "attention"
    assert header.index("test bleu") < header.index("test loss") < header.index("valid bleu")
    assert "23.00 ± 1.414" in first  # 22 and 24
    assert "24.00 ± 1.414" in second
    assert "5,000" in first
    assert "focus" not in header
    difference = next(line for line in lines if "+1.250" in line)
    assert "+0.2000 to +2.300" in difference
    assert "0.040, 1.2e-04" in difference
    assert "additive: no p for seed 3: why | how." in lines


def test_a_narrow_screen_gets_short_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(section("dot", "additive"), 40, capsys)
    assert max(map(len, lines)) <= 40
    assert any("test bleu 23.00 ± 1.414" in line for line in lines)


def test_the_legend_counts_the_comparisons() -> None:
    assert "not corrected for the 2 comparisons" in legend([section("a", "b", "c")])
    assert "corrected" not in legend([section("a", "b")])
    assert "p:" not in legend([section("a")])


def test_markdown_has_a_column_for_each_header() -> None:
    text = as_markdown([section("a|b", "<c>")])
    assert "a\\|b" in text
    assert "\\<c>" in text
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert [line.count("|") for line in rows[:4]] == [rows[0].count("|")] * 4
    assert "why \\| how" in text


def test_csv_can_be_read_again() -> None:
    shown = section('na"me, 中', "b\nc")
    (first, second) = csv.DictReader(io.StringIO(results_csv([shown], Path("/runs"))))
    assert (first["attention"], second["attention"]) == ('na"me, 中', "b\nc")
    assert (float(first["test/bleu"]), float(first["test/bleu sd"])) == (23.0, pytest.approx(2**0.5))
    assert first["run_dirs"].split(";") == ['na"me, 中/1', 'na"me, 中/2']
    rows = list(csv.DictReader(io.StringIO(differences_csv([shown]))))
    assert [(line["seed"], line["difference"], line["p"]) for line in rows] == [
        ("1", "1.0", "0.04"),
        ("2", "1.5", "0.00012"),
    ]
    assert {line["mean"] for line in rows} == {"1.25"}


def test_what_was_not_measured_is_empty() -> None:
    lonely = Section("t", "d", [Row({"a": "x"}, (1,), (Path("/r"),), {}), row("y")], [Difference("y", "bleu")], None)
    (first, _) = csv.DictReader(io.StringIO(results_csv([lonely], Path("/runs"))))
    assert first["test/bleu"] == first["test/bleu sd"] == ""
    (difference,) = csv.DictReader(io.StringIO(differences_csv([lonely])))
    assert difference["seed"] == difference["mean"] == difference["p"] == ""


def test_the_figure_has_means_bars_and_single_runs() -> None:
    shown = section("dot", "additive")
    figure = draw_comparison([shown])
    assert [axes.get_xlabel() for axes in figure.axes] == ["test bleu", "test loss", "valid bleu"]
    bleu = figure.axes[0]
    first, second = bleu.containers
    assert first.lines[0].get_xdata() == [23.0]
    assert first.lines[0].get_color() == BASELINE_COLOR
    assert second.lines[0].get_color() != BASELINE_COLOR
    (bar,) = first.lines[2][0].get_segments()
    assert bar[:, 0].tolist() == pytest.approx([23 - 2**0.5, 23 + 2**0.5])
    assert [label.get_text() for label in bleu.get_yticklabels()] == ["dot", "additive"]
    assert shown_metrics(shown)[0] == "test/bleu"


def test_labels_of_any_script_are_drawn_without_a_missing_glyph() -> None:
    """A glyph that no font has would be a warning, which fails the test."""
    figure = draw_comparison([section("注意力=点积", "$x_1$", "x" * 200)])
    content, width, _ = to_png(figure)
    assert content.startswith(b"\x89PNG")
    assert width < 3000


def test_a_figure_of_nothing_measured_is_drawn() -> None:
    bare = Section("t", "d", [Row({"a": "x"}, (1,), (Path("/r"),), {})], [], None)
    assert to_png(draw_comparison([bare]))[0].startswith(b"\x89PNG")
