"""Text to token ids and back: words, characters, bytes, byte-pair encoding or a unigram language model.

Ids 0 to 3 are the special tokens of `special.py`; they are never produced by `encode`, whatever the text says, except
UNK for what the vocabulary does not hold; `bytes` hold all. Spaces are ordinary characters in every kind but `word`,
`whitespace` and `torchtext`, so that joining the tokens gives the text back, spaces at the ends and runs of them
included. `word` and `whitespace` give it back with one space for each run of blanks (`spaced_words`); `torchtext`
guesses.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from attnfocus.data.tokens.chunks import ChunkIds, KnownChunks, chunk_counts, clean_text, lowered_spans, spelled
from attnfocus.data.tokens.id_lists import Packer
from attnfocus.data.tokens.spaced_words import MARKS, SpacedWords, shown_word
from attnfocus.data.tokens.spaces import SpaceRule, learned_rule
from attnfocus.data.tokens.tokenizer_file import (
    checked_kind,
    checked_spaces,
    checked_splitter,
    checked_vocabulary,
    read_json,
)
from attnfocus.data.tokens.torchtext_words import TorchtextName, make_splitter
from attnfocus.data.tokens.utf8_bytes import BYTES, Utf8Bytes
from attnfocus.data.tokens.vocabulary import (
    COUNTED_KINDS,
    SUBWORD_KINDS,
    TokenizerKind,
    Vocabulary,
    learn,
    learn_counted,
    make_engine,
    word_split,
)
from attnfocus.data.tokens.words import join_words
from attnfocus.errors import CheckpointError, ConfigError, DataError
from attnfocus.limits import PositiveInt, Range
from attnfocus.regular_files import replace_file
from attnfocus.special import SPECIAL_TOKENS, UNK

UNKNOWN_TEXT = "⁇"  # what an unknown token decodes to (the sign that SentencePiece uses)
SPACE_MARK = "▁"  # how a space is shown in `tokens`
FORMAT_VERSION = 1
SPACED_FORMAT_VERSION = 2  # of words that come back with their spaces


@dataclass(frozen=True, kw_only=True)
class TokenizerOptions:
    """How texts become tokens.

    Args:
        kind: `word` (split at spaces and punctuation, each Chinese or Japanese character alone), `whitespace` (split
            at blanks alone: for text that another program has tokenized), `character`, `bytes` (of UTF-8), `bpe`
            (Sennrich et al. 2016, arXiv:1508.07909), `unigram` (Kudo 2018, arXiv:1804.10959), `torchtext` (words as
            one of its tokenizers splits them; needs the extra of that name).
        vocab_size: the most entries that a vocabulary may have, the four special ones included; no effect on `bytes`,
            which have 260.
        min_frequency: what occurs less often in the training texts is unknown (words; characters; for bpe and
            unigram characters, and for bpe the pairs that may be merged); no effect on `bytes`.
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
        spaces: of kinds `word` and `whitespace`: where spaces stand. None: they are guessed, as they all were once.

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
        spaces: SpaceRule | None = None,
    ) -> None:
        self.kind = kind
        self.lowercase = lowercase
        self.vocabulary = tuple(vocabulary.tokens)
        self._content = vocabulary
        self._engine = make_engine(kind, vocabulary)
        self._splitter = splitter
        self._split = None if splitter is None else make_splitter(*splitter)
        self._coder: SpacedWords | Utf8Bytes | None = None
        if kind == "bytes":
            self._coder = Utf8Bytes(self.vocabulary)
        elif spaces is not None and (kind == "word" or kind == "whitespace"):
            self._coder = SpacedWords(kind, self.vocabulary, spaces, word_split(kind))

    @classmethod
    def train(cls, texts: Iterable[str], options: TokenizerOptions, *, keeps_spaces: bool = True) -> Tokenizer:
        """Learn a vocabulary: the same texts in the same order give the same one.

        Args:
            keeps_spaces: False: texts are only read, never written; `word` then makes no tokens that say where a space
                is, and `decode` guesses.

        Raises:
            DataError: the texts hold nothing to learn from; never of `bytes`, for which they are not read.
        """
        if options.kind == "bytes":
            return cls(options.kind, BYTES, lowercase=options.lowercase)
        cleaned = (text for text in (clean_text(text, options.lowercase) for text in texts) if text.strip())
        if options.kind in COUNTED_KINDS:
            is_subword = options.kind in SUBWORD_KINDS
            counts = chunk_counts((f" {text}" for text in cleaned) if is_subword else cleaned, is_subword=is_subword)
            return cls.of_chunks(counts, options)
        prepared = list(cleaned)
        _check_not_empty(prepared, options)
        if options.kind in SUBWORD_KINDS:
            prepared = [" " + text for text in prepared]
        splitter, spaces, marks = None, None, tuple[str, ...]()
        if options.kind == "torchtext":
            splitter = options.torchtext, options.language
            prepared = list(map(make_splitter(*splitter), prepared))
        elif options.kind == "whitespace":
            spaces = SpaceRule()
        elif options.kind == "word" and keeps_spaces:
            spaces, marks = learned_rule(prepared, word_split(options.kind)), MARKS
        vocabulary = learn(options.kind, prepared, options.vocab_size, options.min_frequency, marks)
        return cls(options.kind, vocabulary, lowercase=options.lowercase, splitter=splitter, spaces=spaces)

    @classmethod
    def of_words(cls, counts: Mapping[str, int], options: TokenizerOptions) -> Tokenizer:
        """What `train` learns from texts that hold these words so often, where `learns_from_words`.

        Args:
            counts: members of `chunks.subword_chunks`, not yet lower-cased.
        """
        spelled_counts: Counter[str] = Counter()
        for word, count in counts.items():
            spelled_counts[spelled(clean_text(word, options.lowercase))] += count
        return cls.of_chunks(spelled_counts, options)

    @classmethod
    def of_chunks(cls, counts: Mapping[str, int], options: TokenizerOptions) -> Tokenizer:
        """What `train` learns from texts that hold these chunks so often, of `COUNTED_KINDS`."""
        _check_not_empty(counts, options)
        learned = learn_counted(options.kind, counts, options.vocab_size, options.min_frequency)
        return cls(options.kind, learned, lowercase=options.lowercase)

    @property
    def is_subword(self) -> bool:
        """Whether a text is encoded word by word, each with the space before it."""
        return self.kind in SUBWORD_KINDS

    def word_ids(self, words: Iterable[str | None]) -> ChunkIds:
        """The ids of members of `chunks.subword_chunks`, where `is_subword`; None has no ids."""
        known = KnownChunks(self._engine, self._dtype, is_subword=True)
        cleaned = (None if word is None else clean_text(word, self.lowercase) for word in words)
        return ChunkIds((b"" if word is None else known[word] for word in cleaned), self._dtype)

    def known_chunks(self, dtype: np.dtype[Any], max_known: int) -> KnownChunks:
        """Chunks of a text and their ids, where `is_subword`; as many as `max_known` are kept."""
        return KnownChunks(self._engine, dtype, is_subword=True, max_known=max_known)

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.int32)

    @property
    def vocab_size(self) -> int:
        return len(self.vocabulary)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """Token ids, without BOS and EOS."""
        prepared = self._prepare(text)
        if self._coder is not None:
            return self._coder.encoder()(prepared)
        return self._engine.encode(prepared, add_special_tokens=False).ids

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """`encode` for many texts at once."""
        packer = self.packer()
        for text in texts:
            packer.add(text)
        return [ids.tolist() for ids in packer.lists()]

    def packer(self, first: Sequence[int] = (), last: Sequence[int] = ()) -> Packer:
        """Collects the ids of many texts in one array; what comes again in them is split only once.

        Args:
            first, last: ids to stand before and after those of each text.
        """
        dtype = self._dtype
        if self._coder is not None:
            ids_of = self._coder.encoder()
            return Packer(lambda text: [np.array(ids_of(self._prepare(text)), dtype).tobytes()], dtype, first, last)
        known = KnownChunks(self._engine, dtype, is_subword=self.kind in SUBWORD_KINDS)
        return Packer(lambda text: known.pieces(self._prepare(text)), dtype, first, last)

    def character_spans(self, text: str) -> list[tuple[int, int]]:
        """For every token of `encode(text)` the characters [start, end) of `text` that it covers.

        A word's leading space belongs to its token in bpe and unigram. A character that lower-casing makes two of (İ)
        is covered by the tokens of both. What only says where a space is covers the blanks, or nothing.

        Raises:
            ValueError: kind `torchtext`, whose tokenizers do not tell.
        """
        if self._split is not None:
            raise ValueError("the tokenizers of torchtext do not tell which characters a token covers")
        prepared = self._prepare(text)
        if self._coder is not None:
            spans = self._coder.spans(prepared)
        else:
            shift = 1 if prepared and self.kind in SUBWORD_KINDS else 0
            offsets = self._engine.encode(prepared, add_special_tokens=False).offsets
            spans = [(max(start - shift, 0), max(end - shift, 0)) for start, end in offsets]
        return lowered_spans(text, spans) if self.lowercase else spans

    def decode(self, ids: Iterable[int], unknown: Sequence[str] | None = None) -> str:
        """The text of token ids; special tokens give nothing, UNK gives `⁇`, or the next of `unknown` if given.

        This is exactly the (lower-cased) text that was encoded, as long as all of it is in the vocabulary: always for
        `bytes`; every character for `character`, `bpe` and `unigram`; every word for `word` and `whitespace`, where
        each run of blanks becomes one space. For `torchtext`, and where no spaces were kept, they are put where
        typography wants them.
        """
        known = repeat(UNKNOWN_TEXT) if unknown is None else iter(unknown)
        if self._coder is not None:
            return self._coder.decode(map(self._checked, ids), partial(next, known))
        pieces = [next(known) if i == UNK else self._token(i) for i in ids if i == UNK or i >= len(SPECIAL_TOKENS)]
        if self.kind in ("word", "torchtext"):
            return join_words(pieces)
        if self.kind == "whitespace":
            return " ".join(pieces)
        text = "".join(pieces)
        return text.removeprefix(" ") if self.kind in SUBWORD_KINDS else text

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """One string per id, for display: a space is shown as `▁`, special tokens by their name, a byte as `<E4>`.

        With words `▁` and `‿` are tokens that say that there is a space, or none, where it would not be expected.
        """
        shown = shown_word if isinstance(self._coder, SpacedWords) else str
        return [shown(self._token(i)).replace(" ", SPACE_MARK) for i in ids]

    def save(self, path: Path) -> None:
        """Write everything that `load` needs as one JSON file."""
        spaces = self._coder.rule if isinstance(self._coder, SpacedWords) else None
        content = {
            "format_version": FORMAT_VERSION if spaces is None else SPACED_FORMAT_VERSION,
            "kind": self.kind,
            "lowercase": self.lowercase,
            **({} if spaces is None else {"spaces": spaces.content()}),
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
        content = read_json(path, FORMAT_VERSION, SPACED_FORMAT_VERSION)
        try:
            kind, vocabulary = checked_kind(content), checked_vocabulary(content)
            spaces = checked_spaces(content) if content["format_version"] == SPACED_FORMAT_VERSION else None
            splitter = checked_splitter(content)
            return cls(kind, vocabulary, lowercase=content["lowercase"], splitter=splitter, spaces=spaces)
        except ConfigError:  # of the splitter: it is the installation that lacks something
            raise
        except Exception as error:  # the engine raises bare Exception for merges that do not fit the vocabulary
            raise CheckpointError(f"{path}: not a usable vocabulary: {error}. Use an undamaged copy.") from error

    def _prepare(self, text: str) -> str:
        text = clean_text(text, self.lowercase)
        if self._split is not None:
            return self._split(text)
        # A space before the first word makes it the same token as inside a sentence.
        return " " + text if text and self.kind in SUBWORD_KINDS else text

    def _token(self, index: int) -> str:
        return self.vocabulary[self._checked(index)]

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self.vocabulary):
            raise ValueError(f"token id {index} is outside the vocabulary of {len(self.vocabulary)}")
        return index


def _check_not_empty(content: Collection[str], options: TokenizerOptions) -> None:
    if not content:
        raise DataError(
            f"tokenizer.kind={options.kind}: the training split holds no text to learn a vocabulary from. "
            "Give rows that hold text."
        )


def learns_from_words(options: TokenizerOptions) -> bool:
    """Whether `Tokenizer.of_words` learns what `Tokenizer.train` does."""
    return options.kind in COUNTED_KINDS and options.kind in SUBWORD_KINDS
