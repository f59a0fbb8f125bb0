"""What a person would look at: lengths, unknown tokens, classes."""

import numpy as np
import pytest

from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.codecs.vector_label import VectorLabelCodec
from attnfocus.data.examples import Examples
from attnfocus.data.rows import Row
from attnfocus.data.statistics import Lengths, labels_of_one_row, nearly_equal_labels, split_statistics
from attnfocus.data.tokens.tokenizer import TokenizerOptions

WORDS = TokenizerOptions(kind="word", min_frequency=2)


def test_quantiles_are_lengths_that_there_are() -> None:
    lengths = Lengths(np.array([1, 2, 3, 100]), "d")
    assert (lengths.median, lengths.quantile(0.5), lengths.quantile(0.75), lengths.quantile(0.95)) == (2, 2, 3, 100)
    assert lengths.longest == 100


def test_of_a_text_with_a_label() -> None:
    rows = [Row("a", "x x y", "no"), Row("b", "x", "yes"), Row("c", "z", "no")]
    codec = TextLabelCodec.learn(rows, WORDS)
    found = split_statistics(Examples(rows, codec), codec)
    assert found.num_rows == 3
    assert found.lengths["source"].values.tolist() == [3, 1, 1]
    assert found.lengths["source"].longest_id == "a"
    assert found.unknown == {"source": pytest.approx(2 / 5)}  # y and z come once
    assert found.classes == {"no": 2, "yes": 1}
    assert labels_of_one_row({"train": found}) == ["yes"]
    assert labels_of_one_row({"train": found, "test": found}) == []


def test_bos_and_eos_are_no_tokens_of_a_pair() -> None:
    rows = [Row("a", "x x", "q"), Row("b", "x", "r r r")]
    codec = TextPairCodec.learn(rows, WORDS)
    found = split_statistics(Examples(rows, codec), codec)
    assert found.lengths["target"].values.tolist() == [1, 3]
    assert found.unknown == {"source": 0, "target": pytest.approx(1 / 4)}
    assert found.classes == {}


def test_vectors_have_no_unknown_tokens() -> None:
    rows = [Row("a", np.ones((3, 2)), "1"), Row("b", np.ones((1, 2)), "2")]
    codec = VectorLabelCodec.learn(rows, WORDS)
    found = split_statistics(Examples(rows, codec), codec)
    assert found.lengths["source"].values.tolist() == [3, 1]
    assert found.unknown == {}


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (["yes", "Yes", "no"], [["yes", "Yes"]]),
        (["very good", "very  good", "verygood"], [["very good", "very  good", "verygood"]]),
        (["caf\u00e9", "cafe\u0301", "cafe"], [["caf\u00e9", "cafe\u0301"]]),
        (["ＡＢ", "ab"], [["ＡＢ", "ab"]]),
        (["1", "10", "体育"], []),
    ],
)
def test_labels_that_differ_in_form_alone_are_together(labels: list[str], groups: list[list[str]]) -> None:
    assert nearly_equal_labels(labels) == groups
