"""What a translation task makes of several outputs, and of unknown words."""

import pytest
import torch
from tasks_toys import PAIRS, batches, pair_codec, rows, seq2seq
from torch.nn import functional as F

from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.decoding import DecodingOptions, decode_best
from attnfocus.errors import ConfigError
from attnfocus.models import Translator
from attnfocus.special import EOS, UNK
from attnfocus.tasks import TranslationTask


class Pointer(Translator):
    """Writes the given tokens, each looked for at the given place by both of its heads together."""

    def __init__(self, tokens, places, vocab_size):
        super().__init__()
        self.tokens, self.looked_at, self.vocab_size = torch.tensor([*tokens, EOS]), [*places, 0], vocab_size

    def encode(self, source, lengths):
        return source

    def start(self, memory):
        return torch.zeros(len(memory), dtype=torch.long)

    def step(self, tokens, state, memory, need_weights=False):
        at = min(int(state[0]), len(self.looked_at) - 1)
        logits = 50.0 * F.one_hot(self.tokens[at].expand(len(tokens)), self.vocab_size)
        weights = torch.full((len(tokens), 2, memory.shape[1]), 0.1)
        weights[:, 0, 0] += 0.3  # what one head prefers is outweighed by the other
        weights[:, 1, self.looked_at[at]] += 0.5
        return logits, state + 1, weights if need_weights else None

    def select(self, tree, index):
        return tree[index]


@pytest.mark.parametrize("ways", [{}, {"beam_size": 2, "num_best": 2}, {"sampling": True}])
def test_an_unknown_word_becomes_the_source_word_that_was_looked_at(ways):
    codec = pair_codec()
    x = codec.target_tokenizer.encode("x")[0]
    model = Pointer([x, UNK, x, UNK], [0, 3, 1, 1], codec.dims()["target_vocab_size"])
    [batch] = batches(codec, rows([("a Nowhere b Elsewhere", "")]), 1)
    [plain] = TranslationTask(codec).predict(model, [batch], decoding=DecodingOptions(**ways))
    assert plain.text == "x ⁇ x ⁇"
    [replaced] = TranslationTask(codec).predict(model, [batch], decoding=DecodingOptions(**ways, replace_unknown=True))
    assert replaced.text == "x Elsewhere x Nowhere"
    assert replaced.weights is None  # nobody asked for them
    if ways.get("num_best"):
        assert replaced.n_best[0].text == replaced.text


def test_the_words_that_are_copied_are_right_under_any_lower_casing_and_never_what_says_a_space():
    options = TokenizerOptions(kind="word", lowercase=True)
    codec = TextPairCodec(Tokenizer.train(["a , b"], options), Tokenizer.train(["x"], options))
    source = "İzmir, ( Kadıköy"
    tokens = codec.source_tokens(codec.source_tokenizer.encode(source))
    assert tokens == ["<unk>", "‿", ",", "<unk>", "<unk>"]  # a comma has a space before it in these texts
    [batch] = batches(codec, rows([(source, "")]), 1)
    model = Pointer([UNK, UNK, UNK], [0, 4, 1], codec.dims()["target_vocab_size"])
    [answer] = TranslationTask(codec).predict(model, [batch], decoding=DecodingOptions(replace_unknown=True))
    assert answer.text == "İzmir Kadıköy İzmir"  # where a mark was looked at, the best of the words is copied


def test_unknown_words_are_not_replaced_where_tokens_are_no_words():
    sources, targets = zip(*PAIRS, strict=True)
    options = TokenizerOptions(kind="character")
    codec = TextPairCodec(Tokenizer.train(sources, options), Tokenizer.train(targets, options))
    found = TranslationTask(codec).predict(
        seq2seq(codec), batches(codec, rows(PAIRS), 4), decoding=DecodingOptions(replace_unknown=True)
    )
    with pytest.raises(ConfigError, match=r"replace_unknown: true needs words .*\.kind is character. Use decoding"):
        next(found)


@pytest.mark.parametrize("ways", [{"beam_size": 4}, {"sampling": True}])
def test_a_prediction_holds_the_n_best_and_is_the_first_of_them(ways):
    codec = pair_codec()
    model = seq2seq(codec).eval()
    options = DecodingOptions(num_best=3, max_length_constant=2, **ways)
    data = batches(codec, rows(PAIRS), 4)
    single = DecodingOptions(max_length_constant=2, **ways)
    for batch in data:
        found = decode_best(model, batch.inputs, batch.input_lengths, options)
        for answer, hypotheses in zip(
            TranslationTask(codec).predict(model, [batch], decoding=options), found, strict=True
        ):
            assert [each.text for each in answer.n_best] == [codec.decode_target(each.ids) for each in hypotheses]
            assert [each.rank_score for each in answer.n_best] == [each.rank_score for each in hypotheses]
            assert (answer.text, answer.score) == (answer.n_best[0].text, answer.n_best[0].score)
    assert all(answer.n_best == () for answer in TranslationTask(codec).predict(model, data, decoding=single))


def test_metrics_are_those_of_the_best_output():
    codec = pair_codec()
    model, data = seq2seq(codec).eval(), batches(codec, rows(PAIRS), 4)
    many = TranslationTask(codec).evaluate(model, data, decoding=DecodingOptions(beam_size=4, num_best=4)).metrics
    one = TranslationTask(codec).evaluate(model, data, decoding=DecodingOptions(beam_size=4)).metrics
    assert many == one
