import datetime
import random
from collections import defaultdict
from pathlib import Path

import babel
import pytest
from babel.dates import format_date
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus.data.rows import Source
from attnfocus.data.sources.dates import LOCALES, SKELETONS, Dates, formats_of, write_row
from attnfocus.errors import DataError

ALL_LOCALES = [locale for locales in LOCALES.values() for locale in locales]
DATES = st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31))
CASES = st.sampled_from([str, str.lower, str.upper])
HAN = {"〇": 0, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}


@pytest.fixture(scope="module")
def splits():
    return Dates(num_train=3000, num_valid=300, num_test=300).read(Path(), 0).splits


def month_names():
    """Every way to say a month that CLDR knows, with the months that it can mean in any of the locales."""
    meanings = defaultdict(set)
    for locale in ALL_LOCALES:
        for context in ("format", "stand-alone"):
            for width in ("abbreviated", "wide"):
                for month, name in babel.Locale.parse(locale).months[context][width].items():
                    meanings[name.lower()].add(month)
    return meanings


def number(text):
    """What digits or Chinese numerals say; None for other text."""
    if text.isascii() and text.isdecimal():
        return int(text)
    if set(text) <= set(HAN):
        return int("".join(str(HAN[c]) for c in text)) if text else None
    if set(text) <= set(HAN) | {"十"}:
        tens, _, ones = text.partition("十")
        return 10 * HAN.get(tens, 1) + HAN.get(ones, 0)
    return None


def read_aligned(row, span):
    """The characters of the input that are linked with some characters of the target."""
    linked = sorted({source for target, source in row.alignment if target in span})
    assert linked == list(range(linked[0], linked[-1] + 1))
    return row.input[linked[0] : linked[-1] + 1]


@given(date=DATES, locale=st.sampled_from(ALL_LOCALES), case=CASES, data=st.data())
@settings(max_examples=300)
def test_aligned_characters_alone_say_year_month_and_day(date, locale, case, data):
    row = write_row("r", date, data.draw(st.sampled_from(formats_of(locale))), case)
    assert row.target == date.isoformat()
    assert number(read_aligned(row, range(4))) == date.year
    assert number(read_aligned(row, range(8, 10))) == date.day
    month = read_aligned(row, range(5, 7))
    assert number(month) == date.month or month_names()[month.lower()] == {date.month}
    assert {target for target, _ in row.alignment} == {0, 1, 2, 3, 5, 6, 8, 9}


@given(date=DATES, locale=st.sampled_from(ALL_LOCALES), case=CASES, data=st.data())
@settings(max_examples=200)
def test_sure_links_join_a_digit_with_itself(date, locale, case, data):
    row = write_row("r", date, data.draw(st.sampled_from(formats_of(locale))), case)
    assert set(row.sure) <= set(row.alignment)
    assert len({target for target, _ in row.sure}) == len({source for _, source in row.sure}) == len(row.sure)
    for target, source in row.sure:
        digit = row.input[source]
        assert row.target[target] == (
            str("〇一二三四五六七八九".index(digit)) if digit in HAN or digit == "〇" else digit
        )
    assert {0, 1, 2, 3} <= {target for target, _ in row.sure}  # years are always written digit by digit


def test_links_of_a_date_by_hand():
    """`4. März 2021`: the 4 is the second digit of 04, März has no digit, the year is written as it is."""
    formats = [each for each in formats_of("de") if "MMMM" in "".join("M" * p[1] for p in each.parts if p[0] == "M")]
    row = next(
        row
        for row in (write_row("r", datetime.date(2021, 3, 4), each, str) for each in formats)
        if row.input == "4. März 2021"
    )
    assert row.sure == ((0, 8), (1, 9), (2, 10), (3, 11), (9, 0))
    assert set(row.alignment) - set(row.sure) == {
        *((target, source) for target in range(4) for source in range(8, 12) if source != target + 8),
        *((target, source) for target in (5, 6) for source in range(3, 7)),
        (8, 0),
    }


def test_no_name_means_two_months_in_any_of_the_languages():
    assert {name: months for name, months in month_names().items() if len(months) > 1} == {}


@pytest.mark.parametrize("locale", ALL_LOCALES)
def test_formats_equal_those_of_babel(locale):
    data = babel.Locale.parse(locale)
    patterns = [data.date_formats[length].pattern for length in ("medium", "long", "full")]
    patterns += [data.datetime_skeletons[name].pattern for name in SKELETONS if name in data.datetime_skeletons]
    written = random.Random(0)
    for _ in range(20):
        date = datetime.date(1900, 1, 1) + datetime.timedelta(written.randrange(73_000))
        ours = {"".join(piece for piece, _ in format.write(date)) for format in formats_of(locale)}
        theirs = {
            format_date(date, pattern, locale).replace("\u202f", " ").replace("\xa0", " ") for pattern in patterns
        }
        assert theirs <= ours


def test_hand_written_examples():
    date = datetime.date(2021, 10, 22)
    texts = {"".join(piece for piece, _ in f.write(date)) for locale in ALL_LOCALES for f in formats_of(locale)}
    assert {
        "2021年10月22日星期五",
        "二〇二一年十月二十二日",
        "the 22nd of October 2021",
        "Freitag, 22. Oktober 2021",
        "le vendredi 22 octobre 2021",
        "22 de outubro de 2021",
        "22 окт. 2021 г.",
        "10/22/2021",
        "22.10.2021",
    } <= texts


def test_day_and_month_are_never_confused(splits):
    """No input can be read as another date by someone used to the other order of day and month."""
    for rows in splits.values():
        for row in rows:
            numbers = [int(part) for part in row.input.replace("/", " ").replace("-", " ").replace(".", " ").split()
                       if part.isascii() and part.isdecimal()] if row.input[-1].isdecimal() else []  # fmt: skip
            if len(numbers) == 3 and numbers[0] < 1000:
                assert max(numbers[:2]) > 12


def test_no_format_begins_with_the_year_and_puts_the_day_before_the_month():
    for locale in ALL_LOCALES:
        for format in formats_of(locale):
            order = [letter for _, letter in format.write(datetime.date(2021, 3, 14)) if letter]
            assert sorted(order) == ["M", "d", "y"]
            if order[0] == "y":
                assert order == ["y", "M", "d"]


def test_splits_share_neither_inputs_nor_dates(splits):
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 3000, "valid": 300, "test": 300}
    for a, b in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert not {row.input for row in splits[a]} & {row.input for row in splits[b]}
        assert not {row.target for row in splits[a]} & {row.target for row in splits[b]}
    for rows in splits.values():
        assert len({row.input for row in rows}) == len({row.id for row in rows}) == len(rows)


def test_one_input_has_one_answer():
    answers = defaultdict(set)
    for row in Dates(num_train=20_000).read(Path(), 3).splits["train"]:
        answers[row.input].add(row.target)
    assert all(len(targets) == 1 for targets in answers.values())


def test_rows_are_a_function_of_the_seed_and_the_test_rows_of_none():
    small = Dates(num_train=200, num_valid=50, num_test=50)
    one, again, other = (small.read(Path(), seed).splits for seed in (1, 1, 2))
    assert one == again
    assert one["train"] != other["train"]
    assert (one["valid"], one["test"]) == (other["valid"], other["test"])


def test_every_language_and_every_character_of_the_test_set_occur_in_train():
    splits = Dates().read(Path(), 0).splits
    known = {character for row in splits["train"] for character in row.input}
    assert {character for row in splits["test"] for character in row.input} <= known
    assert {"年", "〇", "я", "é", "ä"} <= known


def test_only_the_languages_asked_for_are_used():
    rows = Dates(languages=["zh"], first_year=1990, last_year=2000, num_train=100, num_valid=20, num_test=20)
    splits = rows.read(Path(), 0).splits
    assert all(1990 <= int(row.target[:4]) <= 2000 for rows in splits.values() for row in rows)
    assert not any(character.isalpha() and character.isascii() for row in splits["train"] for character in row.input)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"languages": ["de", "xx"]}, "xx; choose from de, en"),
        ({"languages": []}, "empty list"),
        ({"first_year": 2000, "last_year": 1999}, "before first_year"),
        ({"first_year": 2000, "last_year": 2000, "num_test": 300}, "more than half"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Dates(**options)


@pytest.mark.slow
def test_more_rows_than_there_are_is_a_data_error():
    few = Dates(languages=["nl"], first_year=2000, last_year=2000, num_train=10_000, num_valid=1, num_test=1)
    with pytest.raises(DataError, match="num_train=10000"):
        few.read(Path(), 0)


def test_it_is_a_source_of_a_translation_task():
    assert isinstance(Dates(), Source)
    assert Dates.task == "translation"
