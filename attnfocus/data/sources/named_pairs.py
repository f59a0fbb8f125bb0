"""Published sets of text pairs, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from attnfocus.data.reading.download import PublishedFile, find_by_hand, find_published
from attnfocus.data.reading.lines import BadRows, read_line_pairs, read_lines
from attnfocus.data.reading.tables import Table
from attnfocus.data.rows import RawData, Row

UNDAMAGED = "Replace the file by an undamaged copy."

_MULTI30K = (
    "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/"
)
_MULTI30K_SPLITS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
_MULTI30K_SHA256 = {
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.fr.gz": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.fr.gz": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.fr.gz": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
}
_CMUDICT = PublishedFile(
    "cmudict.dict",
    "https://raw.githubusercontent.com/cmusphinx/cmudict/0f8072f814306c5ee4fbf992ed853601b12c01f9/cmudict.dict",
    "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
)
_VARIANT = re.compile(r"\(\d+\)$")


class Multi30k:
    """Multi30k, task 1: image descriptions in English, German and French (Elliott et al. 2016, arXiv:1605.00459).

    29,000 / 1,014 / 1,000 sentences; test is test_2016_flickr. Files in `multi30k/`.
    """

    task = "translation"

    def __init__(
        self,
        *,
        source_language: Literal["en", "de", "fr"] = "de",
        target_language: Literal["en", "de", "fr"] = "en",
        download: bool = True,
    ) -> None:
        if source_language == target_language:
            raise ValueError(f"source_language and target_language are both {source_language}; give two of en, de, fr")
        self._languages = source_language, target_language
        self._download = download

    def read(self, data_dir: Path, seed: int) -> RawData:
        folder = data_dir / "multi30k"
        bad = BadRows(remedy=UNDAMAGED)
        splits = {}
        for split, stem in _MULTI30K_SPLITS.items():
            names = [f"{stem}.{language}.gz" for language in self._languages]
            files = [PublishedFile(name, _MULTI30K + name, _MULTI30K_SHA256[name]) for name in names]
            source, target = find_published("multi30k", folder, files, download=self._download)
            pairs = read_line_pairs(source, target, "utf-8", bad)
            splits[split] = [Row(f"{split}:{line}", left.strip(), right.strip()) for line, left, right in pairs]
        return RawData(splits, bad.finish())


class TatoebaCmn:
    """English and Chinese sentences of Tatoeba, as selected for the Anki cards of manythings.org.

    28,447 pairs without splits: a sentence that has several translations stays in one. Files in `tatoeba/`.
    """

    task = "translation"

    def __init__(self, *, source_language: Literal["en", "zh"] = "en") -> None:
        self._columns = (0, 1) if source_language == "en" else (1, 0)

    def read(self, data_dir: Path, seed: int) -> RawData:
        how = "Unpack cmn-eng.zip of https://www.manythings.org/anki/ and put its cmn.txt there under that name."
        (path,) = find_by_hand("tatoeba_cmn", data_dir / "tatoeba", ["cmn-eng.tsv"], how)
        bad = BadRows(remedy=UNDAMAGED)
        records = Table(path, self._columns, "tsv").read(bad)
        notes = bad.finish()
        rows = [Row(f"train:{record.line}", record.values[0].strip(), record.values[1].strip()) for record in records]
        return RawData({"train": rows}, notes)


class CMUDict:
    """The CMU Pronouncing Dictionary: the letters of an English word to its phonemes (ARPAbet).

    135,166 entries of 126,052 words, without splits: since splits are drawn by input, the variants of a word stay
    together. Files in `cmudict/`.

    Args:
        stress: keep the digits that tell how a vowel is stressed (0 none, 1 primary, 2 secondary).
    """

    task = "translation"

    def __init__(self, *, stress: bool = True, download: bool = True) -> None:
        self._stress = stress
        self._download = download

    def read(self, data_dir: Path, seed: int) -> RawData:
        (path,) = find_published("cmudict", data_dir / "cmudict", [_CMUDICT], download=self._download)
        bad = BadRows(remedy=UNDAMAGED)
        rows = list(self._entries(path, bad))
        return RawData({"train": rows}, bad.finish())

    def _entries(self, path: Path, bad: BadRows) -> Iterator[Row]:
        for number, line in enumerate(read_lines(path, "utf-8", bad), 1):
            if line is None:
                continue
            word, _, phonemes = line.partition("#")[0].strip().partition(" ")
            if not phonemes:
                bad.add(path, number, 1, "not a word and its phonemes")
                continue
            if not self._stress:
                phonemes = phonemes.translate({ord(digit): None for digit in "012"})
            yield Row(f"train:{number}", _VARIANT.sub("", word), phonemes)
