from collections import Counter
from pathlib import Path

import pytest

from attnfocus.data.rows import Source
from attnfocus.data.sources.languages import DEFAULT, KNOWN, MAX_LANGUAGES_OF_A_NAME, Languages, names_of, split_of
from attnfocus.errors import DataError


@pytest.fixture(scope="module")
def splits():
    return Languages(num_train=1900, num_valid=190, num_test=380).read(Path(), 0).splits


def names(row):
    return row.input.split(", ")


def test_every_row_is_five_different_names_of_its_language(splits):
    for rows in splits.values():
        for row in rows:
            assert len(set(names(row))) == 5
            assert set(names(row)) <= set(names_of(row.target))


def test_no_name_is_in_two_splits_whatever_its_language(splits):
    sets = {split: {name.casefold() for row in rows for name in names(row)} for split, rows in splits.items()}
    assert not sets["train"] & sets["valid"]
    assert not sets["train"] & sets["test"]
    assert not sets["valid"] & sets["test"]


def test_all_languages_have_equally_many_rows(splits):
    for rows in splits.values():
        counts = Counter(row.target for row in rows)
        assert set(counts) == set(DEFAULT)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_rows_and_ids_are_different(splits):
    for rows in splits.values():
        assert len({row.input for row in rows}) == len({row.id for row in rows}) == len(rows)


def test_there_are_sixteen_languages_or_more_with_enough_names():
    assert len(DEFAULT) >= 16
    assert len(set(KNOWN)) == len(KNOWN)
    assert set(DEFAULT) <= set(KNOWN)
    pools = Languages().names()
    assert min(len(pool) for pool in pools["train"].values()) > 400
    assert min(len(pool) for pool in pools["test"].values()) > 40


def test_every_known_language_makes_rows():
    splits = Languages(languages=list(KNOWN), num_train=90, num_valid=45, num_test=45).read(Path(), 0).splits
    assert {row.target for row in splits["test"]} == set(KNOWN)


def test_names_that_many_languages_share_are_left_out():
    pools = Languages().names()
    owners = Counter(
        name for language in DEFAULT for name in {n.casefold() for split in pools for n in pools[split][language]}
    )
    assert max(owners.values()) == MAX_LANGUAGES_OF_A_NAME


def test_names_are_clean():
    for language in KNOWN:
        for name in names_of(language):
            assert name == " ".join(name.split())
            assert not set(name) & set("(),0123456789")
    assert {"Deutschland", "Schweizer Franken", "Spanisch"} <= set(names_of("de"))
    assert {"中国", "法语", "人民币"} <= set(names_of("zh"))


def test_split_of_a_name_depends_on_nothing_else():
    assert split_of("Albania") == split_of("ALBANIA")
    few = Languages(languages=["de", "fr"]).names()
    many = Languages().names()
    for split in few:
        assert set(many[split]["de"]) <= set(few[split]["de"])


def test_rows_are_a_function_of_the_seed_and_the_test_rows_of_none():
    small = Languages(num_train=100, num_valid=20, num_test=20)
    one, again, other = (small.read(Path(), seed).splits for seed in (1, 1, 2))
    assert one == again
    assert one["train"] != other["train"]
    assert (one["valid"], one["test"]) == (other["valid"], other["test"])


def test_number_of_names_is_an_option():
    splits = Languages(num_names=2, num_train=50, num_valid=19, num_test=19).read(Path(), 0).splits
    assert {len(names(row)) for rows in splits.values() for row in rows} == {2}


@pytest.mark.parametrize(
    ("languages", "message"),
    [(["de", "xx"], "xx; choose from af"), (["de"], "at least 2"), (["de", "de"], "at least 2")],
)
def test_languages_that_cannot_be_told_apart_are_refused(languages, message):
    with pytest.raises(ValueError, match=message):
        Languages(languages=languages)


def test_more_rows_than_there_are_is_a_data_error():
    with pytest.raises(DataError, match="num_test=5000"):
        Languages(languages=["de", "fr"], num_names=1, num_train=10, num_valid=10, num_test=5000).read(Path(), 0)


def test_it_is_a_source_of_a_classification_task():
    assert isinstance(Languages(), Source)
    assert Languages.task == "classification"
