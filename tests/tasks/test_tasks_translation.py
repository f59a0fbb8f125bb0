"""Translation: the loss by hand, and the metrics against their definitions."""

import math

import numpy as np
import pytest
import torch
from inspection_toys import FACTS
from matplotlib.text import Text
from tasks_toys import PAIRS, batches, pair_codec, rows, seq2seq, transformer
from tones import RATE, tone
from torch.nn import functional as F

from attnfocus.data import Row, SoundTextCodec
from attnfocus.data.batches import collate
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.data.tokens.writing import writing_of
from attnfocus.decoding import DecodingOptions, decode
from attnfocus.inspection.content import picture_of, written_queries
from attnfocus.inspection.figure_files import map_caption, map_figure
from attnfocus.inspection.inspection import Inspection
from attnfocus.models import Place, SequenceOutput, Translator
from attnfocus.special import EOS, PAD
from attnfocus.tasks import TranslationTask
from attnfocus.tasks.measures.text import bleu_tokenizer_for, perplexity


def reference_loss(logits, targets, smoothing):
    """Token by token in float64: (1 - e) times the target's, e times the mean over the vocabulary."""
    total = 0.0
    for scores, ids in zip(logits.detach().double(), targets, strict=True):
        for row, expected in zip(scores, ids[1:].tolist(), strict=True):
            if expected != PAD:
                log_probs = row - row.logsumexp(0)
                total -= float((1 - smoothing) * log_probs[expected] + smoothing * log_probs.mean())
    return total


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_sums_real_target_tokens(smoothing):
    codec = pair_codec()
    model = seq2seq(codec).eval()
    [batch] = batches(codec, rows(PAIRS), len(PAIRS))
    step = TranslationTask(codec, label_smoothing=smoothing).step(model, batch)
    logits = model(batch.inputs, batch.input_lengths, batch.targets[:, :-1]).logits
    assert step.loss_sum.item() == pytest.approx(reference_loss(logits, batch.targets, smoothing), rel=1e-5)
    assert step.num_targets == sum(len(target.split()) + 1 for _, target in PAIRS)


def test_padding_adds_nothing_to_the_loss_or_its_gradient():
    codec = pair_codec()
    model = seq2seq(codec).eval()
    task = TranslationTask(codec, label_smoothing=0.1)

    def gradients(size):
        model.zero_grad()
        steps = [task.step(model, batch) for batch in batches(codec, rows(PAIRS), size)]
        sum(step.loss_sum for step in steps).backward()
        return sum(step.num_targets for step in steps), [p.grad.clone() for p in model.parameters()]

    (together, one), (apart, other) = gradients(len(PAIRS)), gradients(1)
    assert together == apart
    for left, right in zip(one, other, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)


def test_the_focus_of_each_attention_counts_its_own_positions():
    """Means of what each query may look at: source tokens, in the decoder's self-attention target tokens."""
    codec = pair_codec()
    pairs = [("a b c", "x"), ("a", "y z w")]
    metrics = TranslationTask(codec).evaluate(transformer(codec).eval(), batches(codec, rows(pairs), 2)).metrics
    [batch] = batches(codec, rows(pairs), 2)
    source, target = batch.input_lengths.tolist(), (batch.target_lengths - 1).tolist()
    both = list(zip(source, target, strict=True))
    of_encoder = sum(s * s for s, _ in both) / sum(source)
    of_self, of_cross = sum(t * t for _, t in both) / sum(target), sum(t * s for s, t in both) / sum(target)
    assert metrics["focus/positions"] == pytest.approx((of_encoder + of_self + of_cross) / 3)


def test_outputs_end_where_the_model_can_write_no_further():
    codec = pair_codec()
    model = transformer(codec, position="learned", max_length=4).eval()
    model.output.bias.data[EOS] = -100.0  # never ends by itself
    data = batches(codec, rows([("a", "x")]), 1)
    for at_limit, longest in (("end", 3), ("cut", 4)):  # an end is read off a position of its own
        [prediction] = TranslationTask(codec).predict(model, data, decoding=DecodingOptions(at_limit=at_limit))
        assert len(prediction.text.split()) == longest


def test_evaluation_measures_without_label_smoothing():
    codec = pair_codec()
    model = seq2seq(codec).eval()
    data = batches(codec, rows(PAIRS), 3)
    plain = TranslationTask(codec).evaluate(model, data).metrics
    smoothed = TranslationTask(codec, label_smoothing=0.3).evaluate(model, data).metrics
    assert smoothed == plain
    step = [TranslationTask(codec).step(model, batch) for batch in data]
    mean = sum(each.loss_sum.item() for each in step) / sum(each.num_targets for each in step)
    assert plain["loss"] == pytest.approx(mean, rel=1e-5)
    assert plain["perplexity"] == pytest.approx(math.exp(mean), rel=1e-5)


class Parrot(Translator):
    """Writes given outputs: its memory is the number of the sentence and it steps through the ids."""

    def __init__(self, codec, outputs):
        super().__init__()
        self.outputs = [[*codec.target_tokenizer.encode(text), EOS] for text in outputs]
        self.vocab_size = codec.dims()["target_vocab_size"]
        self.sources = {tuple(codec.source_tokenizer.encode(s)): n for n, (s, _) in enumerate(PAIRS)}

    def places(self):
        return [Place("cross", "cross", "output", "input")]

    def forward(self, source, lengths, target_in, need_weights=False):
        logits = torch.zeros(*target_in.shape, self.vocab_size)
        keys = torch.arange(source.shape[1]) < lengths[:, None]
        weights = (keys / lengths[:, None])[:, None, None].expand(-1, 1, target_in.shape[1], -1)
        return SequenceOutput(logits, torch.eye(self.vocab_size), None, {"cross": weights})

    def encode(self, source, lengths):
        found = [self.sources[tuple(row[:n].tolist())] for row, n in zip(source, lengths, strict=True)]
        return torch.tensor(found)

    def start(self, memory):
        return torch.zeros_like(memory)

    def step(self, tokens, state, memory, need_weights=False):
        memory = memory.repeat_interleave(len(tokens) // len(memory))
        following = [self.outputs[n][t] for n, t in zip(memory.tolist(), state.tolist(), strict=True)]
        logits = 50.0 * F.one_hot(torch.tensor(following), self.vocab_size)
        weights = torch.full((len(tokens), 1, 5), 0.2) if need_weights else None
        return logits, state + 1, weights

    def select(self, tree, index):
        return tree[index]


def test_text_metrics_are_those_of_sacrebleu():
    import sacrebleu

    codec = pair_codec()
    outputs = [target for _, target in PAIRS]
    outputs[2], outputs[5] = "z y w", "y z x y"
    result = TranslationTask(codec).evaluate(Parrot(codec, outputs), batches(codec, rows(PAIRS), 3))
    references = [[target for _, target in PAIRS]]
    assert [each.text for each in result.predictions] == outputs
    assert result.metrics["exact_match"] == pytest.approx(9 / 11)
    assert result.metrics["bleu"] == pytest.approx(sacrebleu.corpus_bleu(outputs, references, force=True).score)
    assert result.metrics["chrf"] == pytest.approx(sacrebleu.corpus_chrf(outputs, references).score)
    assert result.extras["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "nc:6" in result.extras["chrf_signature"]
    assert result.metrics["loss"] == pytest.approx(math.log(codec.dims()["target_vocab_size"]))


def test_perfect_outputs_score_exactly_full_marks():
    codec = pair_codec()
    model = Parrot(codec, [target for _, target in PAIRS])
    metrics = TranslationTask(codec).evaluate(model, batches(codec, rows(PAIRS), 4)).metrics
    assert (metrics["bleu"], metrics["chrf"], metrics["exact_match"]) == (100.0, 100.0, 1.0)


def test_focus_averages_over_real_queries_and_keys():
    """Uniform weights: effective positions = positions = source length, each counted once per target token and EOS."""
    codec = pair_codec()
    model = Parrot(codec, [target for _, target in PAIRS])
    metrics = TranslationTask(codec).evaluate(model, batches(codec, rows(PAIRS), 4)).metrics
    sizes = [(len(source.split()), len(target.split()) + 1) for source, target in PAIRS]
    num_queries = sum(queries for _, queries in sizes)
    positions = sum(keys * queries for keys, queries in sizes) / num_queries
    assert metrics["focus/positions"] == pytest.approx(positions)
    assert metrics["focus/effective_positions"] == pytest.approx(positions)
    one_key = sum(queries for keys, queries in sizes if keys == 1)  # nothing to choose from: measures 0
    assert metrics["focus/normalized_entropy"] == pytest.approx(1 - one_key / num_queries)


@pytest.mark.parametrize(
    ("texts", "writing", "tokenizer"),
    [
        (["我喜欢苹果。", "你好, Tom"], "chinese", "zh"),
        (["I like 苹果.", "hello"], "spaced", "13a"),
        (["東京タワーに行きました。"], "unspaced", "char"),
        (["สวัสดีครับ ขอบคุณมาก"], "unspaced", "char"),
        (["ສະບາຍດີ"], "unspaced", "char"),
        (["សួស្តី អ្នកសុខសប្បាយទេ"], "unspaced", "char"),
        (["မင်္ဂလာပါ"], "unspaced", "char"),
        (["བཀྲ་ཤིས་བདེ་ལེགས།"], "unspaced", "char"),
        (["안녕하세요, 반갑습니다."], "spaced", "13a"),
        (["यह अच्छा है।", "مرحبا، كيف حالك؟"], "spaced", "13a"),
        ([""], "spaced", "13a"),
        ([], "spaced", "13a"),
    ],
)
def test_bleu_counts_characters_where_no_blanks_stand_between_words(texts, writing, tokenizer):
    assert writing_of(texts) == writing
    assert bleu_tokenizer_for(writing, []) == tokenizer


def test_a_run_that_has_not_noted_how_its_targets_are_written_goes_by_the_references():
    assert bleu_tokenizer_for(None, ["我喜欢苹果。", "你好, Tom"]) == "zh"
    assert bleu_tokenizer_for(None, ["I like 苹果.", "hello"]) == "13a"
    assert bleu_tokenizer_for(None, ["東京タワーに行きました。"]) == "13a"


def test_an_overflowing_perplexity_is_infinite():
    assert perplexity(1e6) == math.inf


def test_the_options_of_decoding_are_used():
    codec = pair_codec()
    model = seq2seq(codec).eval()
    task, data = TranslationTask(codec), batches(codec, rows(PAIRS), 4)
    short = DecodingOptions(max_length_ratio=0.0, max_length_constant=2)
    assert all(len(each.text.split()) <= 2 for each in task.predict(model, data, decoding=short))
    assert [each.text for each in task.evaluate(model, data, decoding=short).predictions] == [
        each.text for each in task.predict(model, data, decoding=short)
    ]
    beam = DecodingOptions(beam_size=3, length_penalty=0.5)
    for answer, batch in zip(task.predict(model, data, decoding=beam), batches(codec, rows(PAIRS), 1), strict=True):
        [hypothesis] = decode(model, batch.inputs, batch.input_lengths, beam)
        assert answer.text == codec.decode_target(hypothesis.ids)
        assert answer.score == pytest.approx(hypothesis.score, rel=1e-4)


def test_mse_is_refused():
    with pytest.raises(ValueError, match="cross_entropy for translation, got mse"):
        TranslationTask(None, loss="mse")


def test_half_precision_logits_are_summed_in_float32():
    codec = pair_codec()
    [batch] = batches(codec, rows(PAIRS), len(PAIRS))
    model = seq2seq(codec).eval()
    exact = TranslationTask(codec).step(model, batch).loss_sum
    half = TranslationTask(codec).step(model.bfloat16(), batch).loss_sum
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, rtol=0.05, atol=0.0)


@pytest.mark.parametrize("build", [seq2seq, transformer])
def test_what_is_written_of_a_recording_is_shown_over_its_spectrogram(build):
    samples = np.concatenate([tone(300), tone(900), tone(2500)])
    row = Row("a", samples, "3 1 3", regions=tuple((start, 0, start + 2400, 1) for start in (0, 2400, 4800)))
    tokenizer = TokenizerOptions(kind="whitespace", min_frequency=1)
    codec = SoundTextCodec.learn([row, Row("b", tone(500), "1")], tokenizer, sample_rate=RATE, n_mels=20)
    model = build(codec, "multi_head" if build is transformer else "additive")
    batch = collate([codec.encode(row)])
    options = DecodingOptions(min_length_ratio=0.1, max_length=3)  # of 23 positions
    (found,) = TranslationTask(codec).inspect(model, [batch], decoding=options)
    cross = next(each for each in found.maps if each.kind == "cross")
    picture = picture_of(found, cross)
    assert picture.name == "spectrogram"
    assert len(picture.boxes) == cross.weights.shape[2] == 23
    assert len(picture.regions) == 3
    written = written_queries(cross)
    assert len(written) == 3
    figure = map_figure(cross, found)
    panels = [text.get_text() for text in figure.findobj(Text) if text.get_text() in ("spectrogram", *written)]
    assert panels == ["spectrogram", *written]
    caption = map_caption(Inspection(FACTS, "sound", (found,)), found, cross)
    heads = f", the mean of the {len(cross.heads)} heads" if len(cross.heads) > 1 else ""
    assert f"over it the weight of each of its 23 steps: a panel for each token of the answer{heads}." in caption
    own = [each for each in found.maps if each.kind == "self" and each.place.queries == "output"]
    assert all(picture_of(found, each) is None for each in own)
