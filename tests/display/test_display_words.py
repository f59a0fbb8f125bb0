"""The words of the pages: none is missing in English or Chinese, and none is there that nothing says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from attnfocus.focus.head_kinds import KINDS

PACKAGE = Path(__file__).resolve().parents[2] / "attnfocus"
INSPECT, REPORT, COMPARE = (PACKAGE / room / "page" for room in ("inspection", "commands/report", "commands/compare"))
PAGES = {"inspect": (INSPECT,), "report": (INSPECT, REPORT), "compare": (COMPARE,)}  # the second adds to the first
ENTRY = re.compile(r'(\w+): "((?:[^"\\]|\\.)*)"')
CHINESE = re.compile(r"^\s*zh: \{|^Object\.assign\(WORDS\.zh", re.MULTILINE)
SHARED = PACKAGE / "display" / "documents" / "scripts"


def words_of(folders: tuple[Path, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Key -> text in English, and in Chinese."""
    english, chinese = {}, {}
    for folder in folders:
        text = (folder / "scripts" / "words.js").read_text(encoding="utf-8").split("METHODS_ZH")[0]
        first, second = CHINESE.split(text)
        english |= dict(ENTRY.findall(first))
        chinese |= dict(ENTRY.findall(second))
    return english, chinese


def texts_of(folders: tuple[Path, ...]) -> Iterator[str]:
    """All of a page but its words: classes of its style and names in its data are asked for, too."""
    for folder in (*folders, SHARED.parent):
        for path in (*folder.glob("*.*"), *folder.glob("scripts/*.js"), *folder.parent.glob("*.py")):
            text = path.read_text(encoding="utf-8")
            yield re.sub(ENTRY, "", text) if path.name == "words.js" else text


@pytest.mark.parametrize("page", PAGES)
def test_no_word_is_missing_in_either_language(page: str) -> None:
    english, chinese = words_of(PAGES[page])
    assert len(english) > 50
    singular = {key for key in english if key.endswith("One") and key.removesuffix("One") in english}
    assert english.keys() - singular == chinese.keys() - singular
    for key, text in chinese.items():
        places = set(re.findall(r"%\w+%", english[key]))
        assert set(re.findall(r"%\w+%", text)) <= places, key


@pytest.mark.parametrize("page", PAGES)
def test_every_word_that_is_asked_for_is_there_and_every_word_is_asked_for(page: str) -> None:
    english, _ = words_of(PAGES[page])
    text = "\n".join(texts_of(PAGES[page]))
    asked = set(re.findall(r'\bword\("(\w+)"', text)) | set(re.findall(r'data-(?:word|label)="(\w+)"', text))
    assert asked <= english.keys()
    said = set(re.findall(r"\w+", text))
    made = {key for key in english if re.match(r"(better|side|metric|looked)_", key)}  # of a part and a name
    singular = {key for key in english if key.endswith("One") and key.removesuffix("One") in english}
    assert english.keys() - said - made - singular - set(KINDS) == set()  # heads are named by the data
