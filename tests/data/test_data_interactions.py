"""Histories of users: order, held-out items, what is refused; their codec."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import attnfocus.data as data
from attnfocus.data.codecs.base import load_codec
from attnfocus.data.codecs.history import HistoryCodec
from attnfocus.data.sources.interactions import Histories, history, seconds
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import ConfigError, DataError
from attnfocus.special import BOS, PAD, UNK

SmallData = Callable[[dict[str, str | bytes]], Path]


def texts(raw):
    return {split: [(row.id, row.input, row.target) for row in rows] for split, rows in raw.splits.items()}


def of_table(tmp_path, content, name="log.csv", **options):
    (tmp_path / name).write_text(content, encoding="utf-8")
    return data.Interactions(train=str(tmp_path / name), **options).read(tmp_path, 0)


def test_the_last_item_is_tested_and_the_one_before_validates() -> None:
    histories = Histories()
    for user, item, time in (("u", "c", 3), ("u", "a", 1), ("u", "b", 2), ("w", "a", 9), ("w", "b", 9), ("u", "d", 4)):
        histories.add(user, item, time)
    raw = histories.raw_data()
    assert texts(raw) == {
        "train": [("train:u", "a b", ""), ("train:w", "a b", "")],
        "valid": [("valid:u", "a b c", "c")],
        "test": [("test:u", "a b c d", "d")],
    }
    assert raw.notes == ["6 interactions of 2 users with 4 items; 1 users with fewer than 3 train only"]
    (row,) = raw.splits["test"]
    assert [row.input[start:end] for start, end in row.answers] == ["d"]


def test_columns_and_times_are_found_by_their_names(tmp_path: Path) -> None:
    content = (
        "movieId,userId,timestamp\nx,1,2024-05-31\ny,1,2024-05-30T23:00:00\n"
        "z,1,2024-06-01 00:00+02:00\nx,2,2024-01-01\n"
    )
    raw = of_table(tmp_path, content)
    assert texts(raw)["test"] == [("test:1", "y x z", "z")]
    assert raw.notes[-2:] == [
        "items of a user are ordered by timestamp",
        "4 interactions of 2 users with 3 items; 1 users with fewer than 3 train only",
    ]
    raw = of_table(tmp_path, "u\tb b\nu\ta\nu\tb b\n", "log.tsv")
    assert texts(raw)["test"] == [("test:u", "b_b a b_b", "b_b")]
    assert any("as the rows stand; dataset.time_column=NAME" in note for note in raw.notes)
    raw = of_table(tmp_path, "7,u,c\n5,u,b\n6,u,a\n", user_column=1, item_column=2, time_column=0)
    assert texts(raw)["test"] == [("test:u", "b a c", "c")]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("user,item,time\nu,a,1\nu,b,soon\n", {}, "log.csv:3:5: 'soon' is no number and no date such as"),
        ("user,item\nu,  \n", {}, "log.csv:2:3: column 'item' is empty"),
        ("user,item\nu,a b\nu,a_b\n", {}, "the items 'a b' and 'a_b' are both written a_b"),
        ("user,item,time\nu,a,inf\n", {}, "'inf' is no number"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, content: str, options: dict, message: str) -> None:
    with pytest.raises(DataError) as caught:
        of_table(tmp_path, content, **options)
    assert message in str(caught.value)
    left = of_table(tmp_path, f"{content}v,q{',5' * ('time' in content)}\n", **options, on_bad_row="skip")
    assert "q" in [row.input for row in left.splits["train"]]


def test_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dataset.train is not given\. Give a table .* dataset.user_column=NAME"):
        data.Interactions()
    with pytest.raises(DataError, match=r"dataset.user_column and dataset.item_column: not given"):
        of_table(tmp_path, "a,b,c,d\n1,2,3,4\n")


def test_times_are_numbers_or_dates() -> None:
    assert seconds("12.5") == 12.5
    assert seconds("1970-01-02") == 86400
    assert seconds("1970-01-01T01:00:00+01:00") == 0
    assert seconds("yesterday") is seconds("nan" if seconds("nan") is None else "x") is None


def test_video_games_by_name(small_data: SmallData) -> None:
    folder = small_data({"amazon_video_games/Video.txt.gz": "1 5\n1 6\n1 7\n2 5\n"})
    assert texts(data.VideoGames().read(folder, 0))["valid"] == [("valid:1", "5 6", "6")]
    with pytest.raises(DataError, match=r"Video.txt.gz:2:1: not a user and an item"):
        data.VideoGames().read(small_data({"amazon_video_games/Video.txt.gz": "1 5\n1\n"}), 0)


def codec_of(rows, max_items=3):
    return HistoryCodec.learn(rows, TokenizerOptions(kind="whitespace", min_frequency=1), max_items=max_items)


def test_the_newest_items_are_read_and_each_next_one_expected(tmp_path: Path) -> None:
    histories = Histories()
    for user, items in {"u": "abcdefg", "v": "ax", "w": "bac"}.items():
        for item in items:
            histories.add(user, item)
    splits = histories.raw_data().splits
    codec = codec_of(splits["train"])
    codec.save(tmp_path)
    codec = load_codec(tmp_path, [HistoryCodec])
    ids = {name: codec.tokenizer.encode(name)[0] for name in "abcdex"}
    found = codec.encode_rows(splits["train"])
    assert found[0].inputs.tolist() == [ids["b"], ids["c"], ids["d"]]
    assert found[0].targets.tolist() == [ids["c"], ids["d"], ids["e"]]
    assert (found[1].inputs.tolist(), found[1].targets.tolist()) == ([BOS, ids["a"]], [ids["a"], ids["x"]])
    assert [each.num_targets for each in found] == [3, 2, 1]
    valid, test = (codec.encode_rows(splits[split]) for split in ("valid", "test"))
    assert (valid[0].inputs.tolist(), valid[0].targets.tolist()) == ([ids["c"], ids["d"], ids["e"]], [PAD, PAD, UNK])
    assert (test[1].inputs.tolist(), test[1].targets.tolist()) == ([BOS, ids["b"], ids["a"]], [PAD, PAD, ids["c"]])
    assert [each.num_targets for each in test] == [1, 1]
    assert codec.encode_input("b a zz a", "1").inputs.tolist() == [ids["a"], UNK, ids["a"]]
    assert codec.seen(splits["valid"][1]) == [ids["b"]]
    text = " b  a zz c\x1cd"
    assert codec.item_ids(text) == codec.item_ids(text) == codec.tokenizer.encode(text)
    one = codec.encode_rows([history("u", ["zz"])])[0]  # a history of one item, which train does not have
    assert (one.inputs.tolist(), one.targets.tolist(), one.num_targets) == ([BOS], [UNK], 1)
    assert codec.counts.sum() == 5 + 2 + 1
    assert codec.counts[ids["a"]] == 2
    assert np.array_equal(codec.items, np.arange(4, 10))


def test_options_for_texts_are_refused() -> None:
    options = TokenizerOptions(kind="character", lowercase=True)
    clean, split = data.CleanOptions(), data.SplitOptions()
    problems = [str(each) for each in HistoryCodec.option_problems(clean, split, options)]
    assert len(problems) == 3
    assert all("is for texts, and a history is a list of items. Use dataset." in each for each in problems)
