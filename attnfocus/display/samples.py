"""A few answers of a run, to see what its figures mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from attnfocus.display.console import say
from attnfocus.display.text import shorten

NUM_SHOWN = 3
MAX_WIDTH = 120  # columns of a line, also where nothing wraps


@dataclass(frozen=True)
class SampleAnswer:
    """An input, what the model says, and what is right; `source` may be empty, where an input is no text.

    Args:
        is_judged: False: the target is one of many, as is the rest of a text that the model has gone on with.
    """

    id: str
    source: str
    output: str
    target: str
    is_judged: bool = True

    @property
    def is_right(self) -> bool:
        return self.output == self.target


def sample_answers(answers: Sequence[SampleAnswer]) -> list[SampleAnswer]:
    """Three of them in their order, one wrong: the first wrong one and the first two that are right.

    Where there are too few of the one, there are more of the other.
    """
    wrong = [answer for answer in answers if not answer.is_right]
    right = [answer for answer in answers if answer.is_right]
    num_wrong = min(len(wrong), max(1, NUM_SHOWN - len(right)))
    chosen = {answer.id for answer in [*wrong[:num_wrong], *right[: NUM_SHOWN - num_wrong]]}
    return [answer for answer in answers if answer.id in chosen]


def print_samples(console: Console, samples: Sequence[SampleAnswer]) -> None:
    """Prints each in two lines, in three where it is wrong, cut where the screen ends."""
    width = min(console.width, MAX_WIDTH)
    for sample in samples:
        say(console, shorten(f"{sample.id}  {_one_line(sample.source)}".rstrip(), width), style="dim", wrap=False)
        mark = ("  right" if sample.is_right else "  wrong") if sample.is_judged else ""
        output = shorten(_one_line(sample.output), max(10, width - len(f"  output  {mark}")))
        style = "yellow" if sample.is_judged and not sample.is_right else ""
        say(console, f"  output  {output}{mark}", style=style, wrap=False)
        if not sample.is_right:
            say(console, shorten(f"  target  {_one_line(sample.target)}", width), wrap=False)


def _one_line(text: str) -> str:
    return " ".join(text.split())
