"""The tokenizers of torchtext as word splitters. Extra `torchtext`, imported when one is made.

Of torchtext's readers of vectors none is used: version 0.6.0 turns off the check of TLS certificates for the whole
process when it makes one, keeps the whole file in memory and a pickle beside it. The text files that they download
(GloVe, fastText) are read by `vectors`.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Literal

from attnfocus.errors import ConfigError

TorchtextName = Literal["basic_english", "moses", "spacy", "toktok", "revtok", "subword"]

WORD_END = "\x1f"  # the unit separator stands between words on their way to the engine; no text holds it afterwards
_NEEDS = {"moses": "sacremoses", "spacy": "spacy", "toktok": "nltk", "revtok": "revtok", "subword": "revtok"}
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:_core_(?:web|news)_(?:sm|md|lg|trf))?")  # what spaCy may be told to import


def make_splitter(name: TorchtextName, language: str) -> Callable[[str], str]:
    """A function from a text to its words, joined by WORD_END.

    Args:
        language: of the text; for spaCy the name of a model that is installed, such as en_core_web_sm.

    Raises:
        ConfigError: torchtext is not installed, or what the tokenizer needs besides, or it has no such language.
    """
    if not _LANGUAGE.fullmatch(language):
        raise ConfigError(
            f"dataset.tokenizer.language={language[:40]}: must be a code such as en, or a model of spaCy such as "
            "en_core_web_sm."
        )
    try:
        from torchtext.data.utils import get_tokenizer
    except ImportError:
        raise ConfigError(
            "dataset.tokenizer.kind=torchtext needs an extra: pip install 'attnfocus[torchtext]'. kind=word needs none."
        ) from None
    try:
        with redirect_stdout(io.StringIO()):  # it prints its advice, which is said below
            split = get_tokenizer(name, language)
    except ImportError:
        package = _NEEDS.get(name, name)
        raise ConfigError(
            f"dataset.tokenizer.torchtext={name} needs the package {package}: pip install {package}."
        ) from None
    except (OSError, ValueError) as error:  # spaCy without the model; basic_english in another language
        raise ConfigError(
            f"dataset.tokenizer.torchtext={name} cannot take dataset.tokenizer.language={language}: "
            f"{str(error).splitlines()[0][:200]}"
        ) from None
    restore = html.unescape if name == "moses" else str  # Moses writes & and quotes as in HTML

    def words(text: str) -> str:
        return WORD_END.join(restore(word) for word in split(text.replace(WORD_END, " ")) if word.strip())

    return words
