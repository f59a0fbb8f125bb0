from pathlib import Path

import pytest

from attnfocus.data.rows import Source
from attnfocus.data.sources.identity import Identity


def test_each_class_is_its_unit_vector_at_its_position():
    rows = Identity().read(Path(), 0).splits["train"]
    assert [row.target for row in rows] == ["0", "1", "2", "3"]
    for c, row in enumerate(rows):
        assert row.input.tolist() == [[float(p == c and i == c) for i in range(4)] for p in range(4)]


def test_all_splits_are_the_same_rows_for_every_seed():
    splits = Identity(size=5, length=3).read(Path(), 0).splits
    assert splits["train"] == splits["valid"] == splits["test"]
    assert splits == Identity(size=5, length=3).read(Path(), 7).splits
    assert splits["test"][4].input[4 % 3].tolist().index(1.0) == 4


def test_it_is_a_source_of_a_classification_task():
    assert isinstance(Identity(), Source)
    assert Identity.task == "classification"


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="size=1"):
        Identity(size=1)
