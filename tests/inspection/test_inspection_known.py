"""What people know of an example, at the places of its maps."""

from dataclasses import replace

import numpy as np
import pytest
from inspection_toys import FACTS, PLACES, example, focus_map

from attnfocus.data.gold import TokenLinks
from attnfocus.inspection.content import is_long
from attnfocus.inspection.inspection import Inspection
from attnfocus.inspection.known import linked_map, moved, rationale_keys
from attnfocus.inspection.page import page_data
from attnfocus.inspection.page.coding import coded, sketch


def test_links_follow_their_tokens_into_the_output() -> None:
    links = TokenLinks(frozenset({(0, 0), (1, 1), (2, 2), (3, 9)}), frozenset({(0, 0), (2, 2)}))
    found = moved(links, ["a", "dog", "runs", "."], ["the", "dog", "quickly", "runs", "."], num_inputs=5)
    assert found.possible == {(1, 1), (3, 2)}  # "a" is not in the output, input 9 was cut off
    assert found.sure == {(3, 2)}


def test_rationales_stand_behind_what_the_model_puts_before_the_input() -> None:
    made = focus_map(("<cls>", "a", "b"), ("<cls>", "a", "b"), name="0")
    shown = replace(example(made), is_one_answer=True, rationale=(False, True))
    assert rationale_keys(shown, made) == [2]
    attribution = replace(focus_map(("label",), ("a", "b"), method="gradient_input"), place=None)
    assert rationale_keys(shown, attribution) == [1]
    assert rationale_keys(shown, replace(made, place=PLACES["self"])) is None  # over the output
    assert rationale_keys(example(made), made) is None


def test_links_are_of_maps_from_output_to_input() -> None:
    links = TokenLinks(frozenset({(0, 0)}), frozenset())
    shown = replace(example(focus_map("ab", "xy"), focus_map("ab", "ab", name="self")), links=links)
    assert [linked_map(shown, each) for each in shown.maps] == [True, False]
    data = page_data(Inspection(FACTS, "text", (shown,)))["examples"][0]
    assert data["links"] == [(0, 0, 0)]
    assert [each["gold"] for each in data["maps"]] == ["links", None]


@pytest.mark.parametrize("heads", [1, 2])
def test_a_sketch_has_block_means_and_the_largest_of_each_row(heads: int) -> None:
    weights = np.random.default_rng(0).random((heads, 700, 900)).astype(np.float32)
    assert is_long(weights)
    assert not is_long(weights[:, :600, :600])
    made = sketch(weights, has_details=True)
    down, across = made["grid"]
    rows, columns = np.arange(700) * down // 700, np.arange(900) * across // 900
    number = 1 if heads == 1 else heads + 1
    from test_inspection import decoded

    blocks = decoded(made["blocks"]).reshape(number, down, across)
    for head, each in enumerate([*weights, weights.mean(axis=0)][:number]):
        expected = each[rows == 5][:, columns == 7].mean()
        assert blocks[head, 5, 7] == pytest.approx(expected, rel=1e-3)
    top = decoded(made["top"]).reshape(number, 700, made["count"])
    assert np.sort(top[0, 3]) == pytest.approx(np.sort(weights[0, 3])[-made["count"] :], rel=1e-3)
    assert len(made["details"]) == number
    assert [len(row) for row in made["details"][0]] == [4, 4, 4]
    assert made["details"][0][2][3]["data"] == coded(weights[0, 512:, 768:], False)["data"]
    assert sketch(weights, has_details=False)["details"] is None


def test_what_is_too_large_for_a_page_is_a_sketch_without_details() -> None:
    tokens = [f"word{number}" for number in range(700)]
    found = Inspection(FACTS, "text", (example(focus_map(tokens, tokens, name="0")),), max_values=400_000)
    (only,) = page_data(found)["examples"][0]["maps"]
    assert only["sketch"]["details"] is None
