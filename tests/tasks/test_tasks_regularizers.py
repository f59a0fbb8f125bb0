"""Terms of the loss: the same number in any batches, in no reported loss, refused where they cannot be."""

import json

import pytest
import torch
from tasks_toys import (
    LABELLED,
    PAIRS,
    attention,
    batches,
    classifier,
    label_codec,
    pair_codec,
    rows,
    seq2seq,
    transformer,
)

from attnfocus.config.overrides import CommandLine
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.errors import ConfigError, DataError
from attnfocus.events import Listener
from attnfocus.focus import (
    CoverageOptions,
    DiversityOptions,
    EntropyOptions,
    GuidedOptions,
    Regularization,
    SpanOptions,
    normalized_entropy,
    repeated_attention,
)
from attnfocus.runs.assembly import check_train
from attnfocus.tasks import ClassificationTask, Evaluation, TranslationTask
from attnfocus.tasks.regularizers import link_mask, require_alignments
from attnfocus.tracking.metrics_file import MetricsFile
from attnfocus.training import CheckpointStore, ConstantSchedule, TrainerOptions, adam, fit, seed_everything

EVERY = Regularization(
    entropy=EntropyOptions(weight=-0.3),
    coverage=CoverageOptions(weight=0.7),
    guided=GuidedOptions(weight=1.1, target="gold"),
    diversity=DiversityOptions(weight=0.9),
    span=SpanOptions(weight=0.01),
)
OF_CLASSES = Regularization(entropy=EVERY.entropy, diversity=EVERY.diversity, span=EVERY.span)
MODELS = ("Seq2Seq", "TransformerSeq2Seq", "TransformerClassifier", "RNNClassifier")


def aligned_rows():
    """The pairs with links between words of the same place: two characters on."""
    found = []
    for row in rows(PAIRS):
        places = range(0, min(len(row.input), len(row.target)), 2)
        found.append(Row(row.id, row.input, row.target, tuple((place, place) for place in places)))
    return found


def made(name, regularization=None, **options):
    """A model in evaluation mode (no dropout), its task, and all of its examples in one batch."""
    if name in ("Seq2Seq", "TransformerSeq2Seq"):
        codec, examples, task = pair_codec(), aligned_rows(), TranslationTask
        if name == "Seq2Seq":
            model = seq2seq(codec, "multi_head")
        else:
            options_of_model = {"num_heads": 2, "cross_attention": attention("multi_head")}
            model = transformer(codec, "adaptive_span", **options_of_model)
        regularization = regularization or EVERY
    else:
        codec, examples, task = label_codec(), rows(LABELLED), ClassificationTask
        model = classifier(name, codec, "adaptive_span" if name == "TransformerClassifier" else "multi_head")
        regularization = regularization or OF_CLASSES
    if name in ("Seq2Seq", "RNNClassifier"):  # their attentions have no spans
        regularization = Regularization(**{**vars(regularization), "span": SpanOptions()})
    [batch] = batches(codec, examples, len(examples))
    return model.eval(), task(codec, regularization=regularization, **options), batch


@pytest.mark.parametrize("name", MODELS)
def test_pieces_of_a_batch_and_single_examples_sum_to_the_batch(name):
    model, task, batch = made(name)
    whole = task.step(model, batch)
    assert len(whole.penalties) == len(task.regularizers.terms) >= 2
    for parts in (3, len(batch)):
        steps = [task.step(model, piece) for piece in batch.split(parts)]
        for term, penalty in whole.penalties.items():
            assert penalty.item() != 0
            assert sum(step.penalties[term].item() for step in steps) == pytest.approx(penalty.item(), rel=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_is_that_without_regularizers_and_the_gradient_that_of_the_sum(name):
    model, task, batch = made(name)
    plain = type(task)(task.codec).step(model, batch)
    assert not plain.penalties
    assert plain.total is plain.loss_sum
    step = task.step(model, batch)
    torch.testing.assert_close(step.loss_sum, plain.loss_sum)
    torch.testing.assert_close(step.total, plain.loss_sum + sum(step.penalties.values()))
    parameters = list(model.parameters())
    of_total = torch.autograd.grad(step.total, parameters, retain_graph=True, allow_unused=True)
    of_loss = torch.autograd.grad(plain.loss_sum, parameters, allow_unused=True)
    of_terms = torch.autograd.grad(sum(step.penalties.values()), parameters, allow_unused=True)
    for total, loss, terms in zip(of_total, of_loss, of_terms, strict=True):
        parts = [part for part in (loss, terms) if part is not None]
        if parts:
            torch.testing.assert_close(total, sum(parts))
    assert any(gradient is not None and gradient.any() for gradient in of_terms)


def test_terms_are_means_over_target_tokens():
    """Of an LSTM decoder with one attention: the mean over all target tokens, times their number, times the weight."""
    model, task, batch = made("Seq2Seq")
    step = task.step(model, batch)
    [weights] = model(batch.inputs, batch.input_lengths, batch.targets[:, :-1], need_weights=True).weights.values()
    expected = {"entropy": 0.0, "coverage": 0.0, "guided": 0.0}
    links = link_mask(task.codec, batch.rows, *weights.shape[2:])
    for item, (queries, keys) in enumerate(zip((batch.target_lengths - 1).tolist(), batch.input_lengths, strict=True)):
        own = weights[item, :, :queries, :keys]
        expected["entropy"] += normalized_entropy(own).mean(dim=0).sum().item()
        expected["coverage"] += repeated_attention(own.mean(dim=0)).sum().item()
        found = (own.mean(dim=0) * links[item, :queries, :keys]).sum(dim=-1)
        expected["guided"] -= found[found > 0].log().sum().item()
    for name, weight in (("entropy", -0.3), ("coverage", 0.7), ("guided", 1.1)):
        assert step.penalties[name].item() == pytest.approx(weight * expected[name], rel=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_two_passes_of_r_drop_count_as_one(name):
    model, task, batch = made(name)
    _, twice, _ = made(name, r_drop=2.0)
    once, both = task.step(model, batch), twice.step(model, batch)
    for term, penalty in once.penalties.items():
        torch.testing.assert_close(both.penalties[term], penalty)


def test_evaluation_knows_nothing_of_regularizers():
    model, task, batch = made("TransformerSeq2Seq")
    plain, ours = (each.evaluate(model, [batch]).metrics for each in (TranslationTask(task.codec), task))
    assert ours == plain


def test_only_the_guided_head_is_guided():
    options = Regularization(guided=GuidedOptions(weight=1.0, head=1))
    model, task, batch = made("TransformerSeq2Seq", options)
    model.train()
    task.step(model, batch).penalties["guided"].backward()
    gradient = model.decoder.layers[0].cross_attention.query_projection.weight.grad
    of_heads = gradient.view(model.decoder.layers[0].cross_attention.num_heads, -1).any(dim=1)
    assert of_heads.tolist() == [False, True, False, False]


@pytest.mark.parametrize("preset", ["additive", "coverage", "sparsemax", "differential"])
@pytest.mark.parametrize("options", [{"order": "attend_then_recur"}, {"input_feeding": True}, {}])
def test_decoders_that_go_step_by_step_learn_from_their_weights_too(preset, options):
    codec = pair_codec()
    model = seq2seq(codec, preset, **options)
    task = TranslationTask(codec, regularization=Regularization(coverage=CoverageOptions(weight=1.0)))
    [batch] = batches(codec, rows(PAIRS), len(PAIRS))
    task.step(model, batch).penalties["coverage"].backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.encoder.parameters())


def test_attention_is_asked_for_its_weights_only_while_a_term_has_a_weight():
    codec = label_codec()
    model = classifier("TransformerClassifier", codec, "multi_head").train()
    entropy = EntropyOptions(weight=1.0, start_step=1, decay_steps=1)
    task = ClassificationTask(codec, regularization=Regularization(entropy=entropy))
    [batch] = batches(codec, rows(LABELLED), len(LABELLED))
    paths, values = [], []
    for step in (1, 2, 3):
        values.append(task.step(model, batch, step).penalties["entropy"].item())
        paths.append(model.layers[0].attention.trained_path.name)
    assert paths == ["sdpa", "plain", "sdpa"]
    assert (values[0], values[2]) == (0, 0)
    assert values[1] > 0


def test_tokens_are_linked_if_their_characters_are():
    """`May 3` is 3 May: characters 0 to 2 of `03.05` say 3, that is character 4; the others say May."""
    links = ((0, 4), (1, 4), *((target, source) for target in (3, 4) for source in range(3)))
    row = Row("x", "May 3", "03.05", links)
    for kind, expected in (
        ("character", [[4], [4], [], [0, 1, 2], [0, 1, 2], []]),
        ("word", [[0, 1], []]),  # 03.05 is one word
        ("bpe", [[1], [], [0], []]),  # May 3 -> 03 . 05
    ):
        options = TokenizerOptions(kind=kind, vocab_size=40)
        source, target = (Tokenizer.train([text] * 3, options) for text in (row.input, row.target))
        mask = link_mask(TextPairCodec(source, target), [row, Row("y", "May 3", "03.05")], 6, 5)
        assert [place.nonzero().flatten().tolist() for place in mask[0]][: len(expected)] == expected, kind
        assert not mask[1].any()


class Heard(Listener):
    def __init__(self):
        self.events = []

    def on_progress(self, event):
        self.events.append(event)


def trained(folder, max_steps, resume=False, accumulate=1, size=4, **fields):
    """A translator after some steps; its weights, and what was logged at each."""
    seed_everything(3)
    codec, heard = pair_codec(), Heard()
    model = seq2seq(codec, "multi_head", dropout=0.0 if accumulate > 1 or size > 4 else 0.1)
    entropy = EntropyOptions(weight=0.5, start_step=1, warmup_steps=3, decay_steps=4)
    regularization = Regularization(entropy=entropy, guided=GuidedOptions(weight=1.0, target="gold"), **fields)
    metrics = MetricsFile()
    fit(
        model,
        TranslationTask(codec, regularization=regularization),
        optimizer=adam(model.parameters()),
        scheduler=ConstantSchedule(9, "max"),
        batches=lambda epoch: batches(codec, aligned_rows(), size),
        evaluate=lambda model: Evaluation({"bleu": 0.0}, []),
        options=TrainerOptions(max_steps=max_steps, log_every_steps=1, accumulate_steps=accumulate),
        store=CheckpointStore(folder / "checkpoints"),
        device=torch.device("cpu"),
        seed=3,
        listeners=[heard, metrics],
        resume=resume,
    )
    metrics.close()
    return model.state_dict(), heard.events


def test_a_resumed_run_equals_the_uninterrupted_one_inside_a_schedule(tmp_path):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole, events = trained(tmp_path / "whole", 7)
    trained(tmp_path / "parts", 3)
    resumed, later = trained(tmp_path / "parts", 7, resume=True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    logged = [event.penalties for event in events if event.is_logged]
    assert [event.penalties for event in later if event.is_logged] == logged[3:]
    assert logged[0]["entropy"] == 0  # before start_step
    assert all(penalties["entropy"] > 0 for penalties in logged[1:7])


def test_accumulated_steps_log_and_learn_the_same_as_whole_ones(tmp_path):
    for name in ("whole", "pieces"):
        (tmp_path / name).mkdir()
    whole, of_whole = trained(tmp_path / "whole", 4, size=11)
    pieces, of_pieces = trained(tmp_path / "pieces", 4, size=4, accumulate=3)
    for first, second in zip(of_whole, of_pieces, strict=True):
        assert second.penalties == pytest.approx(first.penalties, rel=1e-4)
        assert second.loss == pytest.approx(first.loss, rel=1e-4)
    for name, tensor in whole.items():
        if not name.endswith("key_projection.bias"):  # moves no weight: its gradient is rounding, which Adam enlarges
            torch.testing.assert_close(pieces[name], tensor, rtol=1e-3, atol=1e-4)


def test_penalties_are_logged_beside_the_loss(tmp_path):
    _, events = trained(tmp_path, 2)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    last = [line for line in lines if line["split"] == "train"][-1]
    assert last["loss"] == events[-1].loss
    assert {"penalty", "penalty/entropy", "penalty/guided"} <= last.keys()
    assert last["penalty"] == pytest.approx(last["penalty/entropy"] + last["penalty/guided"])
    assert all("penalty" not in line for line in lines if line["split"] != "train")


def problems(*overrides):
    with pytest.raises(ConfigError) as error:
        check_train(CommandLine("train", ()).compose(list(overrides)))
    return error.value.problems


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("model=transformer", "focus=coverage"), "focus.coverage.weight: follows a decoder through its source"),
        (("model=rnn_classifier", "focus=guided"), "focus.guided.weight: follows a decoder through its source"),
        (("model=seq2seq", "focus=diversity"), "no attention here has two. Use 0, or attention.num_heads=4"),
        (("model=seq2seq", "focus=span"), "Use 0, or attention=adaptive_span"),
        (("model=seq2seq", "focus=guided", "focus.guided.head=1"), "must be below the number of heads, 1, got 1"),
        (("model=seq2seq", "focus.coverage.weight=-1"), "focus.coverage.weight: must be >= 0, got -1"),
        (
            ("model=seq2seq", "focus=entropy", "focus.entropy.start_step=300", "focus.entropy.attentions=[cros]"),
            "focus.entropy.attentions: the model has no cros. Use some of cross, or null",
        ),
        (
            ("model=seq2seq", "focus=entropy", "focus.entropy.attentions=[]"),
            "focus.entropy.attentions: must name one or more, got []. Use some of cross, or null",
        ),
        (
            ("model=transformer_seq2seq", "focus=guided", "focus.guided.attentions=[encoder.layers.0]"),
            "encoder.layers.0 does not go from a decoder to its source. Use some of decoder.layers.0.cross",
        ),
        (("model=seq2seq", "focus.entropy.weight=.nan"), "focus.entropy.weight: must be"),
        (("model=seq2seq", "focus.guided.target=silver"), "must be one of diagonal, gold"),
        (
            ("model=seq2seq", "focus=guided", "focus.guided.target=gold", "dataset.tokenizer.kind=torchtext"),
            "the tokenizers of torchtext do not tell",
        ),
    ],
)
def test_what_cannot_apply_is_refused_before_data_with_what_works(overrides, says):
    assert any(says in problem for problem in problems(*overrides)), problems(*overrides)


@pytest.mark.slow
def test_every_choice_can_be_trained_and_all_together():
    for choice in ("default", "entropy", "coverage", "guided", "sigma_reparametrization"):
        check_train(CommandLine("train", ()).compose(["model=seq2seq", f"focus={choice}"]))
    both = ["model=transformer_seq2seq", "attention=adaptive_span", "attention@model.cross_attention=multi_head"]
    setup = check_train(CommandLine("train", ()).compose([*both, "focus=diversity", "focus.span.weight=0.1"]))
    assert list(setup.task(None).regularizers.terms) == ["diversity", "span"]


def test_gold_without_alignments_is_refused_right_after_the_data():
    options = Regularization(guided=GuidedOptions(weight=1.0, target="gold"))
    with pytest.raises(DataError, match="no training row of this set has one"):
        require_alignments(options, rows(PAIRS))
    require_alignments(options, aligned_rows())
    require_alignments(Regularization(guided=GuidedOptions(weight=1.0)), rows(PAIRS))


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"entropy": EntropyOptions(weight=1.0, attentions=["cros"])}, "the model has no cros. Use some of cross"),
        ({"coverage": CoverageOptions(weight=1.0, attentions=["encoder.layers.0"])}, "does not go from a decoder"),
        ({"guided": GuidedOptions(weight=1.0, head=5)}, "no attention of this model gives weights that suit it"),
    ],
)
def test_an_attention_that_a_term_cannot_use_is_named(terms, says):
    name = "Seq2Seq" if "cros" in says else "TransformerSeq2Seq"
    model, task, batch = made(name, Regularization(**terms))
    with pytest.raises(ConfigError, match=says):
        task.step(model, batch)
