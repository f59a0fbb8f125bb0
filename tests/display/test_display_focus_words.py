"""Every measure of focus that an evaluation has is said in words of both languages."""

import torch

from attnfocus.display.focus_words import MEASURE_WORDS
from attnfocus.display.run_words import measure_words
from attnfocus.tasks.measures.focus import MAX_LOGIT, FocusMeans


def test_each_measure_of_an_evaluation_has_words() -> None:
    """Of long self-attention of two heads whose weights sum to 2, of writing, and of a pooling with special tokens."""
    means = FocusMeans()
    full = torch.full((1,), 80)
    special = torch.arange(80)[None] == 0
    means.add("self", "self", torch.full((1, 2, 64, 80), 2 / 80), full, full, special, places=torch.arange(64)[None])
    means.add("cross", "cross", torch.softmax(torch.randn(1, 2, 5, 80), dim=-1), full, None)
    means.add("pooling", "pooling", torch.softmax(torch.randn(1, 1, 1, 80), dim=-1), full, None, special)
    names = {name for row in means.table().rows for name in row.measures} | {MAX_LOGIT, "drift"}
    assert names == MEASURE_WORDS.keys()
    for words in MEASURE_WORDS.values():
        assert words.higher in ("more", "less", "")
        assert all(map(str.strip, (words.name, words.en, words.zh)))
    assert measure_words("top_mass") == "weight of the largest position"
    assert measure_words("of_my_own") == "of my own"
