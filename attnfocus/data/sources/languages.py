"""Names of countries, languages and currencies, in the language to be guessed. Made on the spot, no download."""

from __future__ import annotations

import hashlib
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar

import babel

from attnfocus.data.rows import SPLITS, RawData, Row
from attnfocus.data.sources.embedded import EmbeddedSource
from attnfocus.errors import DataError
from attnfocus.limits import NumRows, Range

# fmt: off
KNOWN = (
    "af", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "he", "hi", "hr", "hu",
    "id", "is", "it", "ja", "ko", "lt", "lv", "ms", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sv", "sw",
    "th", "tr", "uk", "vi", "zh",
)
DEFAULT = (  # close ones among them: cs and sk; da, nb and sv; bg, ru and uk; ca, es, it and pt
    "bg", "ca", "cs", "da", "de", "es", "fr", "id", "it", "ja", "nb", "nl", "pl", "pt", "ru", "sk", "sv", "uk", "zh",
)
# fmt: on

MAX_LANGUAGES_OF_A_NAME = 3  # a name that more of them share (Basaa, Tonga) says little
NUM_CHARACTERS = range(2, 31)
TEST_SHARE, VALID_SHARE = 0.10, 0.05  # of the names

_REMARK = re.compile(r"\s*[(（\[].*?[)）\]]")  # (1927-2002)
_NOT_IN_A_LIST = re.compile(r"[0-9,،、;]")


class Languages(EmbeddedSource):
    """Classification: which language are these names in? `Kroatien, isländsk krona, Grekland, ...` is Swedish (sv).

    Names are those of CLDR for countries and regions, languages, and currencies. Each name, in whichever languages it
    occurs, belongs to one split: the names of test are never seen in training. A name may be the same in up to three
    of the languages; several names together decide. Every split has equally many rows of each language.

    Valid and test are the same for every seed, so that runs with different seeds are measured on the same rows.
    """

    preset: ClassVar[str] = "languages"
    task: ClassVar[str] = "classification"

    def __init__(
        self,
        *,
        languages: list[str] | None = None,
        num_names: Annotated[int, Range(ge=1, le=20)] = 5,
        num_train: NumRows = 24000,
        num_valid: NumRows = 1000,
        num_test: NumRows = 2000,
    ) -> None:
        self.languages = tuple(DEFAULT if languages is None else dict.fromkeys(languages))
        unknown = [language for language in self.languages if language not in KNOWN]
        if unknown:
            raise ValueError(f"languages: got {', '.join(unknown)}; choose from {', '.join(KNOWN)}")
        if len(self.languages) < 2:
            raise ValueError(f"languages: got {len(self.languages)}; at least 2 are needed to tell them apart")
        self.num_names = num_names
        self._num_rows = dict(zip(SPLITS, (num_train, num_valid, num_test), strict=True))

    def read(self, data_dir: Path, seed: int) -> RawData:
        """Make the rows. Nothing is read from `data_dir`.

        Raises:
            DataError: there are not as many different rows as wanted.
        """
        names = self.names()
        rows = {split: self._rows(split, names[split], seed if split == "train" else 0) for split in SPLITS}
        counts = {split: sum(len(pool) for pool in names[split].values()) for split in SPLITS}
        note = (
            f"languages: {len(self.languages)}; {counts['train']} names in train, {counts['valid']} in valid, "
            f"{counts['test']} in test, none in two; the CLDR in babel {babel.__version__}"
        )
        return RawData(rows, [note])

    def names(self) -> dict[str, dict[str, list[str]]]:
        """The names of each split and language."""
        languages_of = Counter(key for language in self.languages for key in {n.casefold() for n in names_of(language)})
        return {
            split: {
                language: [
                    name
                    for name in names_of(language)
                    if languages_of[name.casefold()] <= MAX_LANGUAGES_OF_A_NAME and split_of(name) == split
                ]
                for language in self.languages
            }
            for split in SPLITS
        }

    def _rows(self, split: str, names: Mapping[str, list[str]], seed: int) -> list[Row]:
        draws = random.Random(f"{split} {seed}")
        wanted = self._num_rows[split]
        rows: dict[str, Row] = {}
        for _ in range(10 * wanted):
            language = self.languages[len(rows) % len(self.languages)]
            pool = names[language]
            text = ", ".join(draws.sample(pool, min(self.num_names, len(pool))))
            rows.setdefault(text, Row(f"{split}-{len(rows)}", text, language))
            if len(rows) == wanted:
                return list(rows.values())
        raise DataError(
            f"dataset.num_{split}={wanted}: these languages give only about {len(rows)} different rows of "
            f"{self.num_names} names. Take fewer rows, or more names a row."
        )


@cache
def names_of(language: str) -> tuple[str, ...]:
    """All names that a language has for territories, languages and currencies, in one order."""
    locale = babel.Locale.parse(language)
    groups = (locale.territories, locale.languages, locale.currencies)
    names = {_clean(name) for group in groups for name in group.values()}
    return tuple(sorted(name for name in names if len(name) in NUM_CHARACTERS and not _NOT_IN_A_LIST.search(name)))


def split_of(name: str) -> str:
    """The split that a name belongs to: by its hash, so that it is the same whichever languages are chosen."""
    share = int.from_bytes(hashlib.sha256(name.casefold().encode()).digest()[:4], "big") / 2**32
    return "test" if share < TEST_SHARE else "valid" if share < TEST_SHARE + VALID_SHARE else "train"


def _clean(name: str) -> str:
    text = unicodedata.normalize("NFC", _REMARK.sub("", name))
    return " ".join(text.split())
