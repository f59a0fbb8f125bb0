"""Text to token ids and back: words, characters, byte-pair encoding or a unigram language model.

Ids 0 to 3 are the special tokens of `special.py`; they are never produced by `encode`, whatever the text says, except
UNK for what the vocabulary does not hold. Spaces are ordinary characters in every kind but `word` and `whitespace`, so
that joining the tokens gives the text back, spaces at the ends and runs of them included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any, get_args

from attnfocus.data.tokens.torchtext_words import TorchtextName, make_splitter
from attnfocus.data.tokens.vocabulary import CHUNK, SUBWORD_KINDS, TokenizerKind, Vocabulary, learn, make_engine
from attnfocus.data.tokens.words import join_words
from attnfocus.errors import CheckpointError, ConfigError, DataError
from attnfocus.limits import PositiveInt, Range
from attnfocus.regular_files import read_file, replace_file
from attnfocus.special import SPECIAL_TOKENS, UNK

UNKNOWN_TEXT = "⁇"  # what an unknown token decodes to (the sign that SentencePiece uses)
SPACE_MARK = "▁"  # how a space is shown in `tokens`
FORMAT_VERSION = 1
MAX_FILE_BYTES = 256 * 2**20  # more than any vocabulary takes

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class TokenizerOptions:
    """How texts become tokens.

    Args:
        kind: `word` (split at spaces and punctuation, each Chinese or Japanese character alone), `whitespace` (split
            at blanks alone: for text that another program has tokenized), `character`, `bpe` (Sennrich et al. 2016,
            arXiv:1508.07909), `unigram` (Kudo 2018, arXiv:1804.10959), `torchtext` (words as one of its tokenizers
            splits them; needs the extra of that name).
        vocab_size: the most entries that a vocabulary may have, the four special ones included.
        min_frequency: what occurs less often in the training texts is unknown (words; characters; for bpe and
            unigram characters, and for bpe the pairs that may be merged).
        lowercase: lower-case every text first, also what is to be predicted.
        shared: one vocabulary for source and target.
        torchtext, language: which of torchtext's tokenizers, and the language that it is told; kind=torchtext alone.
    """

    kind: TokenizerKind = "bpe"
    vocab_size: Annotated[int, Range(ge=5, le=10**7, why="tables have a row for each entry")] = 8000
    min_frequency: PositiveInt = 1
    lowercase: bool = False
    shared: bool = False
    torchtext: TorchtextName = "basic_english"
    language: str = "en"


class Tokenizer:
    """A trained vocabulary: `Tokenizer.train(texts, options)` or `Tokenizer.load(path)`.

    Args:
        kind: one of `TokenizerKind`.
        vocabulary: its tokens, in the order of their ids, with what the kind needs besides.
        lowercase: whether texts are lower-cased before they are split.
        splitter: of kind `torchtext`: name and language.

    Raises:
        ConfigError: a splitter that needs what is not installed.
    """

    def __init__(
        self,
        kind: TokenizerKind,
        vocabulary: Vocabulary,
        *,
        lowercase: bool = False,
        splitter: tuple[TorchtextName, str] | None = None,
    ) -> None:
        self.kind = kind
        self.lowercase = lowercase
        self.vocabulary = tuple(vocabulary.tokens)
        self._content = vocabulary
        self._engine = make_engine(kind, vocabulary)
        self._splitter = splitter
        self._split = None if splitter is None else make_splitter(*splitter)

    @classmethod
    def train(cls, texts: Iterable[str], options: TokenizerOptions) -> Tokenizer:
        """Learn a vocabulary: the same texts in the same order give the same one.

        Raises:
            DataError: the texts hold nothing to learn from.
        """
        prepared = [text for text in (_clean(text, options.lowercase) for text in texts) if text.strip()]
        if not prepared:
            raise DataError(
                f"tokenizer.kind={options.kind}: the training split holds no text to learn a vocabulary from. "
                "Give rows that hold text."
            )
        if options.kind in SUBWORD_KINDS:
            prepared = [" " + text for text in prepared]
        splitter = None
        if options.kind == "torchtext":
            splitter = options.torchtext, options.language
            prepared = list(map(make_splitter(*splitter), prepared))
        vocabulary = learn(options.kind, prepared, options.vocab_size, options.min_frequency)
        return cls(options.kind, vocabulary, lowercase=options.lowercase, splitter=splitter)

    @property
    def vocab_size(self) -> int:
        return len(self.vocabulary)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """Token ids, without BOS and EOS."""
        return self._engine.encode(self._prepare(text), add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for many texts at once, on all cores, and every chunk that comes again only once."""
        chunked = [CHUNK.findall(self._prepare(text)) for text in texts]
        chunks = list(dict.fromkeys(chunk for of_text in chunked for chunk in of_text))
        encodings = self._engine.encode_batch_fast(chunks, add_special_tokens=False)
        ids = {chunk: encoding.ids for chunk, encoding in zip(chunks, encodings, strict=True)}
        return [[i for chunk in of_text for i in ids[chunk]] for of_text in chunked]

    def character_spans(self, text: str) -> list[tuple[int, int]]:
        """For every token of `encode(text)` the characters [start, end) of `text` that it covers.

        A word's leading space belongs to its token. Counted in the lower-cased text where that differs in length.

        Raises:
            ValueError: kind `torchtext`, whose tokenizers do not tell.
        """
        if self._split is not None:
            raise ValueError("the tokenizers of torchtext do not tell which characters a token covers")
        prepared = self._prepare(text)
        shift = 1 if prepared and self.kind in SUBWORD_KINDS else 0
        offsets = self._engine.encode(prepared, add_special_tokens=False).offsets
        return [(max(start - shift, 0), max(end - shift, 0)) for start, end in offsets]

    def decode(self, ids: Iterable[int], unknown: Sequence[str] | None = None) -> str:
        """The text of token ids; special tokens give nothing, UNK gives `⁇`, or the next of `unknown` if given.

        For `character`, `bpe` and `unigram` this is exactly the (lower-cased) text that was encoded, as long as every
        character is in the vocabulary. For words spaces are put where the language's typography wants them, for
        `whitespace` between all tokens.
        """
        known = repeat(UNKNOWN_TEXT) if unknown is None else iter(unknown)
        pieces = [next(known) if i == UNK else self._token(i) for i in ids if i == UNK or i >= len(SPECIAL_TOKENS)]
        if self.kind in ("word", "torchtext"):
            return join_words(pieces)
        if self.kind == "whitespace":
            return " ".join(pieces)
        text = "".join(pieces)
        return text.removeprefix(" ") if self.kind in SUBWORD_KINDS else text

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """One string per id, for display: a space is shown as `▁`, special tokens by their name."""
        return [self._token(i).replace(" ", SPACE_MARK) for i in ids]

    def save(self, path: Path) -> None:
        """Write everything that `load` needs as one JSON file."""
        content = {
            "format_version": FORMAT_VERSION,
            "kind": self.kind,
            "lowercase": self.lowercase,
            **({} if self._splitter is None else dict(zip(("torchtext", "language"), self._splitter, strict=True))),
            **self._content._asdict(),
        }
        replace_file(path, json.dumps(content, ensure_ascii=False).encode())

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read what `save` wrote. Nothing in the file is executed.

        Raises:
            CheckpointError: the file is missing, damaged, or of a newer format.
        """
        content = read_json(path, FORMAT_VERSION)
        try:
            kind, vocabulary = _checked_kind(content), _checked_vocabulary(content)
            return cls(kind, vocabulary, lowercase=content["lowercase"], splitter=_checked_splitter(content))
        except ConfigError:  # of the splitter: it is the installation that lacks something
            raise
        except Exception as error:  # the engine raises bare Exception for merges that do not fit the vocabulary
            raise CheckpointError(f"{path}: not a usable vocabulary: {error}. Use an undamaged copy.") from error

    def _prepare(self, text: str) -> str:
        text = _clean(text, self.lowercase)
        if self._split is not None:
            return self._split(text)
        # A space before the first word makes it the same token as inside a sentence.
        return " " + text if text and self.kind in SUBWORD_KINDS else text

    def _token(self, index: int) -> str:
        if not 0 <= index < len(self.vocabulary):
            raise ValueError(f"token id {index} is outside the vocabulary of {len(self.vocabulary)}")
        return self.vocabulary[index]


def read_json(path: Path, format_version: int) -> dict[str, Any]:
    """A JSON object with a `format_version` that this program knows.

    Raises:
        CheckpointError: the file is missing, too large, not such an object, or of a newer format.
    """
    try:
        content = json.loads(read_file(path, MAX_FILE_BYTES))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}. Use an undamaged copy.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({error}). Use an undamaged copy.") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is not int:
        raise CheckpointError(f"{path}: damaged: it holds no format_version. Use an undamaged copy.")
    if version != format_version:
        raise CheckpointError(f"{path}: written in format {version}, this program reads format {format_version}.")
    return content


def _checked_kind(content: dict[str, Any]) -> TokenizerKind:
    if content["kind"] not in get_args(TokenizerKind) or type(content["lowercase"]) is not bool:
        raise ValueError("its kind or lowercase is not a known value")
    kind: TokenizerKind = content["kind"]
    return kind


def _checked_splitter(content: dict[str, Any]) -> tuple[TorchtextName, str] | None:
    if content["kind"] != "torchtext":
        return None
    name, language = content["torchtext"], content["language"]
    if name not in get_args(TorchtextName) or not isinstance(language, str):
        raise ValueError("its torchtext or language is not a known value")
    return name, language


def _checked_vocabulary(content: dict[str, Any]) -> Vocabulary:
    tokens, merges, scores = content["tokens"], content["merges"], content["scores"]
    if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
        raise ValueError("its tokens are not texts")
    if not isinstance(merges, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in merges
    ):
        raise ValueError("its merges are not pairs of tokens")
    if not isinstance(scores, list) or not all(type(score) is float and -1e6 < score <= 0 for score in scores):
        raise ValueError("its scores are not log probabilities")
    return Vocabulary(tokens, [(left, right) for left, right in merges], scores)


def _clean(text: str, lowercase: bool) -> str:
    """The text that is split: half a surrogate pair, which is no character, becomes U+FFFD."""
    if not text.isascii():
        text = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)
    return text.lower() if lowercase else text
