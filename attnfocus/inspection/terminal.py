"""An inspection on the screen: tokens shaded by weight; in a pipe, plain lines with numbers.

Shapes: H heads, Q queries, K keys.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from attnfocus.display.background import terminal_mode
from attnfocus.display.console import break_words, is_plain, say, writable
from attnfocus.display.heads import kinds_text
from attnfocus.display.palette import Mode, terminal_style
from attnfocus.display.text import focus_phrase, shorten
from attnfocus.inspection.content import (
    Content,
    ScaleName,
    best_map,
    focus_of,
    focus_rows,
    likelihood,
    picture_of,
    title_of,
)
from attnfocus.inspection.scale import Scale, scale_of
from attnfocus.inspection.spread import NEARLY_UNIFORM
from attnfocus.inspection.terminal_picture import picture_lines
from attnfocus.tasks import FocusMap, Inspected

NUM_READ = 3  # keys that are named for each query
SPACE_MARK = "▁"  # how tokens show a blank
_MAX_LABEL = 14
_MAX_PATCHED_LABEL = 32  # names of attentions and heads
MAX_PATCHED, LITTLE = 12, 0.05  # rows of what brings the answer back; a row with less has no line
_SOURCE_LINES = 3  # of an input that is printed a second time, shaded
_LEGEND = 16  # cells of a legend's colors
_BELOW = {"blue": "orange", "above 0": "below 0"}  # how the other side of a difference is called


@dataclass(frozen=True)
class _Screen:
    """Where it is printed.

    Attributes:
        mode: of the background.
        scale: what a color means; None: as `scale.default_scale` says.
    """

    console: Console
    mode: Mode
    scale: ScaleName | None


def print_inspection(console: Console, inspection: Content, mode: Mode | None = None) -> None:
    """Every example with its answer, and for each method one map: the one that shows best how output and input meet.

    Of outputs of many tokens, which take a line each, the first method alone.

    Args:
        mode: of the terminal's background; None: it is asked.
    """
    if mode is None:
        mode = "dark" if is_plain(console) else terminal_mode()
    screen = _Screen(console, mode, inspection.scale)
    facts = inspection.facts
    say(console, f"{facts['model']}, {facts['attention']}, {facts['dataset']}: step {facts['step']:,}", style="dim")
    for place, example in enumerate(inspection.examples, 1):
        say(console, "")
        _print_answer(console, place, example)
        if "patched" in facts:
            say(console, f"   {facts['patched']}", style="dim")
        methods = list(dict.fromkeys(each.method for each in example.maps))
        for method in methods:
            maps = [each for each in example.maps if each.method == method]
            if maps[0].is_patch:
                for each in maps:
                    _print_patch(screen, each)
            elif method == methods[0] or not _is_sequence(example, best_map(maps)):
                _print_map(screen, example, maps)
            else:
                say(console, f"   {title_of(maps[0])}: method={method} prints it", style="dim")
    maps = [each for example in inspection.examples for each in example.maps]
    shown = {each.name for each in maps}
    is_patched = any(each.is_patch for each in maps)
    kinds = {name: each for name, each in inspection.head_kinds.items() if is_patched or name in shown}
    if kinds:
        say(console, "")
        for name, of_heads in kinds.items():
            say(console, f"heads of {name}: {kinds_text(of_heads)}", style="dim")
    if inspection.verdict is not None:
        say(console, "")
        say(console, inspection.verdict["en"], style="bold")


def _print_answer(console: Console, place: int, example: Inspected) -> None:
    answer = example.prediction
    is_shown_again = bool(example.maps) and not is_plain(console)
    source = shorten(answer.source, _SOURCE_LINES * console.width - 8) if is_shown_again else answer.source
    say(console, f"{place}  {source}", style="bold")
    if answer.skipped is not None:
        say(console, f"   skipped: {answer.skipped}", style="yellow")
        return
    notes = list(filter(None, [likelihood(answer.score)]))
    if answer.target:
        notes.append("as in the data" if answer.target == answer.text else f"in the data: {answer.target}")
    say(console, f"   {answer.text}" + (f"  ({'; '.join(notes)})" if notes else ""))
    if not example.maps:
        say(console, "   the output is empty: there is nothing to show", style="yellow")


def _print_map(screen: _Screen, example: Inspected, maps: Sequence[FocusMap]) -> None:
    each, console = best_map(maps), screen.console
    title = title_of(each) + ("" if len(each.heads) == 1 else f", mean of {len(each.heads)} heads")
    if each.method == "attention" and each.minus is None:
        phrase = focus_phrase(focus_of(each).metrics())
        title += f": {'nearly uniform, ' if is_nearly_uniform(each) else ''}{phrase}" if phrase else ""
    if len(maps) > 1:
        title += f"  (one of {len(maps)}; layer=NAME shows another)"
    say(console, f"   {title}", style="dim")
    weights = each.difference.mean(axis=0)  # (Q, K)
    scale = scale_of(each, screen.scale)
    fits, picture = True, picture_of(example, each)
    if picture is not None and not _is_sequence(example, each):
        lines = picture_lines(console, screen.mode, picture, weights.mean(axis=0), scale)
        title_of_lines = "weights in hundredths, row by row" if is_plain(console) else f"{picture.parts}, row by row"
        say(console, f"   {title_of_lines}", style="dim")
    elif _is_sequence(example, each):
        lines, fits = _sequence(screen, each, weights, scale, None if each.place is None else example.asked)
    else:
        lines = [_single(screen, each, weights.mean(axis=0), scale)]
    for line in lines:
        console.print(line, soft_wrap=True)
    if fits and not is_plain(console):
        console.print(_legend(scale, screen.mode), soft_wrap=True)
    if each.minus is not None:
        above = "above 0" if is_plain(console) or not fits else "blue"
        say(console, f"   {above}: more here; {_BELOW[above]}: more in {each.minus.label}", style="dim")


def _print_patch(screen: _Screen, each: FocusMap) -> None:
    """The columns of each row that bring most back; of rows that bring next to nothing, and of many, only how many."""
    values = np.nan_to_num(each.weights[0])
    sizes = np.abs(values).max(axis=1, initial=0.0)
    shown = sorted(row for row in np.argsort(-sizes, kind="stable")[:MAX_PATCHED] if sizes[row] >= LITTLE)
    left_out = len(values) - len(shown)
    least = max((sizes[row] for row in range(len(values)) if row not in shown), default=0.0)
    of_others = f"; at most {least:.2f} in {left_out} other row{'s' * (left_out > 1)}" if left_out else ""
    say(screen.console, f"   {title_of(each)}{of_others}", style="dim")
    if not shown:
        return
    rows = replace(each, query_tokens=tuple(each.query_tokens[row] for row in shown))
    for line in _sequence(screen, rows, values[shown], scale_of(each), is_shaded=False)[0]:
        screen.console.print(line, soft_wrap=True)


def is_nearly_uniform(each: FocusMap) -> bool:
    """Whether the weights say little: normalized entropy above 0.9, mean over heads and queries."""
    found = [row["normalized_entropy"] for row in focus_rows(each) if "normalized_entropy" in row]
    return bool(found) and sum(found) / len(found) > NEARLY_UNIFORM


def _legend(scale: Scale, mode: Mode) -> Text:
    """The colors from one end to the other, in which the whole map is shown."""
    high = "8" if scale.name == "uniform" else f"{scale.weight(1.0):.3g}"
    low = "1/8" if scale.name == "uniform" else f"-{high}" if scale.is_signed else "0"
    line = Text("   ").append(f"{low} ", style="dim")
    for cell in range(_LEGEND):
        part = cell / (_LEGEND - 1)
        share = 2 * part - 1 if scale.is_signed else scale.share(scale.weight(part))
        line.append(" ", style=terminal_style(share, mode))
    uniform = f"1/{scale.num_keys}"
    line.append(f" {high}", style="dim")
    line.append(f" times uniform ({uniform} each)" if scale.name == "uniform" else "", style="dim")
    if scale.name != "uniform" and not scale.is_signed:
        line.append(f"  (uniform: {uniform} = {1 / max(scale.num_keys, 1):.3f})", style="dim")
    return line


def _is_sequence(example: Inspected, each: FocusMap) -> bool:
    """Whether each query has a line: a layer of a classifier is shown by the mean over its queries."""
    return len(each.query_tokens) > 1 and not (example.is_one_answer and each.kind == "self")


def _single(screen: _Screen, each: FocusMap, weights: np.ndarray, scale: Scale) -> Text:
    """The keys, shaded by weights (K,); in a pipe each with its number."""
    console = screen.console
    if is_plain(console):
        pairs = [f"{_label(token)} {weight:.2f}" for token, weight in zip(each.key_tokens, weights, strict=True)]
        plain = writable(console, "   " + "  ".join(pairs))
        return Text("\n".join(break_words(plain, console.width, between="  ")))
    line, used = Text("   "), 3
    for piece, weight in zip(pieces(each.key_tokens), weights, strict=True):
        shown = writable(console, piece)
        if used + cell_len(shown) > console.width - 1 and used > 3:
            line.append("\n   ")
            shown, used = shown.lstrip(" "), 3
        _append(line, shown, terminal_style(scale.share(float(weight)), screen.mode))
        used += cell_len(shown)
    return line


def _sequence(
    screen: _Screen,
    each: FocusMap,
    weights: np.ndarray,
    scale: Scale,
    asked: Sequence[int] | None = None,
    *,
    is_shaded: bool = True,
) -> tuple[list[Text], bool]:
    """A line for each query: the whole input shaded by its weights where that fits, else the keys it reads most.

    Args:
        asked: the queries that have a line; None: all.
        is_shaded: False where numbers are wanted in any case.

    Returns:
        The lines, and whether they are shaded.
    """
    console = screen.console
    longest = _MAX_LABEL if is_shaded else _MAX_PATCHED_LABEL
    labels = [shorten(_label(writable(console, token)), longest) for token in each.query_tokens]
    room = max(map(cell_len, labels))
    parts = [writable(console, piece) for piece in pieces(each.key_tokens)]
    fits = is_shaded and room + 6 + sum(map(cell_len, parts)) < console.width and not is_plain(console)
    names = _distinct(each.key_tokens)
    lines = []
    for query in range(len(labels)) if asked is None else asked:
        label, row = labels[query], weights[query]
        line = Text("   " + set_cell_size(label, room + 2))
        if fits:
            for piece, weight in zip(parts, row, strict=True):
                _append(line, piece, terminal_style(scale.share(float(weight)), screen.mode))
        else:
            most = np.argsort(-np.abs(row), kind="stable")[:NUM_READ].tolist()
            most = most if is_shaded else [key for key in most if abs(row[key]) >= LITTLE]
            read = [writable(console, f"{names[key]} {row[key]:.2f}") for key in most]
            while len(read) > 1 and line.cell_len + cell_len("  ".join(read)) > console.width:
                read.pop()
            line.append("  ".join(read))
        lines.append(line)
    return lines, fits


def pieces(tokens: Sequence[str]) -> list[str]:
    """The tokens so that, one after another, they read as the text: with the blanks that belong between them."""
    if all(len(token) <= 1 for token in tokens) or any(SPACE_MARK in token for token in tokens):
        return [token.replace(SPACE_MARK, " ") for token in tokens]
    return [token if place == 0 else f" {token}" for place, token in enumerate(tokens)]


def _label(token: str) -> str:
    """A token without the blank before it; one of blanks alone shows them."""
    return (token.lstrip(SPACE_MARK) or token).replace(SPACE_MARK, "␣") or "∅"


def _distinct(tokens: Sequence[str]) -> list[str]:
    """The tokens, long ones shortened, those that occur more than once with their place: `9@14`."""
    counts = Counter(tokens)
    places = [f"@{place}" if counts[token] > 1 else "" for place, token in enumerate(tokens, 1)]
    return [shorten(_label(token), _MAX_LABEL) + place for token, place in zip(tokens, places, strict=True)]


def _append(line: Text, piece: str, style: str) -> None:
    """Adds a token; a blank before it stays unshaded."""
    start = piece[: len(piece) - len(piece.lstrip(" "))] if piece.strip(" ") else ""
    line.append(start)
    line.append(piece[len(start) :], style=style)
