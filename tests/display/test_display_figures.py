import io
import subprocess
import sys
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.image import BboxImage
from PIL import Image

from attnfocus.display import fonts
from attnfocus.display.canvas import COLORS, DPI, WIDTHS, paper, to_file, to_png
from attnfocus.display.figures import MAX_HEADS, MAX_POSITIONS, confusion_map, heat_map
from attnfocus.display.fonts import BASE_FONT, FALLBACK_FONTS, families_for, label

ODD_TOKENS = [
    "年",
    "\x1b",
    " ",
    "  a",
    "",
    "$x^2$",
    "_b",
    "\u200f",
    "\udc80",
    "é",
    "e\u0301",
    "\u0301",
    "\U0001f9ff",
    "%",
]


def weights(*shape: int) -> np.ndarray:
    scores = np.random.default_rng(0).random(shape)
    return scores / scores.sum(-1, keepdims=True)


def pixels(figure: Figure) -> np.ndarray:
    png, width, height = to_png(figure)
    image = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    assert image.shape == (height, width, 3)
    return image


def color_at(figure: Figure, panel: int, row: int, column: int) -> tuple[int, ...]:
    """The color drawn in the middle of a position."""
    image = pixels(figure)
    drawn = image_named(figure, f"panel {panel}")
    box, (num_rows, num_columns) = drawn.get_window_extent(), drawn.get_size()
    x, y = box.x0 + box.width * (column + 0.5) / num_columns, box.y1 - box.height * (row + 0.5) / num_rows
    return tuple(image[image.shape[0] - 1 - int(y), int(x)])


def image_named(figure: Figure, name: str) -> BboxImage:
    (image,) = [artist for artist in figure.artists if isinstance(artist, BboxImage) and artist.get_gid() == name]
    return image


def texts(figure: Figure, name: str) -> list[str]:
    return [text.get_text() for text in figure.texts if text.get_gid() == name]


def test_queries_go_down_and_keys_to_the_right():
    values = np.zeros((1, 3, 4))
    values[0, 2, 1] = 1.0
    figure = heat_map(values, ["q0", "q1", "q2"], ["k0", "k1", "k2", "k3"])
    assert color_at(figure, 0, 2, 1) == COLORS(1.0, bytes=True)[:3]
    assert color_at(figure, 0, 1, 2) == COLORS(0.0, bytes=True)[:3]
    assert texts(figure, "row") == ["q0", "q1", "q2"]
    assert texts(figure, "column") == ["k0", "k1", "k2", "k3"]
    labels = {text.get_text(): text.get_position() for text in figure.texts}
    assert labels["q2"][1] < labels["q0"][1]
    assert labels["k0"][0] < labels["k3"][0]


def test_heads_are_panels_on_one_scale():
    values = np.zeros((4, 3, 3))
    values[0, 0, 0], values[3, 1, 1] = 0.8, 0.4
    figure = heat_map(values, list("abc"), list("xyz"))
    assert texts(figure, "head") == ["mean", "head 0", "head 1", "head 2", "head 3"]
    assert texts(figure, "scale") == ["0", "0.8"]
    # half of the largest weight: the middle of the colors
    assert color_at(figure, 4, 1, 1) == pytest.approx(COLORS(0.5, bytes=True)[:3], abs=2)
    assert color_at(figure, 0, 0, 0) == pytest.approx(COLORS(0.25, bytes=True)[:3], abs=2)  # 0.2: the mean of four


def test_pooling_shows_its_heads_as_rows():
    figure = heat_map(weights(4, 1, 6), ["pooling"], list("abcdef"))
    assert [image.get_gid() for image in figure.artists if isinstance(image, BboxImage)] == ["panel 0", "scale"]
    assert texts(figure, "row") == ["mean", "head 0", "head 1", "head 2", "head 3"]
    figure = heat_map(weights(1, 1, 6), ["pooling"], list("abcdef"))
    assert texts(figure, "row") == ["pooling"]


def test_nan_is_gray_and_all_zero_is_drawn():
    values = np.full((1, 2, 2), np.nan)
    values[0, 0, 0] = 0.5
    assert color_at(heat_map(values, "ab", "xy"), 0, 1, 1) == (0xBB, 0xBB, 0xBB)
    assert color_at(heat_map(np.zeros((1, 2, 2)), "ab", "xy"), 0, 1, 1) == COLORS(0.0, bytes=True)[:3]
    pixels(heat_map(np.full((1, 2, 2), np.nan), "ab", "xy"))


def test_what_takes_away_is_orange_as_on_the_page_and_zero_is_white() -> None:
    figure = heat_map(np.array([[[-1.0, 0.0, 0.5]]]), "a", "xyz")
    (red, _, blue), zero, (other_red, _, other_blue) = (color_at(figure, 0, 0, key) for key in range(3))
    assert red > blue
    assert min(zero) > 240
    assert other_blue > other_red


@pytest.mark.parametrize("shape", [(3, 4), (0, 2, 2), (1, 0, 3), (1, 3, 0)])
def test_what_cannot_be_drawn_is_refused_by_its_shape(shape):
    with pytest.raises(ValueError, match=r"\(heads, queries, keys\)"):
        heat_map(np.zeros(shape), [], [])


def test_odd_tokens_are_drawn_without_a_warning(recwarn, capfd):
    pixels(heat_map(weights(2, len(ODD_TOKENS), len(ODD_TOKENS)), ODD_TOKENS, ODD_TOKENS, "$\x1b 年 " * 3))
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


def test_no_label_is_blank_or_too_long():
    for index, token in enumerate([*ODD_TOKENS, "x" * 100, "年" * 100, " " * 100]):
        text = label(token, [BASE_FONT], 10, index)
        assert 0 < len(text) <= 10
        assert text.isprintable()
        assert text.strip()


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("a b", "a b"),
        (" a", "␣a"),
        (" ", "␣"),
        ("", "∅"),
        ("\n", "\\n"),
        ("$x$", "$x$"),
        ("unbelievable", "unbelieva…"),
    ],
)
def test_what_would_not_show_is_written_out(token, text):
    assert label(token, [BASE_FONT], 10, 3) == text


def test_a_character_that_no_font_has_is_escaped_and_a_long_token_named_by_its_index():
    assert label("\uf8ff", [BASE_FONT], 10, 3) == "\\uf8ff"
    assert label("\U0010fffd" * 5, [BASE_FONT], 10, 3) == "[3]"


def test_a_font_that_has_the_character_is_used_when_it_is_installed():
    character = "\u1d81"  # not in the base font; STIXGeneral comes with matplotlib
    assert families_for(["abc"], ["STIXGeneral"]) == [BASE_FONT]
    assert families_for([character], ["No Such Font", "STIXGeneral"]) == [BASE_FONT, "STIXGeneral"]
    assert label(character, [BASE_FONT], 10, 0) == "\\u1d81"
    assert label(character, [BASE_FONT, "STIXGeneral"], 10, 0) == character


def test_chinese_is_drawn_with_a_chinese_font_where_there_is_one():
    families = families_for(["年"])
    if len(families) == 1:
        pytest.skip("no Chinese font is installed")
    assert families[1] in FALLBACK_FONTS
    assert label("年", families, 10, 0) == "年"


@pytest.mark.parametrize("shape", [(1, 300, 20), (1, 20, 300), (8, 60, 60), (16, 1, 300), (2, 400, 400)])
def test_long_inputs_stay_readable_and_of_bounded_size(shape):
    _, queries, keys = shape
    figure = heat_map(weights(*shape), [f"q{i}" for i in range(queries)], [f"k{i}" for i in range(keys)])
    width, height = figure.get_size_inches()
    assert width < 13
    assert height < 11
    for name, axis in (("row", 1), ("column", 0)):
        places = [text.get_window_extent() for text in figure.texts if text.get_gid() == name]
        starts = sorted({round((place.p0 + place.p1)[axis] / 2) for place in places})  # pixels; panels share columns
        assert all(after - before > 12 for before, after in pairwise(starts))  # labels are 11 high


def test_what_is_cut_is_said():
    shape = (MAX_HEADS + 1, MAX_POSITIONS + 1, MAX_POSITIONS + 2)
    figure = heat_map(np.ones(shape, dtype=np.float16), [], [], "cross")
    title = "cross   first 16 of 17 heads   first 400 of 401 queries   first 400 of 402 keys"
    assert texts(figure, "title") == [title]


def test_a_title_is_never_wider_than_its_figure():
    figure = heat_map(weights(1, 1, 1), ["a"], ["b"], "layers.0   sample 17   step 1,200")
    image = pixels(figure)
    assert (image[:, -5:] == 255).all()


def test_drawing_changes_nothing_of_matplotlib_and_needs_no_pyplot():
    before = dict(mpl.rcParams)
    pixels(heat_map(weights(1, 3, 3), "abc", "xyz"))
    assert dict(mpl.rcParams) == before
    script = "import sys, attnfocus.display.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_a_figure_is_fast_enough_to_be_drawn_during_training():
    values, times = weights(1, 10, 20), []
    for _ in range(5):
        start = time.process_time()
        to_png(heat_map(values, list("2024-03-05"), list("5 mars 2024, le matin")[:20]), DPI)
        times.append(time.process_time() - start)
    assert min(times) < 0.15  # of the processor; other processes may share the machine


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5),
    st.lists(st.text(max_size=8), min_size=1, max_size=6),
    st.lists(st.text(max_size=8), min_size=1, max_size=6),
    st.integers(-1, 1),
)
def test_any_tokens_can_be_drawn(num_heads, queries, keys, surplus):
    values = weights(num_heads, max(len(queries) + surplus, 1), len(keys))
    pixels(heat_map(values, queries, keys, queries[0]))


@pytest.mark.parametrize(
    "module",
    ["tracking.metrics_file", "tracking.guard", "tracking.tensorboard", "tracking.log", "display.text", "files"],
)
def test_importing_the_reports_is_cheap(module):
    script = (
        f"import sys, attnfocus.{module}\n"
        "heavy = {'torch', 'rich', 'matplotlib', 'tensorboard', 'numpy'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_a_confusion_map_shows_shares_of_each_true_class_and_grays_what_has_no_rows() -> None:
    figure = confusion_map([[3, 1, 0], [0, 2, 0], [0, 0, 0]], ["no", "yes", "never"])
    image = image_named(figure, "panel 0").get_array()
    assert image[1, 1].tolist() == list(COLORS(1.0, bytes=True))
    assert image[0, 0].tolist() == list(COLORS(0.75, bytes=True))  # of a scale up to 1
    assert image[0, 2].tolist() == image[1, 0].tolist() == list(COLORS(0.0, bytes=True))
    assert image[2].tolist() == [[0xBB, 0xBB, 0xBB, 0xFF]] * 3
    assert texts(figure, "count") == list("310020000")
    assert texts(figure, "row") == ["no", "yes", "never"]


def test_a_confusion_map_of_many_classes_has_no_counts_and_stays_small() -> None:
    labels = [str(number) for number in range(500)]
    figure = confusion_map(np.eye(500, dtype=int).tolist(), labels)
    assert not texts(figure, "count")
    assert "first 400 of 500 classes" in texts(figure, "title")[0]
    assert max(figure.get_size_inches()) < 10


@pytest.mark.parametrize("width", ["column", "page"])
def test_a_figure_of_a_paper_has_its_width_and_letters_that_can_be_read(width) -> None:
    tokens = [f"token{number}" for number in range(12)]
    figure = heat_map(
        weights(4, 12, 12), tokens, tokens, "cross", axes=("output token", "input token"), style=paper(width)
    )
    assert figure.get_size_inches()[0] == WIDTHS[width]
    assert all(text.get_fontsize() == 7 for text in figure.texts)
    inside = figure.bbox.padded(1)
    for text in figure.texts:
        box = text.get_window_extent()
        assert inside.contains(box.x0, box.y0), text.get_text()
        assert inside.contains(box.x1, box.y1), text.get_text()


def test_axes_have_names_and_say_what_was_left_out() -> None:
    tokens = [f"token{number}" for number in range(200)]
    figure = heat_map(weights(1, 5, 200), tokens[:5], tokens, axes=("output token", "input token"))
    rows, columns = texts(figure, "axis")
    assert rows == "output token"
    assert columns == "input token (every 4th is named)"
    assert texts(figure, "column")[:2] == ["token0", "token4"]


def test_files_have_200_dpi_and_their_letters_in_them_and_do_not_depend_on_the_day() -> None:
    figure = heat_map(weights(1, 3, 3), "abc", "xyz", style=paper("column"))
    png = Image.open(io.BytesIO(to_file(figure, "png")))
    assert png.size[0] == 3.3 * 200
    assert png.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    pdf = to_file(figure, "pdf")
    assert b"/CIDFontType2" in pdf  # TrueType, as proceedings ask for
    assert b"/Type3" not in pdf
    assert pdf == to_file(heat_map(weights(1, 3, 3), "abc", "xyz", style=paper("column")), "pdf")
    svg = to_file(figure, "svg").decode()
    assert "<text" not in svg  # outlines: no font need be there
    assert svg == to_file(heat_map(weights(1, 3, 3), "abc", "xyz", style=paper("column")), "svg").decode()


def test_a_font_that_was_installed_after_the_list_of_matplotlib_is_found(monkeypatch) -> None:
    known = [font for font in font_manager.fontManager.ttflist if font.name != "STIXGeneral"]
    path = font_manager.findfont("STIXGeneral")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", known)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [path])
    monkeypatch.setattr(fonts, "_add_new_fonts", fonts._add_new_fonts.__wrapped__)
    monkeypatch.setattr(fonts, "_coverage", cache(fonts._coverage.__wrapped__))
    assert families_for(["\u1d81"], ["STIXGeneral"]) == [BASE_FONT, "STIXGeneral"]
