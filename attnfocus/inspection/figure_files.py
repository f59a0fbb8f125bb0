"""The maps of an inspection as figures for a screen or a paper, with a caption beside each, and as tables of numbers.

Shapes: H heads, Q queries, K keys.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from attnfocus.display.canvas import SCREEN, paper
from attnfocus.display.drawings import write_figure
from attnfocus.display.figure_choices import FigureFile, StyleName, WidthName
from attnfocus.display.figures import AXES, MAX_HEADS, MAX_POSITIONS, heat_map
from attnfocus.display.pictures import picture_map
from attnfocus.display.run_words import attention_words
from attnfocus.files import csv_text
from attnfocus.inspection.content import Content, focus_of, likelihood, picture_of, written_queries
from attnfocus.regular_files import replace_file
from attnfocus.tasks import FocusMap, Inspected
from attnfocus.visible import visible

MAX_HEIGHT = 4.5  # inches of a figure in one column; what is higher takes the width of the page
PATCH_AXES = {  # what the rows and columns of a patch are
    "patch_heads": ("attention", "head"),
    "patch_weights": ("attention", "head"),
    "patch_positions": ("head of an attention", "position"),
    "patch_states": ("layer", "position"),
}
CSV_COLUMNS = ("head", "query", "query_token", "key", "key_token", "weight")


def write_maps(
    content: Content,
    folder: Path,
    kinds: Sequence[FigureFile],
    *,
    with_csv: bool,
    style: StyleName = "screen",
    width: WidthName | None = None,
) -> list[Path]:
    """Writes each map as figures of these kinds, with its caption in a text file, and as a table of numbers.

    Raises:
        OSError: one cannot be written.
    """
    written = []
    for place, example in enumerate(content.examples, 1):
        for each in example.maps:
            name = "_".join(filter(None, (str(place), each.method, each.name)))
            path = folder / re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
            if kinds:
                draw = partial(map_figure, each, example, style, width)
                written += write_figure(path, kinds, draw, map_caption(content, example, each))
            if with_csv:
                columns = CSV_COLUMNS if each.minus is None else (*CSV_COLUMNS, "minus")
                written.append(path.with_name(f"{path.name}.csv"))
                text = csv_text([columns, *_numbers(each)])
                replace_file(written[-1], text.encode("utf-8", "backslashreplace"))
    return written


def map_figure(
    each: FocusMap, example: Inspected, style: StyleName = "screen", width: WidthName | None = None
) -> Figure:
    """A panel for each head and one for their mean.

    Args:
        width: of `style="paper"`; None: a column where all labels have room in it, else a page.
    """
    less = "" if each.minus is None else f", minus {each.minus.label}"
    title = f"{_method_words(each)}{less}: {example.prediction.text}"

    picture = picture_of(example, each)

    def draw(place: WidthName | None) -> Figure:
        chosen = SCREEN if place is None else paper(place)
        tokens = each.query_tokens, each.key_tokens
        if picture is not None:
            shown: dict[str, Any] = {"queries": written_queries(each), "ends": _ends(each), "style": chosen}
            return picture_map(each.difference, picture, title, each.heads, **shown)
        more: dict[str, Any] = {"heads": each.heads, "axes": _axes(each), "ends": _ends(each), "style": chosen}
        return heat_map(each.difference, *tokens, title, **more)

    if style == "screen" or width is not None:
        return draw(None if style == "screen" else width)
    if picture is not None:
        return draw("column" if written_queries(each) is None and each.weights.shape[0] == 1 else "page")
    narrow = draw("column")
    are_thinned = any(text.get_text().endswith("is named)") for text in narrow.texts)
    return draw("page") if are_thinned or narrow.get_size_inches()[1] > MAX_HEIGHT else narrow


def _ends(each: FocusMap) -> tuple[float, float] | None:
    """Of a difference both sides of 0, also where one of them is empty."""
    if each.minus is None:
        return None
    largest = float(np.nanmax(np.abs(each.difference), initial=0.0)) or 1.0
    return (-largest, largest)


def map_caption(content: Content, example: Inspected, each: FocusMap) -> str:
    """What a reader must know to read the figure: what it is of, what rows, columns, panels and colors are."""
    facts, answer = content.facts, example.prediction
    rows, columns = _axes(each)
    picture, written = picture_of(example, each), written_queries(each)
    shown = each.difference
    if picture is not None:  # what stands before its parts is not drawn
        shown = shown[:, :, -len(picture.boxes) :].mean(axis=1 if written is None else 0)
    largest = float(np.nanmax(np.abs(shown), initial=0.0))
    is_signed = each.minus is not None or bool(np.nanmin(each.weights, initial=0.0) < 0)
    num_heads, _, num_keys = each.weights.shape
    below = f"from {-largest:.2g} (orange) over 0 (white)" if is_signed else "from 0 (white)"
    scale = f"Colors go {below} to {largest:.2g} (dark blue), on one scale in all panels."
    if each.minus is not None:
        scale += f" They are differences: orange is more in {each.minus.label}."
    elif not is_signed and each.method == "attention":
        scale += f" Equal weight on all {num_keys:,} positions would be {1 / num_keys:.2g}."
    panels = f"The first panel is the mean of the {num_heads:,} heads. " if num_heads > 1 else ""
    limits = f"At most {MAX_HEADS} heads and {MAX_POSITIONS} positions of an axis are drawn. "
    is_cut = num_heads > MAX_HEADS or max(each.weights.shape[1:]) > MAX_POSITIONS
    measures = next((row.measures for row in focus_of(each).rows if row.head is None), {})
    used = measures.get("effective_positions")
    focus = (
        f"Effective positions: {used:.1f} of {num_keys:,}. "
        if used and each.method == "attention" and each.minus is None
        else ""
    )
    axes = f"Rows: {rows}. Columns: {columns}."
    if picture is not None:
        of_rows = ", the mean over all that look" if each.weights.shape[1] > 1 else ""
        if written is not None:
            of_heads = f", the mean of the {num_heads:,} heads" if num_heads > 1 else ""
            of_rows, panels = f": a panel for each token of the answer{of_heads}", ""
        framed = " What is known to hold the evidence is framed." if picture.regions else ""
        parts = f"{len(picture.boxes):,} {picture.parts}"
        axes = f"The {picture.name}, and over it the weight of each of its {parts}{of_rows}.{framed}"
        panels = panels.replace("first panel", f"first panel after the {picture.name}")
        count, what = (num_heads, "heads") if written is None else (len(written), "tokens of the answer")
        is_cut, limits = count > MAX_HEADS, f"At most {MAX_HEADS} {what} are drawn. "
    if each.is_patch:
        focus = f"{facts.get('patched', '')}."
    lines = [
        f"{_method_words(each)}. Model {facts['model']}, attention {facts['attention']}, data {facts['dataset']}; "
        f"checkpoint {facts['checkpoint']}, step {facts['step']}; run {facts['run']}.",
        f"Input: {visible(answer.source)}",
        f"Answer: {visible(answer.text)} ({likelihood(answer.score)})" + _target(answer.target),
        f"{axes} {panels}{limits if is_cut else ''}{scale} {focus}".rstrip(),
    ]
    return "\n".join(lines) + "\n"


def _target(target: str) -> str:
    return f"; target: {visible(target)}" if target else ""


def _method_words(each: FocusMap) -> str:
    method = each.method.replace("_", " ")
    return f"{method}, {attention_words(each.label)}" if each.name else method


def _axes(each: FocusMap) -> tuple[str, str]:
    """What the rows and the columns of a map are."""
    if each.is_patch:
        return PATCH_AXES[each.method]
    if each.place is None:
        return "output", "input position"
    names = {"input": "input token", "output": "output token", "learned": "learned query"}
    queries, keys = names[each.place.queries], names[each.place.keys]
    return (f"{AXES[0]}: {queries}", f"{AXES[1]}: {keys}")


def _numbers(each: FocusMap) -> Iterator[tuple[object, ...]]:
    """A row for each weight; heads by their own numbers, positions from 0."""
    for (head, query, key), weight in np.ndenumerate(each.weights):
        tokens = each.query_tokens[query], each.key_tokens[key]
        less = () if each.minus is None else (f"{each.minus.weights[head, query, key]:.6g}",)
        yield each.heads[head], query, tokens[0], key, tokens[1], f"{weight:.6g}", *less
