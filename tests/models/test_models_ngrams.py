"""Vectors of words joined with those of their character n-grams."""

import pytest
import torch
from torch import nn

from attnfocus.models import RNNClassifier
from attnfocus.models.embeddings import TokenEmbedding
from attnfocus.models.ngrams import NONE, NgramEmbedding, ngram_ids
from attnfocus.special import PAD, SPECIAL_TOKENS

WORDS = ("where", "there", "a", "体", "é", "w" * 100)
VOCABULARY = (*SPECIAL_TOKENS, *WORDS)
MANY_ROWS = 10**9  # nothing shares a row


def rows_of(word: str, num_rows: int = MANY_ROWS) -> set[int]:
    ids = ngram_ids((*SPECIAL_TOKENS, word), num_rows)[-1]
    return set(ids[ids != NONE].tolist())


def test_a_word_has_its_ngrams_with_the_marks_of_its_ends_but_not_itself() -> None:
    # <where>: 5 of 3, 4 of 4, 3 of 5 characters; there: the same numbers; they share her, ere, re>, here, ere>, here>
    assert len(rows_of("where")) == 12
    assert len(rows_of("where") & rows_of("there")) == 6
    assert len(rows_of("her") & rows_of("where")) == 1  # `her` itself
    assert rows_of("a") == rows_of("体") == set()  # <a> is the whole word


def test_special_tokens_and_short_words_have_none_and_long_words_a_limit() -> None:
    ids = ngram_ids(VOCABULARY, MANY_ROWS)
    counts = (ids != NONE).sum(dim=1).tolist()
    assert counts[:4] == [0, 0, 0, 0]
    assert counts[VOCABULARY.index("a")] == counts[VOCABULARY.index("é")] == 0
    assert max(counts) <= 40


def test_rows_are_within_the_table_and_the_same_each_time() -> None:
    ids = ngram_ids(VOCABULARY, 7)
    assert int(ids.max()) <= 7
    assert torch.equal(ids, ngram_ids(VOCABULARY, 7))
    assert ngram_ids(SPECIAL_TOKENS, 7).shape == (4, 1)


def table_of(embed_dim: int = 64) -> TokenEmbedding:
    torch.manual_seed(0)
    table = TokenEmbedding(len(VOCABULARY), embed_dim)
    table.ngrams = NgramEmbedding(ngram_ids(VOCABULARY, 5000), 5000, embed_dim)
    return table


def test_what_is_read_is_the_formula_written_out() -> None:
    table = table_of().double()
    assert table.ngrams is not None
    ids = torch.tensor([[4, PAD, 6], [5, 4, 1]])
    read = table(ids)
    for place in ((0, 0), (1, 0), (0, 2), (1, 2)):
        token = int(ids[place])
        rows = [row for row in table.ngrams.ids[token].tolist() if row != NONE]
        expected = table.weight[token] * 8
        if rows:
            of_ngrams = sum(table.ngrams.weight[row] for row in rows) / len(rows) ** 0.5
            expected = (table.weight[token] + of_ngrams) * 8 * 0.5**0.5
        torch.testing.assert_close(read[place], expected)
    assert read[0, 1].abs().max() == 0  # padding


def test_what_is_read_is_as_large_as_without_ngrams() -> None:
    deviations = table_of(512)(torch.arange(4, len(VOCABULARY))).std(dim=1)
    assert torch.all((deviations > 0.8) & (deviations < 1.25)), deviations


def test_gradients_reach_the_ngrams_and_not_the_row_of_nothing() -> None:
    table = table_of()
    table(torch.tensor([4, 6])).sum().backward()
    assert table.ngrams is not None
    gradient = table.ngrams.weight.grad
    assert gradient is not None
    assert gradient[NONE].abs().max() == 0
    assert set(gradient.abs().sum(dim=1).nonzero().flatten().tolist()) == set(table.ngrams.ids[4].tolist()) - {NONE}


def test_the_saved_state_has_the_vectors_and_not_what_the_vocabulary_gives_again() -> None:
    assert set(table_of().state_dict()) == {"weight", "ngrams.weight"}


@pytest.mark.parametrize("need_weights", [True, False])
def test_a_classifier_with_ngrams_keeps_padding_out(need_weights: bool) -> None:
    from attnfocus.attention import AdditiveScore, Attention

    def attention(**sizes: int) -> nn.Module:
        return Attention(score=AdditiveScore, **sizes)  # type: ignore[arg-type]

    torch.manual_seed(0)
    model = RNNClassifier(attention=attention, num_classes=3, vocab_size=len(VOCABULARY), embed_dim=8, hidden_size=8)  # type: ignore[arg-type]
    model.token_tables()["source"].ngrams = NgramEmbedding(ngram_ids(VOCABULARY, 50), 50, 8)
    model.eval()
    alone = model(torch.tensor([[4, 5]]), torch.tensor([2]), need_weights).logits
    padded = model(torch.tensor([[4, 5, 9, 9]]), torch.tensor([2]), need_weights).logits
    torch.testing.assert_close(alone, padded)
