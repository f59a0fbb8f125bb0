"""The page tells the truth: one scale for all, uniform looks uniform, paper and forced colors keep what is shown."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from browser_support import processor_seconds, wait_until
from inspection_toys import FACTS, PLACES, example, focus_map, sequence

from attnfocus.data.gold import TokenLinks
from attnfocus.display import palette
from attnfocus.focus import alignment_counts, argmax_links
from attnfocus.focus.head_kinds import KINDS
from attnfocus.inspection.inspection import Inspection
from attnfocus.inspection.scale import scale_of
from attnfocus.tasks import FocusMap, Inspected, Prediction
from attnfocus.tasks.answers import Subtracted

pytestmark = [pytest.mark.slow, pytest.mark.browser]

WORDS = [f"word{number}" for number in range(256)]
SCROLL = "Object.assign(document.getElementById('scroll'), {{scrollTop: {0}, scrollLeft: {0}}})"
SCROLL_ON = """(() => {
  document.getElementById('scroll').scrollTop += 40;
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
})()"""
READ = "getContext('2d').getImageData"


def pooled(weights: np.ndarray, **facts: Any) -> Inspection:
    made = replace(focus_map(("label",), WORDS[: weights.shape[-1]], name="pooling"), weights=weights)
    shown = Inspected(Prediction("1", "yes", -0.1, "text", "yes", **facts), (made,), is_one_answer=True)
    return Inspection(FACTS, "text", (shown,))


def uniform() -> Inspection:
    flat = 1 + 0.5 * np.random.default_rng(1).random((1, 1, 256))
    return pooled((flat / flat.sum()).astype(np.float32))


def sharp() -> Inspection:
    weights = np.full((1, 1, 256), 0.1 / 255, dtype=np.float32)
    weights[0, 0, 7] = 0.9
    return pooled(weights)


def backgrounds(page: Any) -> list[tuple[int, ...]]:
    """The color behind each token; white where there is none."""
    found = page.eval_on_selector_all("#keys span", "all => all.map((each) => each.style.backgroundColor)")
    return [tuple(map(int, re.findall(r"\d+", text))) or (255, 255, 255) for text in found]


def pixel(page: Any, canvas: str, column: int, row: int) -> tuple[int, ...]:
    return tuple(page.evaluate(f"[...document.getElementById('{canvas}').{READ}({column}, {row}, 1, 1).data]")[:3])


@pytest.mark.parametrize("scale", ["one", "largest", "uniform"])
def test_text_matrix_heads_and_legend_have_one_scale(show: Any, scale: str) -> None:
    found = sequence(heads=3)
    page = show(found, f"#scale={scale}&head=1&query=2")
    shown = found.examples[0].maps[0]
    meant = scale_of(shown, scale)  # type: ignore[arg-type]
    for key, back in enumerate(backgrounds(page)):
        weight = float(shown.weights[1, 1, key])
        expected = palette.color(meant.share(weight))
        is_plain = abs(meant.share(weight)) < palette.FAINT
        in_matrix, in_thumbnail = (
            pixel(page, "map", key, 1),
            page.evaluate(f"[...document.querySelectorAll('#heads canvas')[2].{READ}({key}, 1, 1, 1).data]"),
        )
        assert np.abs(np.subtract(in_matrix, expected)).max() <= 3  # weights are kept in 16 bits
        assert tuple(in_thumbnail[:3]) == in_matrix
        assert back == ((255, 255, 255) if is_plain else in_matrix)
    end = {"one": "1", "largest": f"{shown.weights.max():.3g}", "uniform": "≥ × 8"}[scale]
    assert page.inner_text("#high") == end
    assert page.inner_text("#uniform-text") == f"uniform: 1/{len(shown.key_tokens)}"
    assert "One scale for text, matrix and heads" in page.inner_text("#legend-text")


def test_uniform_and_sharp_attention_look_and_read_different(show: Any) -> None:
    page = show(uniform())
    assert re.match(r"Nearly uniform: 25\d of 256 positions", page.inner_text("#spread"))
    assert max(255 - min(back) for back in backgrounds(page)) < 60  # no dark word
    page = show(sharp())
    assert page.inner_text("#spread") == "Looks at about 2.4 of 256 positions."
    assert page.inner_text("#focus-count") == "All measures (1 row)"
    backs = backgrounds(page)
    assert min(backs[7]) < 40
    assert {back for key, back in enumerate(backs) if key != 7} == {(255, 255, 255)}


def test_text_on_a_shade_can_be_read(show: Any) -> None:
    weights = np.linspace(0, 1, 256, dtype=np.float32)[None, None]
    for scheme in ("light", "dark"):
        page = show(pooled(weights), "#scale=one", color_scheme=scheme)
        pairs = page.eval_on_selector_all(
            "#keys span",
            "all => all.map((each) => [getComputedStyle(each).backgroundColor, getComputedStyle(each).color])",
        )
        for back, ink in pairs[20:]:
            first, second = (tuple(map(int, re.findall(r"\d+", text)[:3])) for text in (back, ink))
            assert palette.contrast(first, second) >= 4.5  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_shows_shades_on_white_and_says_what_they_are(show: Any, scheme: str) -> None:
    page = show(sequence(heads=3), "#example=2&head=2", color_scheme=scheme)
    page.emulate_media(media="print", color_scheme=scheme)
    page.wait_for_timeout(500)
    style = "(name) => getComputedStyle(document.querySelector('#keys span[style]'))[name]"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(f"({style})('printColorAdjust')") == "exact"
    ink = re.findall(r"\d+", page.evaluate("getComputedStyle(document.querySelector('#answer dd')).color"))
    assert palette.contrast(tuple(map(int, ink[:3])), palette.WHITE) > 7  # type: ignore[arg-type]
    assert pixel(page, "ramp", 0, 0) == palette.color(0.0, "light")
    shown = page.inner_text("#shown")
    assert shown == "Example 2 of 2. attention, decoder.layers.0.cross, head 2. Scale: 0 to 1."
    assert page.is_hidden("#controls")
    page.emulate_media(media="screen", color_scheme=scheme)
    page.wait_for_timeout(500)
    assert pixel(page, "ramp", 0, 0) == palette.color(0.0, scheme)  # type: ignore[arg-type]


def test_forced_colors_get_borders_and_numbers(show: Any) -> None:
    page = show(sharp(), forced_colors="active")
    token = "document.querySelector('#keys span[data-place=\"7\"]')"
    assert page.evaluate(f"getComputedStyle({token}).borderTopWidth") == "3px"
    assert "0.900" in page.evaluate(f"getComputedStyle({token}, '::after').content")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#keys span[data-place=\"8\"]')).borderTopWidth")
        == "0px"
    )


def linked() -> tuple[Inspection, np.ndarray, TokenLinks]:
    weights = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3], [0.3, 0.3, 0.4]], dtype=np.float32)
    made = replace(focus_map("abcd", "xyz"), weights=weights[None])
    links = TokenLinks(frozenset({(0, 0), (1, 1), (2, 1), (2, 2)}), frozenset({(0, 0), (1, 1), (2, 2)}))
    shown = Inspected(Prediction("1", "abcd", -0.1, "xyz", "abcd"), (made,), links=links)
    return Inspection(FACTS, "text", (shown,)), weights, links


def test_known_links_are_rings_that_are_counted(show: Any) -> None:
    import torch

    found, weights, links = linked()
    page = show(found)
    known = [torch.zeros(4, 3, dtype=torch.bool) for _ in links]
    for mask, pairs in zip(known, links, strict=True):
        for query, key in pairs:
            mask[query, key] = True
    best = argmax_links(torch.from_numpy(weights)) & known[0].any(dim=-1, keepdim=True)
    counts = alignment_counts(best, known[1], known[0])
    agree, extra, missed = counts.possible_found, counts.links - counts.possible_found, counts.sure - counts.sure_found
    assert (agree, missed, extra) == (2, 2, 1)
    for kind, number in (("agree", agree), ("missed", missed), ("extra", extra)):
        assert page.locator(f"#rings .gold-{kind}").count() == number
    assert page.inner_text("#gold").startswith(f"Known alignment: {agree} agree, {missed} missed, {extra} extra.")
    page.focus("#queries")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#keys span[data-place='1']", "class") == "gold-missed"
    assert page.get_attribute("#keys span[data-place='2']", "class") == "gold-extra"


def test_what_people_marked_is_underlined(show: Any) -> None:
    found = sharp()
    weights = found.examples[0].maps[0].weights.copy()
    weights[0, 0, 9] = 0.05
    rationale = tuple(place in (7, 8) for place in range(256))
    shown = replace(found.examples[0], rationale=rationale, maps=(replace(found.examples[0].maps[0], weights=weights),))
    page = show(replace(found, examples=(shown,)))
    classes = [page.get_attribute(f"#keys span[data-place='{key}']", "class") for key in (7, 8, 9)]
    assert classes == ["gold-agree", "gold-missed", "gold-extra"]
    line = "getComputedStyle(document.querySelector('.gold-missed')).textDecorationStyle"
    assert page.evaluate(line) == "dashed"
    assert page.inner_text("#gold").startswith("Evidence in the data: 1 agree, 1 missed, 1 extra.")
    depth = page.evaluate(
        """() => {
      const token = document.querySelector('.gold-agree'), base = document.createElement('i');
      const { bottom } = token.getBoundingClientRect();
      token.append(base);
      base.style.display = 'inline-block';
      return bottom - base.getBoundingClientRect().bottom;
    }"""
    )
    offset = page.evaluate("getComputedStyle(document.querySelector('.gold-agree')).textUnderlineOffset")
    assert float(offset.removesuffix("px")) >= depth - 0.5  # not on the shade, where it would not be seen

    forced = show(replace(found, examples=(shown,)), forced_colors="active")  # where a line below says the weight
    for kind, style in (("agree", "solid"), ("missed", "dashed"), ("extra", "dotted")):
        line = f"getComputedStyle(document.querySelector('#keys .gold-{kind}'))"
        assert forced.evaluate(f"{line}.textDecorationLine") == "overline"
        assert forced.evaluate(f"{line}.textDecorationStyle") == style


def test_class_probabilities_and_whether_it_is_right(show: Any) -> None:
    weights = np.full((1, 1, 4), 0.25, dtype=np.float32)
    page = show(pooled(weights, class_probabilities=(0.2, 0.7, 0.1), labels=("no", "yes", "maybe")))
    assert page.inner_text("#answer .mark") == "right"
    rows = page.eval_on_selector_all("#classes li", "all => all.map((each) => each.innerText.split(/\\s*\\n\\s*/))")
    assert [(row[0], row[-1]) for row in rows] == [("yes ✓", "0.700"), ("no", "0.200"), ("maybe", "0.100")]


def test_a_link_shows_the_same_again(show: Any) -> None:
    found = sequence(heads=3)
    page = show(
        found, "#example=2&method=attention&attention=decoder.layers.1.cross&head=2&query=3&key=1&scale=largest"
    )
    assert [page.input_value(f"#{name}") for name in ("example", "attention", "head", "scale")] == [
        "1",
        "1",
        "2",
        "largest",
    ]
    shown = found.examples[1].maps[1]
    weight = shown.weights[2, 2, 0]
    assert page.inner_text("#readout").startswith(f"{shown.query_tokens[2]} ← {shown.key_tokens[0]}")
    assert float(page.inner_text("#readout").rpartition(" ")[2]) == pytest.approx(weight, abs=6e-4)
    page.select_option("#head", "0")
    wait_until(page, "location.hash.includes('&head=0&')")  # the address follows after a moment
    assert "&query=" in page.evaluate("location.hash")
    page.evaluate("location.hash = '#example=1&head=99&query=1000&scale=none'")  # what there is not is left out
    page.wait_for_timeout(100)
    assert page.input_value("#example") == "0"
    assert page.input_value("#head") == "-1"


def test_numbers_and_picture_can_be_taken_along(show: Any) -> None:
    made = replace(focus_map(("=1+1", "b"), ("<x>", "@y")), weights=np.array([[[0.75, 0.25], [0.5, 0.5]]], np.float32))
    page = show(Inspection(FACTS, "text", (example(made),)))
    with page.expect_download() as tsv:
        page.click("#tsv")
    assert tsv.value.suggested_filename == "1_attention_cross.tsv"
    text = tsv.value.path().read_text(encoding="utf-8")
    assert text == "\t<x>\t'@y\n'=1+1\t0.75\t0.25\nb\t0.5\t0.5\n"
    with page.expect_download() as svg:
        page.click("#svg")
    picture = svg.value.path().read_text(encoding="utf-8")
    assert picture.startswith("<svg xmlns=")
    assert "&#60;x&#62;" in picture
    assert f'fill="rgb({",".join(map(str, palette.color(0.75)))})"' in picture
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#copy")
    wait_until(page, "document.getElementById('copied').textContent === 'Copied.'")
    assert page.evaluate("navigator.clipboard.readText()") == text


def test_heads_have_their_names_with_the_rules(show: Any) -> None:
    found = sequence(heads=3)
    named = {"decoder.layers.0.cross": ("alignment", "mixed", "alignment")}
    page = show(replace(found, head_kinds=named), "#attention=decoder.layers.0.cross")
    assert page.locator("#heads button").all_inner_texts() == [
        "mean",
        "head 0\nalignment",
        "head 1\nmixed",
        "head 2\nalignment",
    ]
    rule = "weight on what translates the output"
    assert page.get_attribute("#heads button:nth-child(2) .kind", "title") == rule
    assert page.inner_text("#kinds").endswith(f"alignment: {rule}; mixed: no rule fits")
    cell = page.locator("#glance button").first
    assert (cell.get_attribute("title"), "(alignment)" in (cell.get_attribute("aria-label") or "")) == (
        f"alignment: {rule}",
        True,
    )
    assert page.locator("#focus .kind").all_inner_texts() == ["alignment", "mixed", "alignment"]
    page.click("#language button[value=zh]")
    assert page.get_attribute("#heads button:nth-child(2) .kind", "title") == "权重在翻译该输出的词元上"
    other = show(found, "#attention=decoder.layers.1.cross")
    assert other.locator(".kind").count() == 0
    assert other.locator("#kinds").is_hidden()


def test_every_name_of_a_head_has_its_rule_in_both_languages(show: Any) -> None:
    page = show(
        replace(sequence(heads=len(KINDS)), head_kinds={"decoder.layers.0.cross": KINDS}),
        "#attention=decoder.layers.0.cross",
    )
    for language in ("en", "zh"):
        page.click(f"#language button[value={language}]")
        titles = page.eval_on_selector_all("#heads .kind", "all => all.map((each) => each.title)")
        assert len(set(titles)) == len(KINDS)
        assert all(titles)


def test_a_table_of_ninety_six_heads_is_one_stop_of_the_keyboard(show: Any) -> None:
    maps = [focus_map("abc", "abc", name=f"layers.{n}", heads=12, seed=n) for n in range(8)]
    page = show(Inspection(FACTS, "text", (example(*maps),)))
    assert page.locator("#focus tr").count() == 96
    page.click("#focus-more summary")
    stops = page.eval_on_selector_all(
        "#focus button, #glance button", "all => all.filter((each) => each.tabIndex === 0).length"
    )
    assert stops == 2
    page.focus("#glance button[tabindex='0']")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    assert page.inner_text("#shown").split(". ")[1] == "attention, layers.2, head 1"
    assert page.evaluate("document.activeElement.dataset.map") == "2"


def test_the_difference_of_two_heads(show: Any) -> None:
    found = sequence(heads=2)
    page = show(found, "#head=0")
    page.select_option("#minus", "0.1")
    page.wait_for_timeout(50)
    first, second = found.examples[0].maps[0].weights
    end = np.abs(first - second).max()
    assert page.inner_text("#high") == f"{end:.3g}".rstrip("0")
    assert page.inner_text("#low").startswith("-")
    for query, key in ((0, 0), (1, 2), (4, 5)):
        expected = palette.color(float((first - second)[query, key] / end))
        assert np.abs(np.subtract(pixel(page, "map", key, query), expected)).max() <= 4


def compared() -> Inspection:
    """Two examples with two attentions of two heads, less those of step 100."""
    found = sequence(heads=2)
    made = []
    for each in found.examples:
        others = [Subtracted("step 100", np.roll(own.weights, 1, axis=-1)) for own in each.maps]
        maps = [replace(own, minus=less) for own, less in zip(each.maps, others, strict=True)]
        made.append(replace(each, maps=tuple(maps)))
    return replace(found, facts={**found.facts, "minus": "step 100"}, examples=tuple(made))


def test_a_page_of_two_steps_shows_their_difference(show: Any) -> None:
    found = compared()
    page = show(found)
    first = found.examples[0].maps[0].difference
    assert "compared with step 100" in page.inner_text("#facts")
    assert page.evaluate("window.attnfocus.state.minus") == "other"
    assert "the same of step 100" in page.inner_text("#legend-text")
    end = np.abs(first).max()
    assert page.inner_text("#high") == f"{end:.3g}".rstrip("0")
    for head, place in ((0, (1, 2)), (1, (4, 5))):  # it follows the head
        page.select_option("#head", str(head))
        page.wait_for_timeout(50)
        expected = palette.color(float(first[head][place] / end))
        assert np.abs(np.subtract(pixel(page, "map", place[1], place[0]), expected)).max() <= 4
    page.select_option("#minus", "")
    page.wait_for_timeout(300)
    assert page.inner_text("#low") == "0"
    assert "minus=none" in page.evaluate("location.hash")
    page.select_option("#minus", "other")
    page.select_option("#attention", "3")  # the other's own map
    page.wait_for_timeout(50)
    assert (
        page.eval_on_selector("#attention", "each => each.selectedOptions[0].text")
        == "decoder.layers.0.cross, step 100"
    )
    assert page.inner_text("#low") == "0"
    page.select_option("#example", "1")
    page.select_option("#attention", "1")
    page.wait_for_timeout(50)
    assert page.inner_text("#low").startswith("-")


def test_subwords_are_merged_to_words(show: Any) -> None:
    made = replace(
        focus_map(("label",), ("▁un", "believ", "able", "▁film"), name="pooling"),
        weights=np.array([[[0.1, 0.2, 0.3, 0.4]]], np.float32),
    )
    page = show(Inspection(FACTS, "text", (example(made),)))
    page.check("#words")
    page.wait_for_timeout(50)
    assert page.eval_on_selector_all("#keys span", "all => all.map((each) => each.textContent)") == [
        "unbelievable",
        "film",
    ]
    assert page.inner_text("#most li:first-child").split() == ["unbelievable", "0.600"]


def test_search_finds_examples(show: Any) -> None:
    page = show(sequence())
    page.fill("#search", "JUIL")
    page.wait_for_timeout(100)
    assert page.locator("#example option").count() == 1
    assert page.input_value("#example") == "1"
    assert page.inner_text("#found") == "1 of 2"


def test_each_number_has_words_and_a_direction(show: Any) -> None:
    """In both languages; numbers of the maps that are neither more nor less focused have no arrow."""
    page = show(sequence())
    rows = page.eval_on_selector_all(
        "#faithfulness tr", "all => all.map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    assert rows[0] == ["The verdict rests on"]
    assert rows[1][:4] == ["skill", "0.500", "[0.25, 0.75]", "↑"]
    assert "gain over random positions" in rows[1][4]
    assert rows[3][:4] == ["sufficiency", "0.250", "", "↓"]
    assert page.inner_text("#glossary") == "lead: how far."
    heads = page.eval_on_selector_all("#focus-head th", "all => all.map((cell) => cell.innerText)")[1:]
    assert {"effective positions ↓", "top mass ↑", "first mass"} <= set(heads)
    assert page.eval_on_selector_all("#meanings dt", "all => all.map((each) => each.innerText)") == heads
    assert all(page.eval_on_selector_all("#meanings dd", "all => all.map((each) => each.innerText.length > 8)"))
    page.click("#language button[value='zh']")
    assert "判断依据" in page.inner_text("#faithfulness")
    assert "权重最大的位置所占的比例" in page.inner_text("#meanings")
    assert page.inner_text("#glossary") == "领先：多远。"


def test_the_page_speaks_chinese(show: Any) -> None:
    page = show(sequence())
    assert page.inner_text("#verdict") == "Weights say little."
    page.click("#language button[value='zh']")
    assert page.inner_text("#verdict") == "不可信。"
    assert page.inner_text("#scale option:first-child") == "0 到 1"
    assert page.evaluate("document.documentElement.lang") == "zh"
    missing = page.evaluate(
        "(() => { const text = document.body.innerText; return text.includes('undefined') || /%\\w+%/.test(text); })()"
    )
    assert not missing
    assert show(sequence(), locale="zh-CN").inner_text("#copy") == "复制数字"


def long_map(heads: int) -> FocusMap:
    """Of 700 queries and 700 keys: a third of a row's weight on one key, the rest on all alike, noisily."""
    size = 700
    weights = 1 + 0.5 * np.random.default_rng(0).random((heads, size, size))
    weights /= 1.5 * weights.sum(axis=-1, keepdims=True)
    weights[:, np.arange(size), (np.arange(size) + 90) % size] += 1 / 3
    tokens = tuple(f"word{number}" for number in range(size))
    return FocusMap("attention", "0", weights.astype(np.float32), tokens, tokens, tuple(range(heads)), PLACES["0"])


def figures(row: str) -> list[float]:
    return [float(text) for text in row.split("\t")[1:]]


def tsv_of(page: Any) -> str:
    with page.expect_download() as saved:
        page.click("#tsv")
    text: str = saved.value.path().read_text(encoding="utf-8")
    return text


@pytest.mark.parametrize("has_details", [True, False])
def test_a_row_of_a_large_map_is_what_it_is_everywhere(show: Any, has_details: bool) -> None:
    made = long_map(1)
    found = Inspection(FACTS, "text", (example(made, source="long"),), has_details=has_details)
    page = show(found)
    page.evaluate("attnfocus.choose({query: 400, key: 3})")
    wait_until(page, "/^Looks[^,]*$/.test(document.getElementById('spread').textContent)")  # of the row alone
    row = made.weights[0, 400].astype(np.float64)
    used = np.exp(-(row * np.log(row)).sum())
    assert page.inner_text("#spread") == f"Looks at about {used:.0f} of 700 positions."
    near = 1.2e-4 if has_details else 0.4 / 700
    shown = figures(tsv_of(page).splitlines()[1])
    assert shown == pytest.approx(row, abs=near)
    assert shown[490] == pytest.approx(row[490], rel=1e-3)
    assert min(shown) > 0.5 / 700  # nothing that is looked at counts as not looked at
    assert float(page.inner_text("#readout").rpartition(" ")[2]) == pytest.approx(shown[3], abs=6e-5)
    assert page.inner_text("#most li:first-child .token") == "word490"


def test_large_maps_of_two_steps_are_subtracted_too(show: Any) -> None:
    made = long_map(2)
    before = np.roll(made.weights, 5, axis=-1)
    pair = replace(made, minus=Subtracted("step 100", before))
    found = Inspection({**FACTS, "minus": "step 100"}, "text", (example(pair, source="long"),))
    page = show(found)
    assert page.evaluate("attnfocus.state.minus") == "other"
    assert "the same of step 100" in page.inner_text("#legend-text")
    apart = (made.weights - before).mean(axis=0).astype(np.float64)
    page.evaluate("attnfocus.choose({query: 400, key: 3})")
    page.wait_for_timeout(500)
    row = figures(tsv_of(page).splitlines()[1])
    assert row == pytest.approx(apart[400], abs=float(2.5 * np.abs(apart).max() / 127))  # signed details have 7 bits
    assert row[490] == pytest.approx(apart[400, 490], rel=1e-3)
    assert row[495] == pytest.approx(apart[400, 495], rel=1e-3)
    assert page.inner_text("#high") == f"{np.abs(made.weights - before).max():.3g}".rstrip("0")
    page.select_option("#minus", "")
    page.wait_for_timeout(500)
    assert figures(tsv_of(page).splitlines()[1])[490] == pytest.approx(made.weights.mean(axis=0)[400, 490], rel=1e-3)
    page.select_option("#attention", "1")  # the other's own map
    page.wait_for_timeout(500)
    page.evaluate("attnfocus.choose({query: 400})")
    assert figures(tsv_of(page).splitlines()[1])[495] == pytest.approx(before.mean(axis=0)[400, 495], rel=1e-3)


def test_the_tiles_of_two_large_maps_do_not_wait_for_each_other(show: Any) -> None:
    first, second = long_map(1), replace(long_map(1), name="1")
    page = show(Inspection(FACTS, "text", (example(first, second, source="long"),)))
    row = second.weights[0, 400]
    key = int(row.argmin())  # a fifth below the mean of its block
    page.evaluate(
        """async (key) => {
      await attnfocus.choose({map: 1});
      await attnfocus.choose({map: 0, query: 400});
      await attnfocus.choose({map: 1, query: 400, key});  // while tiles of the first are being unpacked
    }""",
        key,
    )
    page.wait_for_timeout(1000)
    assert page.input_value("#attention") == "1"
    assert float(page.inner_text("#readout").rpartition(" ")[2]) == pytest.approx(row[key], abs=1.2e-4)


def test_four_thousand_tokens_open_as_a_sketch_and_show_details_where_one_looks(show: Any) -> None:
    size = 4000
    distance = np.abs(np.arange(size)[:, None] - np.arange(size)[None])
    weights = np.exp(-distance / 20.0) + 0.01 * np.random.default_rng(0).random((size, size))
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)[None]
    tokens = tuple(f"word{number}" for number in range(size))
    made = FocusMap("attention", "0", weights, tokens, tokens, (0,), PLACES["0"])
    page = show(Inspection(FACTS, "text", (example(made, source="long"),)))
    assert processor_seconds(page) < 2
    assert page.evaluate("document.getElementById('map').width * document.getElementById('map').height") < 60_000
    assert page.is_visible("#overview")
    cell = page.evaluate("document.getElementById('zoom').valueAsNumber")
    times = []
    for place in (500, 1500, 3000):
        page.evaluate(SCROLL.format(place * cell))
        page.wait_for_timeout(400)
        page.evaluate(f"attnfocus.choose({{query: {place + 5}, key: {place + 9}}})")
        page.wait_for_timeout(200)
        assert float(page.inner_text("#readout").rpartition(" ")[2]) == pytest.approx(
            weights[0, place + 5, place + 9], rel=0.05
        )
        before = processor_seconds(page)
        page.evaluate(SCROLL_ON)
        times.append(processor_seconds(page) - before)
    assert max(times) < 0.2, times  # seconds for two frames
