"""Published sets of labelled texts of customer service and of finance, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attnfocus.data.reading.download import PublishedFile, find_by_hand, find_published
from attnfocus.data.reading.lines import BadRows, read_lines
from attnfocus.data.reading.tables import Table
from attnfocus.data.rows import RawData, Row
from attnfocus.data.sources.named_pairs import UNDAMAGED

_BANKING77 = "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/57ec275/banking_data/"
_BANKING77_SHA256 = {
    "train.csv": "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
    "test.csv": "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
}
_AGREEMENT = {"all": "AllAgree", "75": "75Agree", "66": "66Agree", "50": "50Agree"}
_SENTIMENTS = ("negative", "neutral", "positive")


class Banking77:
    """Questions to a bank by what they ask for, 77 classes (Casanueva et al. 2020, arXiv:2003.04807). In `banking77/`.

    10,003 for training, of which a part validates, and 3,080 for testing. CC BY 4.0.
    """

    task = "classification"

    def __init__(self, *, download: bool = True) -> None:
        self._download = download

    def read(self, data_dir: Path, seed: int) -> RawData:
        files = [PublishedFile(name, _BANKING77 + name, sha256) for name, sha256 in _BANKING77_SHA256.items()]
        paths = find_published("banking77", data_dir / "banking77", files, download=self._download)
        bad = BadRows(remedy=UNDAMAGED)
        splits = {}
        for split, path in zip(("train", "test"), paths, strict=True):
            records = Table(path, ("text", "category"), "csv").read(bad)
            splits[split] = [Row(f"{split}:{r.line}", r.values[0].strip(), r.values[1].strip()) for r in records]
        return RawData(splits, bad.finish())


class PhraseBank:
    """Sentences of financial news by sentiment, 3 classes (Malo et al. 2014, arXiv:1307.5336). In `phrasebank/`.

    One file without splits: parts of it validate and test, the same ones for every seed of a run. For no commercial
    use: CC BY-NC-SA 3.0.

    Args:
        agreement: how many percent of the 5 to 8 annotators agree at least: `all`: 2,263 sentences; `50`: 4,846.
    """

    task = "classification"

    def __init__(self, *, agreement: Literal["all", "75", "66", "50"] = "all") -> None:
        self._name = f"Sentences_{_AGREEMENT[agreement]}.txt"

    def read(self, data_dir: Path, seed: int) -> RawData:
        how = "It is in FinancialPhraseBank-v1.0.zip of Malo et al. (arXiv:1307.5336)."
        (path,) = find_by_hand("phrasebank", data_dir / "phrasebank", [self._name], how)
        bad = BadRows(remedy=UNDAMAGED)
        rows, left_out = [], 0
        for number, line in enumerate(read_lines(path, "latin-1", bad), 1):
            text, _, label = (line or "").rpartition("@")  # the label follows the last: some texts have others
            if label.strip() in _SENTIMENTS and text.strip():
                rows.append(Row(f"train:{number}", text.strip(), label.strip()))
            elif (line or "").strip().isdecimal():
                left_out += 1  # the number of a page, broken off from the sentence that follows it
            else:
                bad.add(path, number, 1, f"not a sentence, an @, and one of {', '.join(_SENTIMENTS)}")
        notes = [f"train: {left_out} line(s) left out that hold only a number"] if left_out else []
        return RawData({"train": rows}, [*bad.finish(), *notes, "CC BY-NC-SA 3.0: for no commercial use"])
