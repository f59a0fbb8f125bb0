"""Dates as people write them, in several languages, to be put as YYYY-MM-DD. Made on the spot, no download."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, ClassVar

import babel
from babel.dates import tokenize_pattern

from attnfocus.data.rows import RawData, Row
from attnfocus.data.sources.embedded import EmbeddedSource
from attnfocus.errors import DataError
from attnfocus.limits import NumRows, Range

Year = Annotated[int, Range(ge=1000, le=9999)]  # four digits: of 3/4/21 nobody knows the order

# The locales whose formats a language is written in.
LOCALES: dict[str, tuple[str, ...]] = {
    "de": ("de",),
    "en": ("en_US", "en_GB"),
    "es": ("es",),
    "fr": ("fr",),
    "it": ("it",),
    "ja": ("ja",),
    "nl": ("nl",),
    "pl": ("pl",),
    "pt": ("pt",),
    "ru": ("ru",),
    "sv": ("sv",),
    "zh": ("zh",),
}
SKELETONS = ("yMMMd", "yMMMEd", "yMMMMd", "yMMMMEd", "yMMMMEEEEd", "yMd")
EVERYWHERE = ("y/MM/dd", "y.M.d")  # year, month, day is the only order that begins with the year
EXTRA: dict[str, tuple[str, ...]] = {  # besides what CLDR knows
    "en_US": ("MMMM d°, y", "MMM d°, y", "EEEE, MMMM d°, y", "MMMM d y"),
    "en_GB": ("d° MMMM y", "d° MMM y", "'the' d° 'of' MMMM y", "EEEE 'the' d° 'of' MMMM y", "d-MMM-y"),
    "de": ("d. MMM y", "E d. MMMM y", "'am' d. MMMM y"),
    "es": ("d MMMM y", "'el' d 'de' MMMM 'de' y"),
    "fr": ("d° MMMM y", "'le' d° MMMM y", "'le' EEEE d° MMMM y"),
    "it": ("'il' d MMMM y", "E d MMMM y"),
    "ja": ("〇年〇月〇日", "〇年〇月〇日EEEE"),
    "nl": ("E d MMMM y", "'op' d MMMM y"),
    "pl": ("d MMMM y 'r'.",),
    "pt": ("d MMM y", "d MMMM y"),
    "ru": ("d MMMM y", "d MMMM y 'года'"),
    "sv": ("'den' d MMMM y", "E d MMMM y"),
    "zh": ("〇年〇月〇日", "〇年〇月〇日EEEE", "y 年 M 月 d 日"),
}
CASES = (str, str, str, str, str.lower, str.upper)  # as it is in two of three

_TARGET_SPANS = {"y": range(4), "M": range(5, 7), "d": range(8, 10)}  # in YYYY-MM-DD
_HAN_DIGITS = "〇一二三四五六七八九"
_DIGITS = frozenset("0123456789" + _HAN_DIGITS)  # written one by one, other than 十二


@dataclass(frozen=True)
class Format:
    """A way to write a date.

    Args:
        parts: literal texts, and fields as (letter, count) in the notation of CLDR (UTS 35); besides it `°` stands
            for the ending of an ordinal, and the count 0 for a number in Chinese characters.
    """

    locale: str
    parts: tuple[str | tuple[str, int], ...]

    def is_clear(self, date: datetime.date) -> bool:
        """Whether a reader who does not know the country knows which number is the day and which the month."""
        return date.day > 12 or self._is_always_clear

    @cached_property
    def _is_always_clear(self) -> bool:
        fields = [part for part in self.parts if not isinstance(part, str)]
        has_month_name = any(letter in "ML" and count > 2 for letter, count in fields)
        return has_month_name or fields[0][0] == "y"

    def write(self, date: datetime.date) -> Iterator[tuple[str, str]]:
        """The pieces of the text, each with `y`, `M` or `d` if it says the year, month or day, else with ``."""
        for part in self.parts:
            if part == "°":
                yield _ordinal_ending(self.locale, date.day), ""
            elif isinstance(part, str):
                yield part, ""
            else:
                letter = "M" if part[0] == "L" else part[0]
                yield _field(self.locale, date, *part), letter if letter in _TARGET_SPANS else ""


class Dates(EmbeddedSource):
    """Translation of dates such as `Donnerstag, 4. März 2021` to `2021-03-04`.

    Formats and names are those of CLDR. Every date can be read without knowing the country: a date in numbers whose
    order differs between countries (3/4/2021) is used only where the day is above 12. A row's alignment links the
    year, month and day of the target with the characters of the input that say them (see `write_row`).

    No date of valid or test is in train, in any language. Valid and test are the same for every seed, so that runs
    with different seeds are measured on the same rows.
    """

    preset: ClassVar[str] = "dates"
    task: ClassVar[str] = "translation"

    def __init__(
        self,
        *,
        languages: list[str] | None = None,
        first_year: Year = 1900,
        last_year: Year = 2099,
        num_train: NumRows = 20000,
        num_valid: NumRows = 1000,
        num_test: NumRows = 1000,
    ) -> None:
        self.languages = tuple(LOCALES if languages is None else languages)
        unknown = [language for language in self.languages if language not in LOCALES]
        if unknown or not self.languages:
            given = ", ".join(unknown) or "an empty list"
            raise ValueError(f"languages: got {given}; choose from {', '.join(LOCALES)}")
        if last_year < first_year:
            raise ValueError(f"last_year={last_year} is before first_year={first_year}")
        self._first_day = datetime.date(first_year, 1, 1).toordinal()
        self._num_days = datetime.date(last_year, 12, 31).toordinal() - self._first_day + 1
        if num_valid + num_test > self._num_days // 2:
            raise ValueError(
                f"num_valid={num_valid} and num_test={num_test} need more than half of the {self._num_days} days "
                f"from {first_year} to {last_year}; take fewer rows or more years"
            )
        self.num_train, self.num_valid, self.num_test = num_train, num_valid, num_test

    def read(self, data_dir: Path, seed: int) -> RawData:
        """Make the rows. Nothing is read from `data_dir`.

        Raises:
            DataError: there are not as many different inputs as rows wanted.
        """
        days = list(range(self._first_day, self._first_day + self._num_days))
        random.Random("days").shuffle(days)
        test, valid, rest = (
            days[: self.num_test],
            days[self.num_test : self.num_test + self.num_valid],
            days[self.num_test + self.num_valid :],
        )
        train = random.Random(f"train {seed}")
        draws = (train.choice(rest) for _ in range(10 * self.num_train))
        splits = {
            "train": self._rows("train", draws, self.num_train, train),
            "valid": self._rows("valid", valid, self.num_valid, random.Random("valid")),
            "test": self._rows("test", test, self.num_test, random.Random("test")),
        }
        languages = ", ".join(self.languages)
        note = f"dates in {languages}; formats of the CLDR in babel {babel.__version__}; no date is in two splits"
        return RawData(splits, [note])

    def _rows(self, split: str, days: Iterable[int], count: int, random: random.Random) -> list[Row]:
        formats = [[f for locale in LOCALES[language] for f in formats_of(locale)] for language in self.languages]
        seen: dict[str, Row] = {}
        for day in days:
            date = datetime.date.fromordinal(day)
            choices = [f for f in random.choice(formats) if f.is_clear(date)]
            row = write_row(f"{split}-{len(seen)}", date, random.choice(choices), random.choice(CASES))
            seen.setdefault(str(row.input), row)
            if len(seen) == count:
                return list(seen.values())
        raise DataError(
            f"dataset.num_{split}={count}: these languages and years give only about {len(seen)} different rows. "
            "Take fewer rows, or more languages or years."
        )


def write_row(id: str, date: datetime.date, format: Format, case: Callable[[str], str]) -> Row:
    """A date in one format, as a row with its alignment.

    Possible links are those of a field's characters with all that say it; sure ones those of digits with the very
    digits, where they are written one by one: `3` with the last of `03`, and no letter of `March` with either.
    """
    text = ""
    alignment: list[tuple[int, int]] = []
    sure: list[tuple[int, int]] = []
    for piece, field in format.write(date):
        start = len(text)
        text += case(piece)
        if field:
            span = range(start, len(text))
            alignment += [(target, source) for target in _TARGET_SPANS[field] for source in span]
            if _DIGITS.issuperset(piece):
                sure += zip(reversed(_TARGET_SPANS[field]), reversed(span), strict=False)
    return Row(id, text, date.isoformat(), tuple(sorted(alignment)), tuple(sorted(sure)))


@cache
def formats_of(locale: str) -> tuple[Format, ...]:
    """The ways in which a locale writes dates, each once, those with other fields than year, month and day left out."""
    data = babel.Locale.parse(locale)
    patterns = [data.date_formats[length].pattern for length in ("short", "medium", "long", "full")]
    patterns += [data.datetime_skeletons[name].pattern for name in SKELETONS if name in data.datetime_skeletons]
    parsed = [_parse(pattern) for pattern in (*patterns, *EVERYWHERE, *EXTRA.get(locale, EXTRA.get(locale[:2], ())))]
    wanted = [parts for parts in parsed if _is_complete(parts)]
    return tuple(Format(locale, parts) for parts in dict.fromkeys(wanted))


def _parse(pattern: str) -> tuple[str | tuple[str, int], ...]:
    parts: list[str | tuple[str, int]] = []
    han_fields = iter("yMd")
    for kind, value in tokenize_pattern(pattern):
        if kind == "field":
            parts.append((str(value[0]), int(value[1])))
            continue
        for character in str(value).replace("\u202f", " ").replace("\xa0", " "):  # people type ordinary spaces
            parts.append((next(han_fields), 0) if character == "〇" else character)
    return tuple(parts)


def _is_complete(parts: Sequence[str | tuple[str, int]]) -> bool:
    fields = [part for part in parts if not isinstance(part, str)]
    letters = sorted(letter for letter, _ in fields if letter != "E")
    return letters in (["M", "d", "y"], ["L", "d", "y"]) and ("y", 2) not in fields


@cache
def _names(locale: str, kind: str, context: str, width: str) -> dict[int, str]:
    """Names of the months (1 to 12) or days (0 is Monday)."""
    names: dict[int, str] = dict(getattr(babel.Locale.parse(locale), kind)[context][width])
    return names


def _field(locale: str, date: datetime.date, letter: str, count: int) -> str:
    if letter == "E":
        return _names(locale, "days", "format", "wide" if count == 4 else "abbreviated")[date.weekday()]
    number = {"y": date.year, "M": date.month, "L": date.month, "d": date.day}[letter]
    if count == 0:
        return _in_han(number)
    if letter in "ML" and count > 2:
        context = "format" if letter == "M" else "stand-alone"
        return _names(locale, "months", context, "wide" if count == 4 else "abbreviated")[number]
    return str(number).zfill(count)


def _in_han(number: int) -> str:
    """2021 -> 二〇二一, digit by digit as years are written; 24 -> 二十四."""
    if number >= 100:
        return "".join(_HAN_DIGITS[int(digit)] for digit in str(number))
    tens, ones = divmod(number, 10)
    text = "" if tens == 0 else "十" if tens == 1 else _HAN_DIGITS[tens] + "十"
    return text + (_HAN_DIGITS[ones] if ones else "")


def _ordinal_ending(locale: str, day: int) -> str:
    if locale == "fr":
        return "er" if day == 1 else ""
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
