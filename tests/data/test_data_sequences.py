"""Sequences with known evidence: each answer follows from its evidence, recomputed from the texts alone."""

from collections import Counter
from functools import cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus.data import (
    Copying,
    Induction,
    Needle,
    Parity,
    Recall,
    SelectiveCopying,
    Sorting,
    Source,
)
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.sources.random_numbers import RandomNumbers, past
from attnfocus.data.tokens.tokenizer import TokenizerOptions

SMALL = {"num_train": 600, "num_valid": 60, "num_test": 60}
ALL = {  # options beside the defaults
    "recall": (Recall, {}),
    "recall, blank": (Recall, {"filler": "blank", "length": 33, "test_length": 64, "vocab_size": 9}),
    "recall, many": (Recall, {"num_pairs": 16, "length": 64, "vocab_size": 8192, "power_a": 1.0}),
    "induction": (Induction, {"test_length": 100}),
    "induction, short": (Induction, {"length": 4, "vocab_size": 2}),
    "copying": (Copying, {"test_length": 24}),
    "copying, lengths": (Copying, {"min_length": 1, "vocab_size": 2}),
    "selective_copying": (SelectiveCopying, {"test_length": 64}),
    "selective_copying, few": (SelectiveCopying, {"num_symbols": 2, "length": 200}),
    "needle": (Needle, {}),
    "needle, first": (Needle, {"depth": 0.0, "test_length": 301}),
    "needle, alone": (Needle, {"num_distractors": 0, "length": 5}),
    "needle, full": (Needle, {"num_distractors": 14, "depth": 1.0, "length": 33}),
    "sorting": (Sorting, {"length": 8, "test_length": 64}),
    "sorting, lengths": (Sorting, {"length": 8, "min_length": 2}),
    "parity": (Parity, {}),
    "parity, lengths": (Parity, {"min_length": 1, "length": 7, "test_length": 40}),
}


@cache
def splits_of(name):
    cls, options = ALL[name]
    return cls(**SMALL | options).read(Path(), 1).splits


def rows_of(name):
    return [row for rows in splits_of(name).values() for row in rows]


def places(row):
    """Character -> position of the symbol that begins there, of input and target."""
    found = []
    for text in (row.input, row.target):
        starts = accumulate((len(symbol) + 1 for symbol in text.split(" ")[:-1]), initial=0)
        found.append({start: place for place, start in enumerate(starts)})
    return found


def evidence(row, links=None):
    """Position of each answer -> positions that it follows from."""
    inputs, targets = places(row)
    found = {inputs[start]: set() for start, _ in row.answers}
    order = list(found)
    for target, source in row.alignment if links is None else links:
        found[order[targets[target]]].add(inputs[source])
    return found


def one(positions):
    (position,) = positions
    return position


@pytest.mark.parametrize("name", ALL)
def test_answers_are_symbols_in_order_and_evidence_stands_before_them(name):
    for row in rows_of(name):
        symbols = row.input.split(" ")
        assert all(symbols)
        inputs, targets = places(row)
        starts = [start for start, _ in row.answers]
        assert starts == sorted(set(starts))
        assert [row.input[start:end] for start, end in row.answers] == row.target.split(" ")
        assert all(row.input[start:end] == symbols[inputs[start]] for start, end in row.answers)
        assert {target for target, _ in row.alignment} == set(targets)  # every answer has evidence
        assert len(set(row.alignment)) == len(row.alignment)
        assert row.sure is None or set(row.sure) < set(row.alignment)
        assert all(max(found) < answer for answer, found in evidence(row).items())


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith(("recall", "needle", "induction"))])
def test_the_value_of_the_key_that_is_asked_is_looked_up_in_the_evidence(name):
    for row in rows_of(name):
        symbols = row.input.split(" ")
        possible, sure = evidence(row), evidence(row, row.sure)
        for answer, found in possible.items():
            value = one(sure[answer])
            assert found == {value - 1, value}
            assert symbols[value] == symbols[answer]
            assert symbols[value - 1] == symbols[answer - 1]
            assert symbols.count(symbols[answer - 1]) == 2  # the key is nowhere else: it has one value


def test_recall_asks_each_pair_once_as_published():
    for row in rows_of("recall"):
        symbols = row.input.split(" ")
        assert len(symbols) == 32
        keys, values = symbols[:8:2], symbols[1:8:2]
        assert len(set(keys)) == len(set(values)) == 4
        assert {kind[0] for kind in keys} == {"k"}
        assert {kind[0] for kind in values} == {"v"}
        asked = {symbols[answer - 1]: symbols[answer] for answer in evidence(row)}
        assert asked == dict(zip(keys, values, strict=True))
        assert all(answer % 2 for answer in evidence(row))  # keys at even distances from the pairs
    assert {symbol for row in rows_of("recall, blank") for symbol in row.input.split(" ")} == {
        "_", *(f"k{key}" for key in range(4)), *(f"v{value}" for value in range(5))
    }  # fmt: skip


def test_recall_asks_at_places_of_a_power_law():
    """One pair, so that a single draw decides: shares of places are p(x) = x ** (a - 1) / sum."""
    for power, num_places in ((0.01, 7), (1.0, 7)):
        rows = Recall(num_pairs=1, length=16, power_a=power, num_train=8000).read(Path(), 0).splits["train"]
        counts = Counter((one(evidence(row)) - 3) // 2 for row in rows)
        weights = np.arange(1, num_places + 1) ** (power - 1)
        assert [counts[place] / 8000 for place in range(num_places)] == pytest.approx(weights / weights.sum(), abs=0.02)


def test_induction_has_the_special_symbol_anywhere_once_and_before_the_end():
    firsts = Counter()
    for row in splits_of("induction")["train"]:
        symbols = row.input.split(" ")
        assert [place for place, symbol in enumerate(symbols) if symbol == "*"][1:] == [30]
        firsts[symbols.index("*")] += 1
    assert set(firsts) == set(range(29))


@pytest.mark.parametrize("name", [name for name in ALL if "copying" in name or name.startswith("sorting")])
def test_what_follows_the_bar_is_what_the_set_says_of_what_is_before_it(name):
    for row in rows_of(name):
        before, after = (part.split() for part in row.input.split("|"))
        wanted = [symbol for symbol in before if symbol != "_"]
        if name.startswith("sorting"):
            wanted = sorted(wanted, key=int)
            assert len(set(wanted)) == len(wanted)
        assert after == wanted
        assert len(row.answers) == len(after)
        linked = [one(found) for found in evidence(row).values()]
        assert [before[place] for place in linked] == after
        assert linked == sorted(linked) or name.startswith("sorting")
        assert row.sure is None


def test_the_needle_stands_where_it_is_wanted():
    def at(name, split):
        return {one(one(evidence(row, row.sure).values())) for row in splits_of(name)[split]}

    assert at("needle, first", "train") == at("needle, first", "test") == {1}
    assert at("needle, full", "train") == {29}  # 30 symbols before the question: 15 places of two
    assert len(at("needle", "train")) == 30
    for row in rows_of("needle"):
        *hay, mark, key, value = row.input.split(" ")
        assert mark == "?"
        assert sum(symbol.startswith("k") for symbol in hay) == sum(symbol.startswith("v") for symbol in hay) == 4
        assert hay[hay.index(key) + 1] == value


@pytest.mark.parametrize("name", ["parity", "parity, lengths"])
def test_parity_follows_from_all_bits(name):
    for row in rows_of(name):
        bits, answer = row.input.split(" = ")
        assert int(answer) == bits.count("1") % 2 == int(row.target)
        assert one(evidence(row).values()) == set(range(len(bits.split())))
    assert 0.4 < np.mean([row.target == "1" for row in rows_of(name)]) < 0.6


def test_lengths_are_those_that_were_asked_for():
    def lengths(name, split):
        return {len(row.input.split(" ")) for row in splits_of(name)[split]}

    def all_of(name):
        return tuple(lengths(name, split) for split in ("train", "valid", "test"))

    assert all_of("recall, blank") == ({33}, {33}, {64})
    assert all_of("induction") == ({32}, {32}, {100})
    assert all_of("copying") == ({33}, {33}, {49})  # 16 and 24 symbols, a bar, the same again
    assert all_of("selective_copying") == ({41}, {41}, {73})
    assert all_of("needle, first") == ({64}, {64}, {301})
    assert all_of("sorting") == ({17}, {17}, {129})
    assert lengths("copying, lengths", "train") == {2 * length + 1 for length in range(1, 17)}
    assert lengths("sorting, lengths", "test") == {2 * length + 1 for length in range(2, 9)}
    assert lengths("parity, lengths", "train") == {length + 2 for length in range(1, 8)}
    assert lengths("parity, lengths", "test") == {42}


@pytest.mark.parametrize("name", ALL)
def test_rows_are_a_function_of_the_seed_and_the_test_rows_of_none(name):
    cls, options = ALL[name]
    again, other = (cls(**SMALL | options).read(Path(), seed).splits for seed in (1, 2))
    first = splits_of(name)
    assert again == first
    assert other["train"] != first["train"]
    assert (other["valid"], other["test"]) == (first["valid"], first["test"])
    assert first["valid"] != first["test"]
    assert {split: len(rows) for split, rows in first.items()} == {"train": 600, "valid": 60, "test": 60}
    assert len({row.id for row in rows_of(name)}) == 720
    assert isinstance(cls(), Source)
    assert cls.task == "language_modeling"


@pytest.mark.parametrize(("cls", "size"), [(Recall, 64), (Induction, 17), (Copying, 33), (SelectiveCopying, 18),
                                           (Needle, 49), (Sorting, 65), (Parity, 3)])  # fmt: skip
def test_every_symbol_occurs_in_train_so_that_none_is_unknown(cls, size):
    splits = cls(num_train=2000).read(Path(), 0).splits
    known = {symbol for row in splits["train"] for symbol in row.input.split()}
    assert len(known) == size
    assert {symbol for row in splits["test"] for symbol in row.input.split()} <= known


@pytest.mark.parametrize("name", ALL)
def test_the_codec_expects_the_answers_and_finds_their_evidence_among_the_tokens(name):
    options = TokenizerOptions(kind="whitespace", vocab_size=200_000)
    codec = SequenceCodec.learn(rows_of(name), options)
    for encoded in codec.encode_rows(splits_of(name)["test"]):
        row, read = encoded.row, codec.input_tokens(encoded.inputs)
        assert read[1:] == row.input.split(" ")  # after BOS
        expected = {
            query + 1: token for query, token in enumerate(codec.input_tokens(encoded.targets)) if token != "<pad>"
        }
        assert expected == {place + 1: row.input.split(" ")[place] for place in evidence(row)}
        links = codec.links(row)
        for known, positions in ((links.possible, evidence(row)), (links.sure, evidence(row, row.sure))):
            assert known == {(answer, place + 1) for answer, places in positions.items() for place in places}


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (Recall, {"num_pairs": 9}, "length=32: num_pairs=9 take 18 symbols, and as many .*; take 36 or more"),
        (Recall, {"test_length": 12}, "test_length=12: .*take 16 or more"),
        (Recall, {"vocab_size": 6}, "num_pairs=4: a vocabulary of 6 has 3 keys.*vocab_size=8 or more"),
        (Induction, {"length": 3}, "length=3: .*take 4 or more"),
        (Copying, {"min_length": 17}, "min_length=17 is above length=16"),
        (SelectiveCopying, {"length": 7}, "length=7: num_symbols=8 .*take 8 or more"),
        (Needle, {"num_distractors": 16}, "a vocabulary of 48 has 16 keys.*vocab_size=51 or more"),
        (Needle, {"length": 10}, "length=10: 4 pairs .*take 11 or more"),
        (Sorting, {"test_length": 65}, "test_length=65: there are vocab_size=64 numbers.*vocab_size=65 or more"),
    ],
)
def test_options_that_do_not_go_together_are_refused(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options)


@given(end=st.integers(1, 300), count=st.integers(0, 12), seed=st.integers(0, 99))
@settings(max_examples=100)
def test_drawn_numbers_are_distinct_and_excluded_ones_are_passed(end, count, seed):
    count = min(count, end)
    numbers = RandomNumbers(seed).distinct(end, count, 20)
    assert all(len(set(row)) == count for row in numbers.tolist())
    assert numbers.size == 0 or (numbers.min() >= 0 and numbers.max() < end)
    rest = np.arange(end - count)[np.newaxis].repeat(20, axis=0)
    moved = past(rest, numbers).tolist()
    assert all(sorted([*row, *gone]) == list(range(end)) for row, gone in zip(moved, numbers.tolist(), strict=True))


@pytest.mark.parametrize(("end", "count"), [(5, 2), (40, 2)])  # all sorted; by Floyd's method
def test_every_order_of_distinct_numbers_is_equally_likely(end, count):
    rows = 100 * end * (end - 1)
    counts = Counter(map(tuple, RandomNumbers("orders").distinct(end, count, rows).tolist()))
    assert len(counts) == end * (end - 1)
    assert max(abs(each - 100) for each in counts.values()) < 60  # six standard deviations


def test_random_numbers_are_the_stream_of_pcg64_whatever_numpy_makes_of_it():
    """The raw stream is what numpy promises to keep (NEP 19); its own doubles are those 53 bits today."""
    digest_is_the_seed = RandomNumbers("a", 1)
    again = np.random.Generator(RandomNumbers("a", 1)._bits).random((3, 2))
    assert digest_is_the_seed.shares(3, 2).tolist() == again.tolist()
    assert RandomNumbers("a", 2).shares(3).tolist() != again.ravel()[:3].tolist()
