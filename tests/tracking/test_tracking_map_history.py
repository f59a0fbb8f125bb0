"""focus/history.safetensors: few evaluations, evenly thinned; after a kill what would be there without; small maps."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from attnfocus.layout import MAPS_FOLDER, MAPS_HISTORY_FILE
from attnfocus.tracking.map_history import MAX_KEPT, MAX_NUMBERS, MapHistory, in_blocks, read_history, stride_of

WHOLE = {"cross": [(None, None)] * 9}


def maps_at(step: int, examples: int = 1, heads: int = 2) -> dict[str, torch.Tensor]:
    drawn = torch.rand(examples, heads, 3, 5, generator=torch.Generator().manual_seed(step))
    return {"cross": drawn / drawn.sum(dim=-1, keepdim=True)}


def history_of(steps: list[int]) -> MapHistory:
    history = MapHistory()
    for step in steps:
        history.add(step, maps_at(step), WHOLE)
    return history


def test_few_evaluations_stay_evenly_spaced_with_the_last() -> None:
    assert list(history_of(list(range(10, 90, 10))).kept) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert list(history_of(list(range(10, 100, 10))).kept) == [10, 30, 50, 70, 90]
    assert list(history_of(list(range(10, 110, 10))).kept) == [10, 30, 50, 70, 90, 100]
    for count in range(1, 300):
        stride = stride_of(count)
        assert len({*range(0, count, stride), count - 1}) <= MAX_KEPT
        assert stride >= stride_of(count - 1)  # what was thinned away is never needed again


@pytest.mark.parametrize("killed", [3, 9, 16])
@pytest.mark.parametrize("behind", [1, 5])
def test_a_resumed_run_keeps_what_an_uninterrupted_one_does(killed: int, behind: int, tmp_path: Path) -> None:
    """The checkpoint lies some evaluations before the kill."""
    steps = list(range(1, 21))
    history_of(steps).write(tmp_path / "whole")
    part = tmp_path / "part"
    history_of(steps[:killed]).write(part)
    last = max(0, killed - behind)
    again = read_history(part)
    again.go_back(last)
    assert again.steps == steps[:last]
    for step in steps[last:]:
        again.add(step, maps_at(step), WHOLE)
    again.write(part)
    files = [folder / MAPS_FOLDER / MAPS_HISTORY_FILE for folder in (tmp_path / "whole", part)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_padding_is_cut_and_numbers_are_rounded_to_half_precision() -> None:
    history = MapHistory()
    given = maps_at(1, examples=2)
    history.add(1, given, {"cross": [(2, 4), (3, None)]})
    first, second = (of["cross"] for of in history.common())
    assert first.shape == (1, 2, 2, 4)
    assert second.shape == (1, 2, 3, 5)
    assert first.dtype == torch.float16
    assert second[0].float().numpy() == pytest.approx(given["cross"][1].numpy(), abs=5e-4)


def test_long_maps_are_blocks_that_keep_all_weight() -> None:
    """Over the keys weights are added, over the queries the mean is taken."""
    weights = torch.rand(2, 65, 100)
    weights /= weights.sum(dim=-1, keepdim=True)
    found = in_blocks(weights)
    assert found.shape == (2, 32, 32)
    assert found.sum(dim=-1).numpy() == pytest.approx(np.ones((2, 32)), abs=1e-5)
    places = torch.arange(100) * 32 // 100
    assert found[1, 0, 0] == pytest.approx(float(weights[1, :3, places == 0].sum() / 3), abs=1e-6)
    assert in_blocks(weights[:, :5, :7]).equal(weights[:, :5, :7])


def test_many_heads_are_of_fewer_examples() -> None:
    def examples_of(heads: int) -> int:
        history = MapHistory()
        history.add(1, {"cross": torch.rand(6, heads, 32, 32)}, WHOLE)
        return len(history.kept[1])

    of_all = MAX_NUMBERS // 1024
    assert [examples_of(heads) for heads in (1, of_all // 2, of_all, of_all + 1)] == [4, 2, 1, 0]


def test_examples_that_not_all_evaluations_have_are_not_compared() -> None:
    history = MapHistory()
    history.add(1, maps_at(1, examples=3), WHOLE)
    history.add(2, maps_at(2, examples=2), WHOLE)
    assert [of["cross"].shape for of in history.common()] == [(2, 2, 3, 5)] * 2
    history.add(3, maps_at(3, examples=2, heads=1), WHOLE)
    assert history.common() == []


def test_no_file_and_a_damaged_one_are_no_history(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_history(tmp_path) == MapHistory()
    history_of([1, 2]).write(tmp_path)
    assert list(read_history(tmp_path).kept) == [1, 2]
    (tmp_path / MAPS_FOLDER / MAPS_HISTORY_FILE).write_bytes(b"damaged")
    with caplog.at_level(logging.INFO, logger="attnfocus"):
        assert read_history(tmp_path) == MapHistory()
    assert "no maps of earlier evaluations" in caplog.text
