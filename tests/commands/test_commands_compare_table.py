"""Tables and figure of a comparison: whole in a pipe, narrow, in Markdown, and with any characters."""

import csv
import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from attnfocus.commands.compare.figures import BASELINE_COLOR, draw_comparison, draw_trust, wrapped
from attnfocus.commands.compare.files import differences_csv, results_csv, tidy_csv
from attnfocus.commands.compare.screen import print_comparison
from attnfocus.commands.compare.sections import FAITHFULNESS, FOCUS, Difference, Row, Section, shown_metrics
from attnfocus.commands.compare.significance import holm
from attnfocus.commands.compare.table import as_markdown, legend, spread_text
from attnfocus.display.canvas import to_png
from attnfocus.display.console import plain_console


def row(name: str, seeds: tuple[int, ...] = (1, 2), shift: float = 0.0) -> Row:
    runs = [
        {
            "test/loss": 1.0 + seed,
            "test/bleu": 20.0 + shift + 2 * seed,
            "test/focus/positions": 3.0,
            "valid/bleu": 20.0,
            "seconds": 60.0,
            "parameters": 5000,
        }
        for seed in seeds
    ]
    return Row({"attention": name}, seeds, tuple(Path(f"/runs/{name}/{seed}") for seed in seeds), runs)


def section(*names: str) -> Section:
    rows = [row(name, shift=float(place)) for place, name in enumerate(names)]
    differences = [
        Difference(
            name,
            "bleu",
            {1: 1.0, 2: 1.5},
            (0.2, 2.3),
            {1: 0.04, 2: 0.00012},
            "no p for seed 3: why | how",
            {1: 0.08, 2: 0.00024},
        )
        for name in names[1:]
    ]
    directions = {"bleu": "max", "loss": "min", "accuracy": "max"}
    return Section("translation", "dates", rows, differences, "bleu", directions, frozenset({"accuracy"}))


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


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_fits_the_screen_and_names_what_it_leaves_out(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    many = section("dot", "additive", "general", "scaled_dot", "multi_head, of a long name")
    lines = printed(many, width, capsys)
    assert max(map(len, lines)) <= width
    (head,) = [line for line in lines if "test bleu ↑" in line]
    rows = lines[lines.index(head) + 1 : lines.index(head) + 6]
    assert len({line.index(" ± ") for line in rows}) == 1  # a table, not prose
    text = " ".join(line.strip() for line in lines)
    for name in ("test bleu", "test loss", "valid bleu", "time", "parameters"):
        assert name in head or name in text.split(f"not shown in {width} columns: ")[1]
    assert "multi_head, of a long name" in text


def test_few_configurations_become_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(section("dot", "additive"), 60, capsys)
    (bleu,) = [line for line in lines if line.startswith("test bleu ↑")]
    assert "23.00 ± 1.414" in bleu
    assert "24.00 ± 1.414" in bleu
    assert max(map(len, lines)) <= 60


def test_a_stream_without_arrows_gets_words() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", write_through=True)
    print_comparison(plain_console(stream, 200), [section("dot", "additive")])
    text = stream.buffer.getvalue().decode("latin-1")  # type: ignore[attr-defined]
    assert "test bleu (max)" in text
    assert "u2191" not in text


def test_numbers_say_how_many_runs_they_come_from() -> None:
    runs = [{"test/loss": 1.0, "parameters": 26754}, {"test/loss": 2.0, "parameters": 26844, FAITHFULNESS: 0.5}]
    some = Row({"a": "x"}, (1, 2), (Path("/1"), Path("/2")), runs)
    assert spread_text(some, FAITHFULNESS) == "0.5000 (n=1)"
    assert spread_text(some, "test/loss") == "1.500 ± 0.7071"
    assert spread_text(some, "parameters") == "26,754 to 26,844"
    assert spread_text(row("y"), "parameters") == "5,000"


def test_holm_by_hand() -> None:
    """Sorted 0.01, 0.02, 0.04: times 3, 2, 1 gives 0.03, 0.04, 0.04; none falls below one before it."""
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_tidy_csv_has_a_row_for_each_run_and_metric() -> None:
    rows = list(csv.DictReader(io.StringIO(tidy_csv([section("dot", "additive")], Path("/runs")))))
    assert len(rows) == 2 * 2 * 6
    found = [line for line in rows if (line["configuration"], line["metric"]) == ("additive", "test/bleu")]
    assert [(line["seed"], line["value"], line["better"], line["run_dir"]) for line in found] == [
        ("1", "23.0", "max", "additive/1"),
        ("2", "25.0", "max", "additive/2"),
    ]
    assert {line["better"] for line in rows if line["metric"] == "parameters"} == {""}


def test_the_legend_counts_the_comparisons() -> None:
    assert "corrected for the 2 comparisons" in legend([section("a", "b", "c")])
    assert "corrected" not in legend([section("a", "b")])
    assert "p:" not in legend([section("a")])


def test_the_legend_counts_no_configuration_that_was_not_compared() -> None:
    whole = section("a", "b", "c", "d")
    lonely = replace(whole.differences[2], by_seed={}, p_values={}, corrected={}, remark="not compared: no seed")
    assert "corrected for the 2 comparisons" in legend([replace(whole, differences=[*whole.differences[:2], lonely])])
    of_one_seed = replace(whole.differences[2], p_values={2: 0.5}, corrected={2: 0.5})
    mixed = replace(whole, differences=[*whole.differences[:2], of_one_seed])
    assert "corrected for up to 3 comparisons" in legend([mixed])
    assert "corrected for up to 3 comparisons" in legend([section("a", "b", "c"), whole])


def test_a_column_that_is_left_out_has_its_whole_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is in the name: an arrow that says which way is better stands in the headers alone."""
    many = section("dot", "additive", "general", "scaled_dot", "multi_head")
    rows = [replace(each, runs=[{**run, "test/a ↑ b": 1.0} for run in each.runs]) for each in many.rows]
    text = " ".join(line.strip() for line in printed(replace(many, rows=rows), 40, capsys))
    left_out = text.split("not shown in 40 columns: ")[1].split(". results.csv")[0]
    assert "test a ↑ b" in left_out.split(", ")
    assert "test loss" in left_out.split(", ")


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
    lonely = Section("t", "d", [Row({"a": "x"}, (1,), (Path("/r"),), [{}]), row("y")], [Difference("y", "bleu")], None)
    (first, _) = csv.DictReader(io.StringIO(results_csv([lonely], Path("/runs"))))
    assert first["test/bleu"] == first["test/bleu sd"] == ""
    (difference,) = csv.DictReader(io.StringIO(differences_csv([lonely])))
    assert difference["seed"] == difference["mean"] == difference["p"] == ""


def test_the_figure_has_means_bars_and_single_runs() -> None:
    shown = section("dot", "additive")
    figure = draw_comparison([shown])
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "test bleu, more is better",
        "test loss, less is better",
        "valid bleu, more is better",
    ]
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
    bare = Section("t", "d", [Row({"a": "x"}, (1,), (Path("/r"),), [{}])], [], None)
    assert to_png(draw_comparison([bare]))[0].startswith(b"\x89PNG")


def test_axes_of_accuracies_stay_between_0_and_1() -> None:
    runs = [{"test/accuracy": value, "test/loss": value} for value in (0.02, 0.98)]
    rows = [Row({"a": name}, (1, 2), (Path("/1"), Path("/2")), runs) for name in ("x", "y")]
    shown = Section("t", "d", rows, [], "accuracy", {"accuracy": "max"}, frozenset({"accuracy"}))
    accuracy, loss = draw_comparison([shown]).axes
    assert accuracy.get_xlim() == (0.0, 1.0)
    assert loss.get_xlim()[0] < 0  # its bars go there: nothing says that it may not


def test_labels_of_figures_are_whole() -> None:
    name = "model=seq2seq, attention=additive, optimizer.lr=0.001, attention.score.hidden_size=128"
    lines = wrapped(name).split("\n")
    assert " ".join(lines) == name
    assert max(map(len, lines)) <= 44 + 1
    (labels,) = [[label.get_text() for label in draw_comparison([section(name)]).axes[0].get_yticklabels()]]
    assert " ".join(labels[0].split("\n")) == name


def test_the_figure_of_trust_names_its_points_whole_and_says_n() -> None:
    name = "a configuration of a name that had no room"
    runs = [{"test/accuracy": 0.5, FAITHFULNESS: 0.1, FOCUS: 3.0}, {"test/accuracy": 0.6}]
    rows = [Row({"a": each}, (1, 2), (Path("/1"), Path("/2")), runs) for each in ("x", name)]
    figure = draw_trust([Section("t", "d", rows, [], "accuracy", {"accuracy": "max"}, frozenset({"accuracy"}))])
    assert figure is not None
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert f"2  {name}  (1 of 2 runs tested for faithfulness)" in "\n".join(texts).split("\n")
    assert {"1", "2"} <= set(texts)
