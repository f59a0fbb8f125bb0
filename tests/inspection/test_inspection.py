"""What an inspection is shown as: a page, JSON, figures, and lines on a screen."""

import base64
import gzip
import hashlib
import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspection_toys import FACTS, HOSTILE, example, focus_map, hostile, large, sequence
from rich.cells import cell_len
from rich.console import Console

from attnfocus.display.console import plain_console
from attnfocus.display.palette import Mode, color, contrast, terminal_style
from attnfocus.inspection.content import best_map, focus_rows, likelihood
from attnfocus.inspection.inspection import Inspection
from attnfocus.inspection.page import coded, embedded_json
from attnfocus.inspection.scale import Scale, scale_of
from attnfocus.inspection.terminal import is_nearly_uniform, pieces, print_inspection
from attnfocus.tasks import Inspected, Prediction


class Page(HTMLParser):
    """Elements of a page: (tag, attributes, text)."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.is_inside = False
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        self.is_inside = True

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = False

    def handle_data(self, data: str) -> None:
        if self.is_inside:
            self.elements[-1][2].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, "".join(text)) for name, attributes, text in self.elements if name == tag]

    def data(self) -> dict[str, Any]:
        (text,) = [text for attributes, text in self.all("script") if attributes.get("type") == "application/json"]
        found: dict[str, Any] = json.loads(text)
        return found


def decoded(each: dict[str, Any]) -> np.ndarray:
    """What the page's script makes of the coded weights, written down a second time."""
    codes = np.frombuffer(gzip.decompress(base64.b64decode(each["data"])), dtype="<" + each["code"]).astype(float)
    highest = {"u1": 255, "i1": 127, "u2": 65535, "i2": 32767}[each["code"]]
    return np.sign(codes) * (codes / highest) ** 2 * each["largest"]


def printed(found: Inspection, width: int = 10_000) -> str:
    stream = io.StringIO()
    print_inspection(plain_console(stream, width), found)
    return stream.getvalue()


def drawn(found: Inspection, width: int = 80, mode: Mode = "dark") -> Console:
    console = Console(
        width=width, force_terminal=True, color_system="truecolor", record=True, file=io.StringIO(), highlight=False
    )
    print_inspection(console, found, mode)
    return console


def test_the_page_holds_every_weight() -> None:
    found = sequence()
    data = Page(found.page()).data()
    assert data["run"] == FACTS
    for given, told in zip(found.examples, data["examples"], strict=True):
        assert told["source"] == given.prediction.source
        for each, read in zip(given.maps, told["maps"], strict=True):
            assert tuple(told["tokens"][read["keys"]]) == each.key_tokens
            assert tuple(told["tokens"][read["queries"]]) == each.query_tokens
            assert read["shape"] == list(each.weights.shape)
            assert np.abs(decoded(read).reshape(each.weights.shape) - each.weights).max() < 1e-4 * read["largest"]


@pytest.mark.parametrize("is_fine", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_small_weights_keep_their_digits(is_fine: bool, signed: bool) -> None:
    sizes = np.array([0.0, 1e-4, 3e-3, 0.02, 0.5, 1.0], dtype=np.float32)
    weights = np.concatenate((sizes, -sizes)) if signed else sizes
    read = decoded(coded(weights, is_fine))
    error = np.abs(read - weights)
    half = 0.5 / {(True, False): 65535, (True, True): 32767, (False, False): 255, (False, True): 127}[is_fine, signed]
    assert (error <= half * (2 * np.sqrt(np.abs(weights)) + half) + 1e-7).all()


def test_weights_that_are_all_zero_or_not_finite_are_coded() -> None:
    assert decoded(coded(np.zeros(3), True)).tolist() == [0, 0, 0]
    assert decoded(coded(np.array([np.nan, np.inf, 1.0]), False)).tolist() == [0, 0, 1]


def test_nothing_in_a_token_becomes_markup() -> None:
    text = hostile().page()
    page = Page(text)
    assert text.isascii()
    assert not page.all("img")
    assert len(page.all("script")) == len(Page(sequence().page()).all("script")) == 2
    data = page.data()
    assert tuple(data["examples"][0]["tokens"][0][: len(HOSTILE)]) == HOSTILE
    assert data["examples"][0]["tokens"][0][-4:] == ["\\u202e", "\\udc80", "\\x1b[31m", ""]


def test_embedded_json_has_no_character_that_html_knows() -> None:
    content = {text: text for text in (*HOSTILE, "\u2028", "年", "\ud800")}
    written = embedded_json(content)
    assert not set("<>&'") & set(written)
    assert written.isascii()
    assert json.loads(written) == content


def test_the_page_may_run_its_own_script_and_nothing_else() -> None:
    page = Page(sequence().page())
    (policy,) = [each.get("content") or "" for each, _ in page.all("meta") if "http-equiv" in each]
    assert "default-src 'none'" in policy
    script = next(text for attributes, text in page.all("script") if not attributes)
    (style,) = [text for _, text in page.all("style")]
    for kind, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    for _, attributes, _ in page.elements:
        assert not {"src", "href", "style", "srcdoc"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"https?://|url\(|@import", page_without_data(sequence()))


def page_without_data(found: Inspection) -> str:
    return re.sub(r'<script type="application/json".*?</script>', "", found.page(), flags=re.DOTALL)


def test_every_control_of_the_page_has_a_name() -> None:
    page = Page(sequence().page())
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes, _ in page.all("div"):
        if attributes.get("tabindex") == "0":
            assert attributes.get("aria-labelledby") in ids
    script = next(text for attributes, text in page.all("script") if not attributes)
    assert set(re.findall(r'\$\("([\w-]+)"\)', script)) <= set(ids)


def test_twelve_layers_of_twelve_heads_at_200_tokens_stay_below_ten_megabytes() -> None:
    page = large().page()
    assert len(page) < 10_000_000  # random weights, which no compression makes smaller
    assert {each["code"] for each in Page(page).data()["examples"][0]["maps"]} == {"u1"}


def test_what_is_too_large_for_one_file_is_named_and_left_out(tmp_path: Path) -> None:
    found = sequence()
    found = replace(found, max_values=sum(each.weights.size for each in found.examples[0].maps))
    first, second = Page(found.page()).data()["examples"]
    assert first["maps"]
    assert not second["maps"]
    assert "Choose a layer or head" in second["note"]
    assert "maps" not in found.as_facts()["examples"][1]
    written = found.save(tmp_path, ["png"])
    assert len([path for path in written if path.suffix == ".png"]) == 6  # a figure is as large as it is


def test_skipped_inputs_are_shown_with_their_reason() -> None:
    skipped = Inspected(Prediction("2", "", math.nan, "", skipped="empty input"))
    found = Inspection(FACTS, "text", (*sequence().examples, skipped))
    assert "skipped: empty input" in printed(found)
    assert Page(found.page()).data()["examples"][2]["note"] == "skipped: empty input"
    assert found.as_facts()["examples"][2]["skipped"] == "empty input"


def test_everything_is_saved_where_asked(tmp_path: Path) -> None:
    found = sequence()
    written = found.save(tmp_path / "new" / "folder")
    captions = [path.with_suffix(".txt").name for path in written if path.suffix == ".png"]
    assert sorted(path.name for path in written if path.name not in captions) == [
        "1_attention_decoder.layers.0.cross.png",
        "1_attention_decoder.layers.1.cross.png",
        "1_gradient_input.png",
        "2_attention_decoder.layers.0.cross.png",
        "2_attention_decoder.layers.1.cross.png",
        "2_gradient_input.png",
        "index.html",
        "inspect.json",
    ]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(p.name for p in written)
    facts = json.loads((tmp_path / "new" / "folder" / "inspect.json").read_text(encoding="utf-8"))
    weights = np.array(facts["examples"][0]["maps"][0]["weights"])
    assert np.abs(weights - found.examples[0].maps[0].weights).max() <= 1e-5
    assert facts["verdict"] == {"en": "Weights say little.", "zh": "不可信。"}


def test_names_of_files_stay_inside_the_folder(tmp_path: Path) -> None:
    odd = replace(sequence().examples[0].maps[0], name="../../x/<y>")
    paths = Inspection(FACTS, "text", (example(odd),)).save(tmp_path / "in", ["png"])
    assert {path.parent for path in paths} == {tmp_path / "in"}


def test_a_notebook_shows_the_page_in_a_frame_that_can_reach_nothing() -> None:
    (attributes, _), *others = Page(hostile()._repr_html_()).all("iframe")
    assert not others
    assert attributes["sandbox"] == "allow-scripts"
    assert attributes["srcdoc"] == hostile().page()


def test_its_text_is_what_a_pipe_gets() -> None:
    assert repr(sequence()).splitlines() == printed(sequence(), width=100).rstrip().splitlines()
    assert "\x1b" not in printed(hostile())


def test_plain_lines_tell_each_output_token_and_what_it_reads_most() -> None:
    weights = np.array([[[0.9, 0.1, 0.0], [0.05, 0.25, 0.7]]], dtype=np.float32)
    made = replace(focus_map("ab", "xyx"), weights=weights)
    lines = printed(Inspection(FACTS, "text", (example(made),))).splitlines()
    assert "   a  x@1 0.90  y 0.10  x@3 0.00" in lines
    assert "   b  x@3 0.70  y 0.25  x@1 0.05" in lines


def test_a_classifier_prints_each_token_with_its_number() -> None:
    weights = np.array([[[0.75, 0.25]], [[0.25, 0.75]]], dtype=np.float32)
    made = replace(focus_map(("pooling",), ("good", "▁film"), name="pooling", heads=2), weights=weights)
    text = printed(Inspection(FACTS, "text", (example(made),)))
    assert "good 0.50  film 0.50" in text
    assert "mean of 2 heads" in text


def test_plain_lines_break_between_tokens_where_a_narrow_screen_ends() -> None:
    made = focus_map(("pooling",), [f"word{number}" for number in range(30)], name="pooling")
    lines = printed(Inspection(FACTS, "text", (example(made),)), width=40).splitlines()
    assert max(map(cell_len, lines)) <= 40
    assert all(re.fullmatch(r"(word\d+ \d\.\d\d *)+", line.strip()) for line in lines if "word" in line)


@pytest.mark.parametrize("source", ["3. Mai 1999", "1999年5月3日", "中" * 40, "x" * 300])
def test_lines_fit_eighty_columns_also_with_wide_characters(source: str) -> None:
    sequences = example(focus_map("05-03", source), source="short")
    pooled = example(focus_map(("pooling",), source, name="pooling"), source="short")
    lines = drawn(Inspection(FACTS, "text", (sequences, pooled))).export_text(styles=False).splitlines()
    assert max(cell_len(line) for line in lines) <= 80


@pytest.mark.parametrize("width", [50, 80])
def test_lines_of_long_words_fit_too(width: int) -> None:
    keys = [f"extraordinarily{number}" for number in range(9)]
    lines = drawn(Inspection(FACTS, "text", (example(focus_map(["unbelievably"] * 2, keys), source="short"),)), width)
    found = lines.export_text(styles=False).splitlines()
    assert max(cell_len(line) for line in found) <= width
    assert any("extraordinari" in line for line in found)


def test_what_the_screen_leaves_out_tells_how_it_is_seen() -> None:
    assert "gradient input: method=gradient_input prints it" in printed(sequence())


def test_the_screen_shades_what_is_read() -> None:
    weights = np.array([[[0.0, 1.0]]], dtype=np.float32)
    made = replace(focus_map(("pooling",), ("dull", "bright"), name="pooling"), weights=weights)
    text = drawn(Inspection(FACTS, "text", (example(made),))).export_text(styles=True)
    assert re.search(rf"\x1b\[[\d;]*48;2;{';'.join(map(str, color(1.0, 'dark')))}mbright", text)
    assert re.search(r"(?<!m)dull", text)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_on_both_backgrounds_large_weights_are_the_loud_ones(mode: Mode) -> None:
    keys = [f"word{number}" for number in range(10)]
    weights = np.linspace(0.05, 0.9, 10, dtype=np.float32)[None, None]
    made = replace(focus_map(("pooling",), keys, name="pooling"), weights=weights)
    text = drawn(Inspection(FACTS, "text", (example(made),)), mode=mode).export_text(styles=True)
    found = [re.search(rf"\x1b\[[\d;]*48;2;(\d+);(\d+);(\d+)m ?{key}\b", text) for key in keys]
    backs = [tuple(map(int, each.groups())) for each in found if each]
    loudness = [contrast(back, (255, 255, 255) if mode == "light" else (0, 0, 0)) for back in backs]  # type: ignore[arg-type]
    assert len(backs) == len(keys)
    assert loudness == sorted(loudness)
    assert loudness[0] < 1.4


def test_every_line_of_a_translation_has_the_same_scale_and_a_legend() -> None:
    weights = np.array([[[0.8, 0.2], [0.45, 0.55]]], dtype=np.float32)
    made = replace(focus_map("ab", "xy"), weights=weights)
    console = drawn(Inspection(FACTS, "text", (example(made),), scale="one"))
    text = console.export_text(styles=True)
    for weight in (0.8, 0.55):
        red, green, blue = color(weight, "dark")
        assert f"48;2;{red};{green};{blue}m" in text
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert re.search(r"^   0 +1  \(uniform: 1/2 = 0\.500\)$", plain, re.MULTILINE)


def test_nearly_uniform_weights_are_called_so() -> None:
    keys = [f"word{number}" for number in range(64)]
    flat = 1 + 0.2 * np.random.default_rng(0).random((1, 1, 64))
    made = replace(focus_map(("pooling",), keys, name="pooling"), weights=(flat / flat.sum()).astype(np.float32))
    assert is_nearly_uniform(made)
    assert "nearly uniform, 6" in printed(Inspection(FACTS, "text", (example(made),)))
    sharp = replace(made, weights=np.eye(1, 64, dtype=np.float32)[None])
    assert not is_nearly_uniform(sharp)
    assert "nearly uniform" not in printed(Inspection(FACTS, "text", (example(sharp),)))
    loud = [abs(scale_of(made).share(float(weight))) for weight in made.weights[0, 0]]
    assert max(loud) < 0.15  # a page of dark words would say the opposite
    assert scale_of(made).name == "uniform"
    assert scale_of(sharp).name == "one"


def test_a_scale_says_what_a_color_means() -> None:
    assert Scale("one", 0.5, 8).share(0.25) == 0.25
    assert Scale("largest", 0.5, 8).share(0.25) == 0.5
    uniform = Scale("uniform", 0.5, 8)
    assert [uniform.share(weight) for weight in (1 / 8, 1 / 4, 1 / 2, 1.0)] == [0.0, 1 / 3, 2 / 3, 1.0]
    assert uniform.share(0.0) == uniform.share(1 / 64) == -0.12
    assert [uniform.weight(part) for part in (0.0, 0.5, 1.0)] == [1 / 64, 1 / 8, 1.0]
    signed = replace(focus_map("ab", "xy", signed=True), weights=np.array([[[-2.0, 1.0], [0.0, 0.5]]], np.float32))
    assert (scale_of(signed, "one").name, scale_of(signed).share(-2.0)) == ("largest", -1.0)


def test_signs_have_hues_of_their_own() -> None:
    assert terminal_style(0.0) == terminal_style(math.nan) == ""
    assert terminal_style(0.5) != terminal_style(-0.5)


def test_tokens_read_as_the_text() -> None:
    assert "".join(pieces(["▁Ein", "▁Mann", "s", "."])) == " Ein Manns."
    assert "".join(pieces(["a", "film", "."])) == "a film ."
    assert "".join(pieces(list("年5月"))) == "年5月"


def test_the_map_shown_first_is_where_output_and_input_meet() -> None:
    maps = [focus_map("a", "b", name=name) for name in ("encoder.layers.0", "x.0.cross", "x.1.self", "x.1.cross")]
    assert best_map(maps).name == "x.0.cross"
    assert best_map(maps[:2]).name == "x.0.cross"
    assert best_map(maps[:1]).name == "encoder.layers.0"
    assert best_map([focus_map("a", "b", name=name) for name in ("layers.0", "pooling")]).name == "pooling"


def test_focus_rows_are_those_of_each_head() -> None:
    one, even = [[1.0, 0.0, 0.0, 0.0]], [[0.25] * 4]
    made = replace(focus_map(("pooling",), "abcd", name="pooling", heads=2), weights=np.array([one, even], np.float32))
    rows = focus_rows(made)
    assert [round(row["effective_positions"], 4) for row in rows] == [1.0, 4.0]
    assert [row["positions"] for row in rows] == [4.0, 4.0]


@pytest.mark.parametrize(
    ("score", "text"), [(-0.1, "probability 0.9048"), (-30.0, "log probability -30.00"), (math.nan, "")]
)
def test_tiny_probabilities_are_told_as_logarithms(score: float, text: str) -> None:
    assert likelihood(score) == text
