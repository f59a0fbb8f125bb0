"""How vocabularies are learned, and the engine of the `tokenizers` library that applies them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from attnfocus.data.tokens.bpe import learn_merges
from attnfocus.data.tokens.chunks import chunk_counts
from attnfocus.data.tokens.torchtext_words import WORD_END
from attnfocus.special import SPECIAL_TOKENS, UNK

TokenizerKind = Literal["word", "whitespace", "character", "bytes", "bpe", "unigram", "torchtext"]
WordKind = Literal["word", "whitespace"]
WordSplit = Callable[[str], list[tuple[str, tuple[int, int]]]]
SUBWORD_KINDS = ("bpe", "unigram")
COUNTED_KINDS = ("bpe", "character")  # that need no whole texts to be learned

_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}"
_WORD = rf"[[\p{{L}}\p{{M}}\p{{N}}_]&&[^{_CJK}]]+"
# What no alternative matches is kept as a piece of its own.
_PATTERNS: dict[str, str] = {
    "word": rf"\p{{N}}+(?:[.,:]\p{{N}}+)+|{_WORD}(?:['’\-]{_WORD})*|[\s\S]",
    # whole words; one that is named like a special token is cut, so that it never is one (files of format 1 alone)
    "whitespace": "|".join(f"{token[0]}(?={token[1:]})" for token in SPECIAL_TOKENS),
    "character": r"[\s\S]",
    # words with the space before them, digits apart from letters, runs of other characters
    "subword": r" ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+",
}


class Vocabulary(NamedTuple):
    """What a tokenizer knows: all tokens in the order of their ids; `bpe`: its merges; `unigram`: log probabilities."""

    tokens: Sequence[str]
    merges: Sequence[tuple[str, str]] = ()
    scores: Sequence[float] = ()


def make_engine(kind: TokenizerKind, vocabulary: Vocabulary) -> tokenizers.Tokenizer:
    """The engine that splits texts and looks tokens up.

    Raises:
        ValueError: the vocabulary does not begin with the special tokens, repeats a token, or does not fit its scores.
        Exception: as the engine raises it, for merges that do not fit the tokens.
    """
    if tuple(vocabulary.tokens[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
        raise ValueError(f"a vocabulary must begin with {', '.join(SPECIAL_TOKENS)}")
    ids = {token: index for index, token in enumerate(vocabulary.tokens)}
    if len(ids) != len(vocabulary.tokens):
        raise ValueError("a vocabulary must not hold a token twice")
    unknown = SPECIAL_TOKENS[UNK]
    if kind == "bpe":
        return _splitting(kind, models.BPE(vocab=ids, merges=list(vocabulary.merges), unk_token=unknown))
    if kind == "unigram":
        if len(vocabulary.scores) != len(ids):
            raise ValueError(f"{len(vocabulary.scores)} scores for {len(ids)} tokens")
        scored = list(zip(vocabulary.tokens, vocabulary.scores, strict=True))
        return _splitting(kind, models.Unigram(vocab=scored, unk_id=UNK))
    return _splitting(kind, models.WordLevel(vocab=ids, unk_token=unknown))


def word_split(kind: WordKind) -> WordSplit:
    """A function that gives the words of a text and the characters [start, end) that each covers."""
    blanks = pre_tokenizers.WhitespaceSplit()
    split: pre_tokenizers.PreTokenizer = blanks
    if kind == "word":
        split = pre_tokenizers.Sequence([blanks, _pattern_split(kind)])
    return split.pre_tokenize_str


def named_word(word: str) -> str:
    """What a word is called in the vocabulary: as it is, but for one that is named like a special token."""
    return f"{word} " if word in SPECIAL_TOKENS else word


def learn(
    kind: TokenizerKind, texts: list[str], vocab_size: int, min_frequency: int, marks: Sequence[str] = ()
) -> Vocabulary:
    """The vocabulary of some texts: the same texts give the same one. Of all but `bytes` and the `COUNTED_KINDS`.

    Args:
        texts: not empty. For `unigram` with a space before the first word.
        vocab_size: the most tokens, the four special ones included.
        min_frequency: what is seen less often is left out.
        marks: further tokens that come first, of kinds that are words.
    """
    counts = chunk_counts(texts, is_subword=kind == "unigram")
    if kind == "unigram":
        alphabet = _alphabet(counts, vocab_size - len(SPECIAL_TOKENS), min_frequency)
        return _learn_unigram(texts, alphabet, vocab_size)
    return _most_frequent(kind, counts, vocab_size, min_frequency, marks)


def learn_counted(kind: TokenizerKind, counts: Mapping[str, int], vocab_size: int, min_frequency: int) -> Vocabulary:
    """The same of chunks with their counts, for `COUNTED_KINDS`."""
    if kind != "bpe":
        return _most_frequent(kind, counts, vocab_size, min_frequency)
    alphabet = _alphabet(counts, vocab_size - len(SPECIAL_TOKENS), min_frequency)
    start = [*SPECIAL_TOKENS, *sorted(alphabet)]
    return Vocabulary(*learn_merges(_token_counts(kind, counts), start, vocab_size, min_frequency))


def _most_frequent(
    kind: TokenizerKind, chunks: Mapping[str, int], vocab_size: int, min_frequency: int, marks: Sequence[str] = ()
) -> Vocabulary:
    counts = _token_counts(kind, chunks)
    frequent = sorted((-count, token) for token, count in counts.items() if count >= min_frequency)
    if kind == "whitespace":
        frequent = [(order, named_word(token)) for order, token in frequent]
    tokens = [token for _, token in frequent if token not in SPECIAL_TOKENS]
    return Vocabulary([*SPECIAL_TOKENS, *marks, *tokens][:vocab_size])


def _token_counts(kind: TokenizerKind, chunks: Mapping[str, int]) -> Counter[str]:
    """How often each token, or word of subwords, is seen. A chunk is split only once, however often it occurs."""
    if kind == "whitespace":
        split = word_split(kind)
    else:
        split = _splitting(kind, models.WordLevel(unk_token=SPECIAL_TOKENS[UNK])).pre_tokenizer.pre_tokenize_str
    counts: Counter[str] = Counter()
    for chunk, count in chunks.items():
        for token, _ in split(chunk):
            counts[token] += count
    return counts


def _alphabet(chunks: Mapping[str, int], size: int, min_frequency: int) -> list[str]:
    """The most frequent characters. The trainers would keep every one however rare, and break ties at random."""
    counts: Counter[str] = Counter()
    for chunk, count in chunks.items():
        for character in chunk:
            counts[character] += count
    frequent = [(-count, character) for character, count in counts.items() if count >= min_frequency]
    return [character for _, character in sorted(frequent)[:size]]


def _learn_unigram(texts: list[str], alphabet: list[str], vocab_size: int) -> Vocabulary:
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        unk_token=SPECIAL_TOKENS[UNK],
        show_progress=False,
    )
    rare = str.maketrans(dict.fromkeys({character for text in texts for character in text} - set(alphabet), " "))
    model = _trained("unigram", models.Unigram(), trainer, [text.translate(rare) for text in texts])
    pieces = [(piece, score) for piece, score in model["vocab"] if piece not in SPECIAL_TOKENS]
    settled = _settled(pieces, vocab_size - len(SPECIAL_TOKENS))
    tokens = [*SPECIAL_TOKENS, *(piece for piece, _ in settled)]
    return Vocabulary(tokens, scores=[0.0] * len(SPECIAL_TOKENS) + [score for _, score in settled])


def _settled(pieces: list[tuple[str, float]], size: int) -> list[tuple[str, float]]:
    """At most `size` pieces, best first, without what differs from one run of the unigram trainer to the next.

    The trainer sums in a random order, so the last digits are noise. It gives the characters that its model has
    dropped scores of 0.0001 more than the worst, 0.0002 more and so on, in a random order: here they all get the
    worst. It keeps every character, also where that makes the vocabulary too large: here longer pieces give way.
    """
    worst = min((score for _, score in pieces), default=0.0)

    def settle(piece: str, score: float) -> float:
        rank = (score - worst) / 1e-4
        dropped = len(piece) == 1 and rank < len(pieces) and abs(rank - round(rank)) < 1e-4
        return round(worst if dropped else score, 6)

    settled = [(piece, settle(piece, score)) for piece, score in pieces]
    settled.sort(key=lambda item: (len(item[0]) > 1, -item[1], item[0]))
    return sorted(settled[:size], key=lambda item: (-item[1], item[0]))


def _splitting(kind: TokenizerKind, model: models.Model) -> tokenizers.Tokenizer:
    # No special token is registered with the engine: `<pad>` in a text is five characters, never id 0.
    engine = tokenizers.Tokenizer(model)
    if kind == "bytes":  # whose texts it never sees
        return engine
    if kind == "torchtext":  # its texts come split already
        engine.pre_tokenizer = pre_tokenizers.Split(WORD_END, behavior="removed")
        return engine
    split = _pattern_split("subword" if kind in SUBWORD_KINDS else kind)
    words = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), split])
    engine.pre_tokenizer = words if kind in ("word", "whitespace") else split
    return engine


def _pattern_split(name: str) -> pre_tokenizers.Split:
    return pre_tokenizers.Split(tokenizers.Regex(_PATTERNS[name]), behavior="isolated")


def _trained(kind: TokenizerKind, empty: models.Model, trainer: trainers.Trainer, texts: list[str]) -> dict[str, Any]:
    """The model's content after training, as the library writes it."""
    engine = _splitting(kind, empty)
    engine.train_from_iterator(iter(texts), trainer, length=len(texts))
    model: dict[str, Any] = json.loads(engine.to_str())["model"]
    return model


def _by_id(model: dict[str, Any]) -> list[str]:
    ids: dict[str, int] = model["vocab"]
    return sorted(ids, key=ids.__getitem__)
