"""An inspection on the screen: tokens shaded by weight; in a pipe, plain lines with numbers.

Shapes: H heads, Q queries, K keys.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from attnfocus.display.console import break_words, is_plain, say, writable
from attnfocus.display.text import focus_phrase, number, shorten
from attnfocus.inspection.content import Content, best_map, focus_of, likelihood, title_of
from attnfocus.tasks import FocusMap, Inspected

NUM_READ = 3  # keys that are named for each query
SPACE_MARK = "▁"  # how tokens show a blank
_FAINT = 0.04  # of the largest weight: below, nothing is shaded
_MAX_LABEL = 14
_Color = tuple[int, int, int]
# viridis, from little to much; what is below 0 in a hue that no form of color blindness takes for it
_WEIGHTS: tuple[_Color, ...] = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_BELOW: tuple[_Color, ...] = ((90, 45, 5), (179, 88, 6), (241, 163, 64), (254, 224, 182))


def print_inspection(console: Console, inspection: Content) -> None:
    """Every example with its answer, and for each method one map: the one that shows best how output and input meet.

    Of outputs of many tokens, which take a line each, the first method alone.
    """
    facts = inspection.facts
    say(console, f"{facts['model']}, {facts['attention']}, {facts['dataset']}: step {facts['step']:,}", style="dim")
    for place, example in enumerate(inspection.examples, 1):
        say(console, "")
        _print_answer(console, place, example)
        methods = list(dict.fromkeys(each.method for each in example.maps))
        for method in methods:
            maps = [each for each in example.maps if each.method == method]
            if method == methods[0] or not _is_sequence(example, best_map(maps)):
                _print_map(console, example, maps)
            else:
                say(console, f"   {title_of(maps[0])}: method={method} prints it", style="dim")
    if inspection.verdict is not None:
        say(console, "")
        say(console, inspection.verdict, style="bold")


def _print_answer(console: Console, place: int, example: Inspected) -> None:
    answer = example.prediction
    say(console, f"{place}  {answer.source}", style="bold")
    if answer.skipped is not None:
        say(console, f"   skipped: {answer.skipped}", style="yellow")
        return
    notes = list(filter(None, [likelihood(answer.score)]))
    if answer.target:
        notes.append("as in the data" if answer.target == answer.text else f"in the data: {answer.target}")
    say(console, f"   {answer.text}" + (f"  ({'; '.join(notes)})" if notes else ""))
    if not example.maps:
        say(console, "   the output is empty: there is nothing to show", style="yellow")


def _print_map(console: Console, example: Inspected, maps: Sequence[FocusMap]) -> None:
    each = best_map(maps)
    title = title_of(each) + ("" if len(each.heads) == 1 else f", mean of {len(each.heads)} heads")
    if each.method == "attention":
        phrase = focus_phrase(focus_of(each).metrics())
        title += f": {phrase}" if phrase else ""
    if len(maps) > 1:
        title += f"  (one of {len(maps)}; layer=NAME shows another)"
    say(console, f"   {title}", style="dim")
    weights = each.weights.mean(axis=0)  # (Q, K)
    is_sequence = _is_sequence(example, each)
    lines = _sequence(console, each, weights) if is_sequence else [_single(console, each, weights.mean(axis=0))]
    for line in lines:
        console.print(line, soft_wrap=True)


def _is_sequence(example: Inspected, each: FocusMap) -> bool:
    """Whether each query has a line: a layer of a classifier is shown by the mean over its queries."""
    return len(each.query_tokens) > 1 and not (example.is_one_answer and each.kind == "self")


def _single(console: Console, each: FocusMap, weights: np.ndarray) -> Text:
    """The keys, shaded by weights (K,); in a pipe each with its number."""
    if is_plain(console):
        pairs = [f"{_label(token)} {weight:.2f}" for token, weight in zip(each.key_tokens, weights, strict=True)]
        plain = writable(console, "   " + "  ".join(pairs))
        return Text("\n".join(break_words(plain, console.width, between="  ")))
    largest = float(np.abs(weights).max(initial=0.0))
    line, used = Text("   "), 3
    for piece, weight in zip(pieces(each.key_tokens), weights, strict=True):
        shown = writable(console, piece)
        if used + cell_len(shown) > console.width - 1 and used > 3:
            line.append("\n   ")
            shown, used = shown.lstrip(" "), 3
        _append(line, shown, float(weight), largest)
        used += cell_len(shown)
    line.append(f"\n   largest {number(largest)}", style="dim")
    return line


def _sequence(console: Console, each: FocusMap, weights: np.ndarray) -> list[Text]:
    """A line for each query: the whole input shaded by its weights where that fits, else the keys it reads most."""
    labels = [shorten(_label(writable(console, token)), _MAX_LABEL) for token in each.query_tokens]
    room = max(map(cell_len, labels))
    parts = [writable(console, piece) for piece in pieces(each.key_tokens)]
    fits = room + 6 + sum(map(cell_len, parts)) < console.width
    names = _distinct(each.key_tokens)
    lines = []
    for label, row in zip(labels, weights, strict=True):
        line = Text("   " + set_cell_size(label, room + 2))
        if fits and not is_plain(console):
            largest = float(np.abs(row).max(initial=0.0))
            for piece, weight in zip(parts, row, strict=True):
                _append(line, piece, float(weight), largest)
        else:
            most = np.argsort(-np.abs(row), kind="stable")[:NUM_READ]
            read = [writable(console, f"{names[key]} {row[key]:.2f}") for key in most]
            while len(read) > 1 and line.cell_len + cell_len("  ".join(read)) > console.width:
                read.pop()
            line.append("  ".join(read))
        lines.append(line)
    return lines


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


def _append(line: Text, piece: str, weight: float, largest: float) -> None:
    """Adds a token; a blank before it stays unshaded."""
    start = piece[: len(piece) - len(piece.lstrip(" "))] if piece.strip(" ") else ""
    line.append(start)
    line.append(piece[len(start) :], style=shade(weight, largest))


def shade(weight: float, largest: float) -> str:
    """A rich style: the background tells the weight, and the letters are black or white as that asks for."""
    share = abs(weight) / largest if largest > 0 else 0.0
    if not share > _FAINT:
        return ""
    stops = _BELOW if weight < 0 else _WEIGHTS
    red, green, blue = _mixed(stops, share)
    letters = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else "white"
    return f"{letters} on rgb({red},{green},{blue})"


def _mixed(stops: Sequence[_Color], share: float) -> _Color:
    place = min(share, 1.0) * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    first, second = stops[low], stops[low + 1]
    red, green, blue = (round(a + (b - a) * (place - low)) for a, b in zip(first, second, strict=True))
    return red, green, blue
