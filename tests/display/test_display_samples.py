"""Three answers at the end of a run, one of them wrong."""

import io

import pytest
from rich.cells import cell_len

from attnfocus.display.console import open_console, plain_console
from attnfocus.display.samples import SampleAnswer, print_samples, sample_answers


def answers(rights: str) -> list[SampleAnswer]:
    return [SampleAnswer(str(n), f"in {n}", "a", "a" if right == "r" else "b") for n, right in enumerate(rights)]


@pytest.mark.parametrize(
    ("rights", "chosen"),
    [
        ("rrrrw", "014"),
        ("wrrrr", "012"),
        ("rrrr", "012"),
        ("wwww", "012"),
        ("rwww", "012"),
        ("wwwr", "013"),
        ("r", "0"),
        ("", ""),
    ],
)
def test_one_is_wrong_if_there_is_one(rights: str, chosen: str) -> None:
    assert "".join(answer.id for answer in sample_answers(answers(rights))) == chosen


def test_a_wrong_answer_has_what_is_right_below_it() -> None:
    console = open_console(io.StringIO())
    print_samples(console, answers("rw"))
    assert console.file.getvalue().splitlines() == [
        "0  in 0",
        "  output  a  right",
        "1  in 1",
        "  output  a  wrong",
        "  target  b",
    ]


def test_long_and_many_lines_are_cut_where_the_screen_ends() -> None:
    console = plain_console(io.StringIO(), width=40)
    print_samples(console, [SampleAnswer("test:1", "word\n" * 50, "字" * 50, "x" * 100)])
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 3
    assert all(cell_len(line) <= 40 for line in lines)  # a Chinese character takes two columns
    assert lines[1].endswith("…  wrong")
