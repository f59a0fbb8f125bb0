"""Cleaning: what is dropped, from which split, and what the report says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnfocus.data.clean import CleanOptions, CleanReport, Splits, clean_splits, clean_text, limit_train, train_limits
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.codecs.vector_label import VectorLabelCodec
from attnfocus.data.rows import Row
from attnfocus.data.text_rows import TextRows


def rows(*pairs: tuple[str, str]) -> list[Row]:
    return [Row(str(number), source, target) for number, (source, target) in enumerate(pairs)]


def clean(splits: Splits, options: CleanOptions, *, rules: type = TextPairCodec) -> tuple[dict[str, list], list[str]]:
    report = CleanReport()
    cleaned = clean_splits(splits, options, report, rules)
    limits = train_limits(cleaned, options, rules, rules.input_key)
    cleaned = limit_train(cleaned, limits, options, report, seed=0)
    lines = [report.line(split, len(kept)) for split, kept in cleaned.items()]
    return {split: [(row.input, row.target) for row in kept] for split, kept in cleaned.items()}, lines


def test_texts_are_stripped_lowercased_and_normalized() -> None:
    assert clean_text(" Cafe\u0301\u3000", CleanOptions()) == "Café"
    assert clean_text(" Cafe\u0301 ", CleanOptions(strip=False, normalization="none")) == " Cafe\u0301 "
    assert clean_text("ＡＢＣ ﬁ", CleanOptions(normalization="NFKC", lowercase=True)) == "abc fi"


def test_labels_are_left_as_they_are() -> None:
    kept, _ = clean({"train": rows(("A", "Label"))}, CleanOptions(lowercase=True), rules=TextLabelCodec)
    assert kept["train"] == [("a", "Label")]


def test_each_step_and_split_is_counted() -> None:
    splits = {
        "train": rows(
            ("a b", "c d"),
            ("a b ", "c d"),  # repeated once stripped
            ("a b", "e f"),  # another target: not repeated
            ("  ", "x"),
            ("held out", "y"),
            ("held out too", "y"),
            ("one", "two three"),
            ("a b c d e", "f g h i j"),
            ("a b c d", "e f"),
        ),
        "valid": rows(("held out", "z"), ("held out", "z"), ("x", "a b c d e f g")),
        "test": rows(("held out too", "z"), ("\u00a0", "z")),
    }
    options = CleanOptions(min_words=2, max_words=4, max_words_ratio=1.5)
    kept, lines = clean(splits, options)
    assert kept["train"] == [("a b", "c d"), ("a b", "e f")]
    assert lines == [
        "train: 9 rows read, 1 empty dropped, 1 repeated dropped, 2 also in valid or test dropped, "
        "1 too short dropped, 1 too long dropped, 1 of unequal lengths dropped, 2 kept",
        "valid: 3 rows read, 3 kept",
        "test: 2 rows read, 1 empty dropped, 1 kept",
    ]


def test_valid_and_test_keep_repeated_short_and_long_rows() -> None:
    held_out = rows(("a", "b"), ("a", "b"), ("a b c d e f", "b"))
    options = CleanOptions(min_words=2, max_words=3, max_words_ratio=1, max_train_rows=1)
    kept, _ = clean({"train": rows(("x y", "x y")), "valid": held_out, "test": held_out}, options)
    assert len(kept["valid"]) == len(kept["test"]) == 3


def test_duplicates_stay_when_asked() -> None:
    splits = {"train": rows(("a", "b"), ("a", "b")), "test": rows(("a", "b"))}
    kept, lines = clean(splits, CleanOptions(deduplicate=False))
    assert len(kept["train"]) == 2
    assert lines[0] == "train: 2 rows read, 2 kept"


def test_lengths_of_labels_do_not_count() -> None:
    kept, _ = clean({"train": rows(("a b c", "label"))}, CleanOptions(min_words=2), rules=TextLabelCodec)
    assert len(kept["train"]) == 1


def test_a_chinese_character_counts_as_a_word() -> None:
    kept, _ = clean({"train": rows(("你好吗", "how are you"))}, CleanOptions(min_words=3, max_words=3))
    assert len(kept["train"]) == 1


def test_vectors_are_limited_by_their_positions() -> None:
    short, long = ((1.0, 2.0),), ((1.0, 2.0),) * 5
    splits: Splits = {"train": [Row("0", short, "x"), Row("1", long, "x"), Row("2", (), "x"), Row("3", short, "x")]}
    kept, lines = clean(splits, CleanOptions(max_words=3, lowercase=True), rules=VectorLabelCodec)
    assert [(source.tolist(), target) for source, target in kept["train"]] == [([[1.0, 2.0]], "x")]
    assert lines == ["train: 4 rows read, 1 empty dropped, 1 repeated dropped, 1 too long dropped, 1 kept"]


def test_max_train_rows_draws_the_same_rows_each_time_and_keeps_their_order() -> None:
    splits = {"train": rows(*((str(number), "x") for number in range(100)))}
    first, lines = clean(splits, CleanOptions(max_train_rows=10))
    again, _ = clean(splits, CleanOptions(max_train_rows=10))
    numbers = [int(source) for source, _ in first["train"]]
    assert first == again
    assert len(numbers) == 10
    assert numbers == sorted(numbers) != list(range(10))
    assert "90 above max_train_rows dropped" in lines[0]


def test_alignments_survive_only_where_characters_keep_their_places() -> None:
    link = ((0, 0),)
    splits: Splits = {"train": [Row("0", "AB", "CD", link), Row("1", " AB", "EF", link)]}
    cleaned = clean_splits(splits, CleanOptions(lowercase=True), CleanReport(), TextPairCodec)
    assert [row.alignment for row in cleaned["train"]] == [link, ()]


def test_limits_that_exclude_everything_are_refused() -> None:
    with pytest.raises(ValueError, match=r"max_words=2 is less than min_words=3"):
        CleanOptions(min_words=3, max_words=2)


texts = st.text("ab \u00a0", max_size=4)
some_rows = st.lists(st.tuples(texts, texts), max_size=12).map(lambda pairs: rows(*pairs))


@given(some_rows, some_rows, st.integers(1, 3), st.one_of(st.none(), st.integers(1, 5)))
def test_every_row_is_kept_or_counted_and_train_never_holds_held_out_inputs(
    train: list[Row], test: list[Row], min_words: int, max_train_rows: int | None
) -> None:
    report = CleanReport()
    options = CleanOptions(min_words=min_words, max_train_rows=max_train_rows)
    cleaned = clean_splits({"train": train, "test": test}, options, report, TextPairCodec)
    limits = train_limits(cleaned, options, TextPairCodec, TextPairCodec.input_key)
    kept = limit_train(cleaned, limits, options, report, seed=1)
    for split, before in (("train", train), ("test", test)):
        assert len(kept[split]) + sum(report.drops.get(split, {}).values()) == len(before)
    pairs = [(row.input, row.target) for row in kept["train"]]
    assert len(set(pairs)) == len(pairs)
    assert not {row.input for row in kept["train"]} & {row.input for row in kept["test"]}


class WithoutHyphens(TextPairCodec):
    """A codec of one's own, for which texts are the same that differ in hyphens alone."""

    @classmethod
    def input_key(cls, row: Row) -> str:
        return str(row.input).replace("-", "")


@pytest.mark.parametrize("options", [CleanOptions(), CleanOptions(lowercase=True)])
def test_rows_with_equal_keys_of_a_codec_of_one_s_own_are_repeated(options: CleanOptions) -> None:
    pairs = [("email", "a"), ("e-mail", "a"), ("e-mail", "b"), ("other", "a"), ("e-ma-il", "b")] * 3
    texts = [(str(number), *pair) for number, pair in enumerate(pairs)]
    for given_rows in (TextRows.of(texts), rows(*pairs)):
        kept = clean_splits({"train": given_rows}, options, report := CleanReport(), WithoutHyphens)["train"]
        assert [(row.id, row.input, row.target) for row in kept] == [
            ("0", "email", "a"),
            ("2", "e-mail", "b"),
            ("3", "other", "a"),
        ]
        assert report.drops == {"train": {"repeated dropped": 12}}
