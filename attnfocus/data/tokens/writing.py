"""How a language is written: with blanks between its words, or without."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

Writing = Literal["spaced", "chinese", "unspaced"]

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")
# Kana, Thai, Lao, Tibetan, Burmese, Khmer
_OTHERS = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\u0e00-\u0e7f\u0e80-\u0eff\u0f00-\u0fff\u1000-\u109f\ua9e0-\ua9ff"
    "\uaa60-\uaa7f\u1780-\u17ff\u19e0-\u19ff]"
)


def writing_of(texts: Iterable[str]) -> Writing:
    """How most characters of some texts are written.

    `chinese`: characters that are words or nearly so; `unspaced`: other scripts without blanks between words, such as
    Japanese (a tenth or more of whose characters are kana) and Thai.
    """
    return _writing_of((text, 1) for text in texts)


def writing_of_words(counts: Mapping[str, int]) -> Writing:
    """The same of texts that hold some words so often."""
    return _writing_of(counts.items())


def _writing_of(counts: Iterable[tuple[str, int]]) -> Writing:
    num_han = num_others = size = 0
    for text, count in counts:
        if not text.isascii():
            num_han += count * len(_HAN.findall(text))
            num_others += count * len(_OTHERS.findall(text))
        size += count * len("".join(text.split()))
    if 2 * (num_han + num_others) <= size:
        return "spaced"
    return "chinese" if num_others < 0.1 * (num_han + num_others) else "unspaced"


def is_chinese(texts: Iterable[str]) -> bool:
    """Whether most characters are Chinese, whatever the others are."""
    joined = "".join(word for text in texts for word in text.split())
    return 2 * len(_HAN.findall(joined)) > len(joined)
