"""compare.html in a real browser: sorted, read by keyboard, narrow, dark, on paper; and it runs nothing of its data."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_support import Tabs, wait_until

from attnfocus.commands.compare.page import page_of
from attnfocus.commands.compare.page.curves import Curve, Curves
from attnfocus.commands.compare.sections import Difference, Row, Section
from attnfocus.display import palette
from attnfocus.grid import Picture
from attnfocus.inspection.side_by_side import Look, Looks, look_of
from attnfocus.tasks import FocusMap, Inspected, Prediction

pytestmark = [pytest.mark.slow, pytest.mark.browser]

EVIL = "</script><img src=x onerror=alert(1)>"
ORIGIN = {"started": "2026-11-30T06:59:03+00:00", "command": "attnfocus compare outputs"}
NAMES = ("dot", "additive", EVIL)


def many_weights(number: int) -> Look:
    """190 x 200 weights: of four such maps more than one call of JavaScript takes as arguments."""
    weights = np.full((190, 200), 0.004)
    weights[:, number] = 0.204
    queries, keys = (tuple(f"{side}{n}" for n in range(size)) for side, size in (("q", 190), ("k", 200)))
    tokens: dict[str, Any] = {"attention": "cross", "num_heads": 1, "queries": queries, "keys": keys}
    return Look(f"run {number}", "run", "x", True, weights=weights, **tokens)


def row(name: str, values: tuple[float, ...]) -> Row:
    runs = [
        {"test/accuracy": value, "test/loss": 1 - value, "parameters": 26754 + 90 * (n % 2)}
        for n, value in enumerate(values)
    ]
    paths = tuple(Path(f"/runs/{len(name)}/{n}") for n in range(len(values)))
    return Row({"attention": name}, tuple(range(1, len(values) + 1)), paths, runs)


def section() -> Section:
    rows = [row("dot", (0.5, 0.6, 0.7)), row("additive", (0.8, 0.9, 0.7)), row(EVIL, (0.2,))]
    differences = [
        Difference(
            "additive",
            "accuracy",
            {1: 0.3, 2: 0.3, 3: 0.0},
            (-0.2, 0.6),
            {1: 0.01, 2: 0.02, 3: 0.9},
            "",
            {1: 0.02, 2: 0.04, 3: 1.0},
        ),
        Difference(EVIL, "accuracy", {1: -0.3}, None, {1: 0.5}, "no p for seed 2", {1: 0.5}),
    ]
    directions = {"accuracy": "max", "loss": "min"}
    return Section("classification", "toys", rows, differences, "accuracy", directions, frozenset({"accuracy"}))


def curves() -> Curves:
    curve = Curve([1, 2, 3], [0.1, 0.4, 0.5], [0.2, 0.1, 0.0], [3, 3, 2])
    return Curves({"accuracy": {0: curve, 1: replace(curve, means=[0.2, 0.5, 0.95])}, "loss": {0: curve}})


def looks() -> Looks:
    uniform = np.full((1, 4), 0.25)
    sharp = np.array([[0.01, 0.97, 0.01, 0.01]])
    tokens: dict[str, Any] = {
        "attention": "pooling",
        "num_heads": 1,
        "queries": ("[0]",),
        "keys": ("a", EVIL, "c", "d"),
    }
    found = [
        Look("dot", "run", "x", True, weights=uniform, **tokens),
        Look("additive", "run", "y", False, weights=sharp, **tokens),
        Look(EVIL, "run", note="this attention gives no weights"),
    ]
    return Looks(f"a {EVIL} c d", "x", found)


@pytest.fixture
def show(tabs: Tabs, tmp_path: Path) -> Callable[..., Any]:
    def opened(shown: Looks | None = None, **options: Any) -> Any:
        path = tmp_path / "compare.html"
        text = page_of(
            [section()],
            [curves()],
            {"classification on toys": shown or looks()},
            {Path("/runs/z"): EVIL},
            ORIGIN,
            Path("/runs"),
        )
        path.write_bytes(text.encode("ascii"))
        return tabs.open(path, **{"viewport": {"width": 1440, "height": 900}, **options})

    return opened


def names_of(page: Any) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.runs tbody th')].map((each) => each.firstChild.textContent)"
    )
    return found


def test_rows_are_sorted_by_mouse_and_keyboard(show: Any) -> None:
    page = show()
    assert page.title() == "7 runs of 3 configurations: attnfocus compare"
    assert names_of(page) == list(NAMES)
    accuracy = page.get_by_role("button", name="test accuracy")
    accuracy.click()
    assert names_of(page) == ["additive", "dot", EVIL]  # the best first
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("test accuracy ↑")
    page.keyboard.press("Enter")  # the focus has stayed
    assert names_of(page) == [EVIL, "dot", "additive"]
    page.get_by_role("button", name="test loss").click()
    assert names_of(page) == ["additive", "dot", EVIL]


def test_numbers_are_those_of_the_runs(show: Any) -> None:
    page = show()
    text = page.locator(".runs tbody tr").nth(0).inner_text()
    assert "0.6000 ± 0.1000" in text
    assert "26,754 to 26,844" in text
    assert page.locator(".runs tr").nth(2).locator(".best").count() == 2  # accuracy and loss
    dots = page.locator(".runs tbody tr").nth(0).locator("td").nth(1).locator("circle.seed")
    assert dots.count() == 3
    places = [float(dots.nth(n).get_attribute("cx")) for n in range(3)]
    # From 0.2 (at 5) to 0.9 (at 105): 0.5, 0.6, 0.7.
    assert places == pytest.approx([5 + 100 * (value - 0.2) / 0.7 for value in (0.5, 0.6, 0.7)])
    page.get_by_label("each run").check()
    assert page.locator(".runs tr.run").count() == 7


def test_curves_have_bands_inside_0_and_1_and_are_read_by_arrow_keys(show: Any) -> None:
    page = show()
    assert page.locator("polygon.band").count() == 2
    assert page.locator("polyline.fewer").count() == 2  # the last step has two seeds of three
    ticks = page.locator("svg.plot text[text-anchor=end]").all_text_contents()
    assert all(0 <= float(tick) <= 1 for tick in ticks)
    page.locator("svg.plot").focus()
    page.keyboard.press("End")
    assert page.locator(".readout").inner_text() == "step 3: dot 0.5000 ± 0.0000 (n=2); additive 0.9500 ± 0.0000 (n=2)"
    page.locator(".names button", has_text="dot").click()
    assert page.locator("polygon.band").count() == 1
    page.get_by_label("Metric").select_option(label="valid loss")
    assert page.locator("polygon.band").count() == 0  # only dot has it, which is switched off
    assert "No curve is chosen" in page.inner_text("body")


def test_the_forest_has_intervals_seeds_and_corrected_p(show: Any) -> None:
    page = show()
    first = page.locator(".forest tbody tr").nth(0)
    assert first.locator("td").nth(4).inner_text() == "0.020, 0.040, 1.000"
    assert first.locator("td").nth(3).inner_text() == "−0.2000 to +0.6000"
    assert first.locator("circle.seed").count() == 3
    zero, bar = first.locator("line.zero"), first.locator("line.reach")
    assert float(bar.get_attribute("x1")) < float(zero.get_attribute("x1")) < float(bar.get_attribute("x2"))
    assert page.locator(".forest tbody tr").nth(1).locator("line.reach").count() == 0
    assert "right of the line is better" in page.inner_text("body")


def test_one_example_has_one_scale_for_all(show: Any) -> None:
    page = show()
    assert page.locator(".look").count() == 3
    assert "One input, 3 attentions" in page.inner_text("body")
    assert page.get_by_text("Nearly uniform").count() == 1  # and not of the sharp one
    level = "[...each.children].map((token) => token.dataset.level)"
    shades = f"[...document.querySelectorAll('.tokens')].map((each) => {level})"
    assert page.evaluate(shades) == [["1"] * 4, ["0", "3", "0", "0"]]
    assert "looks at 4.0 of 4 positions" in page.inner_text("body")
    assert "✓ right" in page.inner_text("body")
    assert "✗ wrong" in page.inner_text("body")
    contrast = page.evaluate("luminance([0, 0, 0])") if page.evaluate("typeof luminance") == "function" else None
    assert contrast is None  # nothing of the script is global


def test_weights_of_an_image_lie_over_it(show: Any) -> None:
    """The right half of a white image has all of the weight; a token that the model puts in front stands before it."""
    boxes = np.array([[0, 0, 4, 2], [0, 2, 4, 4]])
    picture = Picture(np.full((4, 4), 255, np.uint8), boxes, ((1, 1, 3, 3),))
    tokens: dict[str, Any] = {
        "attention": "pooling",
        "num_heads": 1,
        "queries": ("q",),
        "keys": ("<cls>", "1,1", "1,2"),
    }
    look = Look("dot", "run", "x", True, weights=np.array([[0.0, 0.0, 1.0]]), picture=picture, **tokens)
    page = show(Looks("image of 4 x 4 pixels", "x", [look]))
    page.wait_for_function("document.querySelector('.image canvas').width === 4")
    row = "[...document.querySelector('.image canvas').getContext('2d').getImageData(0, 1, 4, 1).data]"
    pixels = page.evaluate(row)
    left, right = pixels[:4], pixels[-4:]
    assert left == [255, 255, 255, 255]
    assert tuple(right[:3]) == palette.color(1.0)
    assert page.locator(".look .tokens > span").all_text_contents() == ["<cls>"]
    assert page.locator(".image span").nth(1).get_attribute("title") == "1,2: 1.000"
    assert page.locator(".image .region").count() == 1


def test_many_large_maps_are_shown_by_the_mean_of_their_rows(show: Any) -> None:
    shown = Looks("long", "x", [many_weights(number) for number in range(5)])
    assert [look["weights"] for look in shown.facts()["looks"]] == [None] * 5
    page = show(shown)
    assert page.locator(".runs tbody tr").count() == 3
    assert page.locator(".look").count() == 5
    assert page.locator(".look .map").count() == 0
    assert page.locator(".look").nth(3).locator("span").nth(3).get_attribute("title") == "k3: 0.2040"
    page.get_by_label("Scale").select_option("largest")
    assert page.inner_text(".scale") == "0\n0.2040, the same for all"
    assert page.locator(".look").nth(3).locator("span").nth(3).get_attribute("data-level") == "3"


@pytest.mark.parametrize("width", [700, 1200, 1440])
def test_marks_of_differences_stay_in_their_column(show: Any, width: int) -> None:
    page = show(viewport={"width": width, "height": 900})
    box = "getBoundingClientRect().right"
    room = page.eval_on_selector_all(".forest svg", f"all => all.map((one) => one.parentElement.{box} - one.{box})")
    assert len(room) == 3
    assert min(room) >= 0
    if width == 1440:  # a window that is made narrow has them below the curves
        page.set_viewport_size({"width": 1000, "height": 900})
        wait_until(page, "document.querySelector('.forest svg').clientWidth === 300")


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}])
def test_a_phone_scrolls_no_page_sideways(options: dict[str, Any], show: Any) -> None:
    page = show(viewport={"width": 390, "height": 844}, **options)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == ("rgb(15, 19, 24)" if options else "rgb(255, 255, 255)")


def test_on_paper_it_is_light_and_without_controls(show: Any) -> None:
    page = show(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".tools label").first.is_visible()
    assert not page.locator("#language").is_visible()
    assert page.locator(".runs").is_visible()
    assert page.locator(".scale").is_visible()  # what the shades mean
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    white = "getComputedStyle(document.querySelector('.tokens span[data-level=\"1\"]')).color"
    assert page.evaluate(white) == "rgb(0, 0, 0)"


def test_with_forced_colors_lines_and_choices_stay(show: Any) -> None:
    page = show(forced_colors="active")
    ink = page.evaluate("getComputedStyle(document.body).color")
    for mark in (".axis", ".zero", ".seed"):
        assert page.evaluate(f"getComputedStyle(document.querySelector('{mark}')).stroke") == ink
    for chosen in ("#language", ".names"):
        style = f"getComputedStyle(document.querySelector('{chosen} button[aria-pressed=true]')).outlineStyle"
        assert page.evaluate(style) == "solid"
    sharp = "getComputedStyle(document.querySelectorAll('.tokens')[1].children[1]).borderTopWidth"
    assert page.evaluate(sharp) == "3px"


def test_a_look_is_the_mean_over_the_heads() -> None:
    weights = np.array([[[1.0, 0.0]], [[0.5, 0.5]]], dtype=np.float32)
    found = Inspected(
        Prediction("1", "x", 0.0), (FocusMap("attention", "pooling", weights, ("[0]",), ("a", "b"), (0, 1)),)
    )
    look = look_of("dot", "run", found, "x")
    assert look.weights is not None
    assert look.weights.tolist() == [[0.75, 0.25]]
    assert look.is_right
    facts = look.facts()
    assert facts["effective_positions"] == pytest.approx(1.7548, abs=1e-3)  # exp(0.75 ln(4/3) + 0.25 ln 4)
    assert facts["normalized_entropy"] == pytest.approx(0.8113, abs=1e-3)
    assert facts["means"] == [0.75, 0.25]
    assert look_of("dot", "run", Inspected(Prediction("1", "", 0.0, skipped="empty")), "").note == "skipped: empty"


def test_the_page_speaks_chinese_and_keeps_what_was_chosen(show: Any) -> None:
    page = show()
    page.get_by_role("button", name="test accuracy").click()
    page.get_by_label("Metric").select_option(label="valid loss")
    page.get_by_label("each run").check()
    page.click("#language button[value=zh]")
    assert page.evaluate("document.documentElement.lang") == "zh"
    assert page.title() == "3 种配置，7 次运行：attnfocus compare"
    assert names_of(page)[0] == "additive"  # sorted as before
    assert page.locator(".runs tr.run").count() == 7
    assert page.get_by_label("每次运行").is_checked()
    assert page.get_by_label("指标").input_value() == "1"
    text = page.inner_text("body")
    for words in (
        "测试集 accuracy ↑",
        "参数",
        "与 dot 的差",
        "几乎均匀",
        "✗ 错误",
        "数字的含义",
        "验证集 loss，越小越好",
    ):
        assert words in text, words
    missing = page.evaluate("/undefined|%\\w+%/.test(document.body.innerText)")
    assert not missing
    page.click("#language button[value=en]")
    assert page.locator("h3").first.inner_text() == "Runs"
    assert show(locale="zh-CN").locator("h3").first.inner_text() == "运行"
