"""Byte pairs are learned from words with counts; the library, which reads all texts, is the slow reference."""

import json
import random

import pytest
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Engine

from attnfocus.data.tokens.bpe import learn_merges
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.data.tokens.vocabulary import _PATTERNS
from attnfocus.special import SPECIAL_TOKENS

ALPHABETS = ("a", "ab", "aabbc", "abcdefgh", "aé ß我們1!", "ab  \t1", "a\x1c\u00a0b")


def reference(texts, options):
    """(tokens, merges) of the library."""
    texts = [" " + text for text in texts]
    counts = {}
    for character in "".join(texts):
        counts[character] = counts.get(character, 0) + 1
    frequent = sorted((-count, each) for each, count in counts.items() if count >= options.min_frequency)
    alphabet = [each for _, each in frequent[: options.vocab_size - len(SPECIAL_TOKENS)]]
    engine = Engine(models.BPE(unk_token="<unk>"))
    engine.pre_tokenizer = pre_tokenizers.Split(Regex(_PATTERNS["subword"]), behavior="isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=options.vocab_size,
        min_frequency=options.min_frequency,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    engine.train_from_iterator(texts, trainer)
    model = json.loads(engine.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [tuple(merge) for merge in model["merges"]]


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_byte_pairs_are_those_of_the_library(alphabet):
    draw = random.Random(0)
    for _ in range(30):
        lengths = [draw.randint(1, 30) for _ in range(draw.randint(1, 40))]
        texts = ["".join(draw.choices(alphabet + " ", k=length)) + "a" for length in lengths]
        options = TokenizerOptions(vocab_size=draw.choice([5, 7, 10, 30, 200]), min_frequency=draw.choice([1, 1, 2, 3]))
        learned = Tokenizer.train(iter(texts), options)
        tokens, merges = reference(texts, options)
        assert list(learned.vocabulary) == tokens, texts
        assert list(learned._content.merges) == merges, texts


def test_hand_worked_merges():
    """aab x 2, ab x 1: ab is seen 3 times, aa twice; then a+ab twice."""
    symbols, merges = learn_merges({"aab": 2, "ab": 1}, ["a", "b"], size=10, min_frequency=1)
    assert merges == [("a", "b"), ("a", "ab")]
    assert symbols == ["a", "b", "ab", "aab"]


def test_a_pair_that_is_too_rare_is_not_merged_and_the_size_is_kept():
    assert learn_merges({"ab": 1}, ["a", "b"], size=10, min_frequency=2)[1] == []
    assert learn_merges({"abcd": 5}, list("abcd"), size=5, min_frequency=1)[0] == [*"abcd", "ab"]
