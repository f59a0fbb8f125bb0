"""The page of an inspection in a real browser: it loads, draws, answers mouse and keyboard, and runs no token."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser_support import Watched, processor_seconds
from inspection_toys import FACTS, example, focus_map, hostile, large, sequence

from attnfocus.inspection.inspection import Inspection

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def figure(weight: float) -> str:
    """A weight as the page writes it."""
    return f"{weight:.4f}" if 0.0005 <= weight < 0.01 else f"{weight:.3f}"


PIXELS = "document.getElementById('map').toDataURL()"


def chosen(page: Any, **values: str) -> str:
    """Sets selectors, and gives the picture that follows."""
    for name, value in values.items():
        page.select_option(f"#{name}", value)
        page.wait_for_timeout(50)
    picture: str = page.evaluate(PIXELS)
    return picture


def test_selectors_change_the_picture(show: Any) -> None:
    page = show(sequence(heads=3))
    pictures = [
        chosen(page),
        chosen(page, head="0"),
        chosen(page, head="2"),
        chosen(page, attention="1"),
        chosen(page, method="gradient_input"),
        chosen(page, example="1"),
        chosen(page, method="attention", attention="1", head="0"),
    ]
    assert len(set(pictures)) == len(pictures)
    assert chosen(page, example="0", attention="0", head="0") == pictures[1]


def test_every_pixel_is_a_weight(show: Any) -> None:
    found = sequence()
    page = show(found)
    page.select_option("#head", "1")
    page.wait_for_timeout(50)
    darkness = page.evaluate(
        "(() => { const map = document.getElementById('map');"
        " const pixels = map.getContext('2d').getImageData(0, 0, map.width, map.height).data;"
        " return [...Array(map.width * map.height).keys()].map("
        " (i) => 765 - pixels[4 * i] - pixels[4 * i + 1] - pixels[4 * i + 2]);"
        " })()"
    )
    weights = found.examples[0].maps[0].weights[1]
    assert len(darkness) == weights.size
    order = weights.ravel().argsort()
    assert all(darkness[low] <= darkness[high] for low, high in pairwise(order))


def test_hovering_shows_tokens_and_the_number(show: Any) -> None:
    found = sequence()
    page = show(found)
    page.select_option("#head", "0")
    page.wait_for_timeout(50)
    box = page.locator("#map").bounding_box()
    queries, keys = found.examples[0].maps[0].query_tokens, found.examples[0].maps[0].key_tokens
    query, key = 2, 3
    page.mouse.move(
        box["x"] + (key + 0.5) * box["width"] / len(keys), box["y"] + (query + 0.5) * box["height"] / len(queries)
    )
    weight = found.examples[0].maps[0].weights[0, query, key]
    expected = f"{queries[query]} ← {keys[key]}: {figure(weight)}"
    assert page.inner_text("#tip") == expected
    assert page.inner_text("#readout") == expected
    page.mouse.move(5, 5)
    assert page.is_hidden("#tip")
    page.hover("#keys span[data-place='0']")
    assert page.inner_text("#tip").startswith("all rows, mean ← 3: ")


def test_the_keyboard_reaches_everything(show: Any) -> None:
    found = sequence()
    page = show(found)
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.parentElement.id"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or reached[-1] == ""
    for place in (
        "example",
        "search",
        "method",
        "attention",
        "head",
        "scale",
        "zoom",
        "minus",
        "queries",
        "keys",
        "map",
        "heads",
    ):
        assert place in reached, place


def test_arrow_keys_walk_the_matrix_and_say_the_number(show: Any) -> None:
    found = sequence()
    page = show(found)
    page.select_option("#head", "1")
    page.wait_for_timeout(50)
    page.focus("#map")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    shown = found.examples[0].maps[0]
    # The first press enters the matrix at its first cell.
    expected = f"{shown.query_tokens[1]} ← {shown.key_tokens[1]}: {figure(shown.weights[1, 1, 1])}"
    assert page.inner_text("#readout") == expected
    assert page.is_visible("#cell-mark")
    page.keyboard.press("End")
    assert page.inner_text("#readout").startswith(f"{shown.query_tokens[1]} ← {shown.key_tokens[-1]}")
    page.keyboard.press("Escape")
    assert page.inner_text("#readout") == ""
    assert page.is_hidden("#cell-mark")


def test_an_output_token_shades_what_it_reads(show: Any) -> None:
    found = sequence()
    page = show(found)
    page.focus("#queries")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    shown = found.examples[0].maps[0]
    row = shown.weights.mean(axis=0)[1]
    first = page.inner_text("#most li:first-child .figure")
    assert float(first) == pytest.approx(row.max(), abs=6e-4)
    shades = page.eval_on_selector_all("#keys span", "all => all.map((each) => each.style.backgroundColor)")
    assert len(set(shades)) > 2


def test_a_chosen_token_of_a_long_text_is_in_sight(show: Any) -> None:
    words = [f"word{number}" for number in range(900)]
    page = show(Inspection(FACTS, "text", (example(focus_map(("label",), words, name="pooling")),)))
    page.focus("#keys")
    page.keyboard.press("End")
    box, token = (page.locator(place).bounding_box() for place in ("#keys", "#keys span.chosen"))
    assert box["y"] <= token["y"] <= box["y"] + box["height"]


@pytest.mark.parametrize("checkpoint", ["best", "last"])
def test_a_test_of_faithfulness_is_advised_where_it_would_be_kept(show: Any, checkpoint: str) -> None:
    found = replace(sequence(), verdict=None, facts={**FACTS, "checkpoint": checkpoint})
    told = show(found).inner_text("#verdict")
    assert ("attnfocus evaluate run=/runs/one faithfulness=true" in told) == (checkpoint == "best")
    assert ("of the best checkpoint" in told) == (checkpoint == "last")


def test_a_browser_that_cannot_unpack_the_weights_says_so(browser: Any, tmp_path: Path) -> None:
    sequence().save(tmp_path, ["html"])
    tab = Watched(browser)
    tab.page.add_init_script("delete window.DecompressionStream")
    tab.page.goto((tmp_path / "index.html").as_uri())
    assert "too old" in tab.page.inner_text("#note")
    assert tab.page.is_hidden("#matrix-part")
    assert tab.complaints == []
    tab.close()


def test_heads_and_focus_rows_can_be_chosen(show: Any) -> None:
    page = show(sequence(heads=3))
    before = page.evaluate(PIXELS)
    page.click("#heads button:nth-child(3)")
    page.wait_for_timeout(50)
    assert page.input_value("#head") == "1"
    assert page.evaluate(PIXELS) != before
    page.click("#focus tr:nth-child(6) button")
    page.wait_for_timeout(50)
    assert (page.input_value("#attention"), page.input_value("#head")) == ("1", "2")
    assert page.locator("#focus tr.here").count() == 1


def test_tokens_that_look_like_markup_do_nothing(show: Any) -> None:
    page = show(hostile())
    assert page.evaluate("window.hit") is None
    assert page.locator("img").count() == 0
    assert page.inner_text("#keys span[data-place='1']") == '<img src=x onerror="window.hit=2">'
    page.select_option("#attention", "1")
    page.wait_for_timeout(50)
    assert page.is_hidden("#matrix-part")  # a single query: its tokens say it all
    assert page.evaluate("window.hit") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen(show: Any, scheme: str, width: int) -> None:
    found = sequence(heads=8)
    words = ["unbelievablylongwordwithoutanyblank" * 3, "年" * 60, *"abcdefgh" * 5]
    wide = example(focus_map(words, words, heads=2), source=" ".join(words))
    page = show(
        Inspection(FACTS, "text", (wide, *found.examples)),
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    for number in ("0", "1"):
        page.select_option("#example", number)
        page.wait_for_timeout(50)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")


def test_two_hundred_tokens_and_twelve_by_twelve_heads_are_drawn_at_once(show: Any) -> None:
    page = show(large())
    choose_all = "async (all) => { for (const [map, head] of all) await attnfocus.choose({ map, head }); }"
    page.evaluate(choose_all, [[1, 0], [2, 0], [3, 0]])
    choices, before = [[1, 3], [2, 7], [3, -1], [1, 11]], processor_seconds(page)
    page.evaluate(choose_all, choices)
    spent = (processor_seconds(page) - before) / len(choices)
    assert spent < 0.1, spent
    assert page.evaluate("[document.getElementById('map').width, document.getElementById('map').height]") == [200, 200]
