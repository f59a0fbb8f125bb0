"""R-Drop: the paper's equation by hand, and what must not change it."""

import math

import pytest
import torch
from tasks_toys import CLASSIFIERS, LABELLED, PAIRS, batches, classifier, label_codec, pair_codec, rows, seq2seq

from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError
from attnfocus.models import ClassifierOutput, Model, SequenceOutput
from attnfocus.runs.assembly import check_train
from attnfocus.special import PAD
from attnfocus.tasks import ClassificationTask, Evaluation, TranslationTask
from attnfocus.training import CheckpointStore, ConstantSchedule, TrainerOptions, adam, fit, seed_everything

ALPHA = 3.0


def equation_4(first, second, expected, alpha):
    """-log P1(y) - log P2(y) + alpha/2 [KL(P1 || P2) + KL(P2 || P1)] of one target, from lists of logits."""

    def probabilities(logits):
        total = sum(math.exp(value) for value in logits)
        return [math.exp(value) / total for value in logits]

    def divergence(p, q):
        return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))

    p, q = probabilities(first), probabilities(second)
    return -math.log(p[expected]) - math.log(q[expected]) + alpha / 2 * (divergence(p, q) + divergence(q, p))


class Answers(Model):
    """Gives the same logits whatever it is asked."""

    def __init__(self, logits, output):
        super().__init__()
        self.logits, self.output = torch.nn.Parameter(logits), output

    def forward(self, *inputs):
        assert all(len(each) == len(self.logits) for each in inputs)  # both passes at once
        return self.output(self.logits, {})


def test_the_loss_of_labels_is_equation_4_halved():
    codec = label_codec()
    [batch] = batches(codec, rows(LABELLED), len(LABELLED))
    logits = torch.randn(2 * len(LABELLED), 3, generator=torch.Generator().manual_seed(0))
    step = ClassificationTask(codec, r_drop=ALPHA).step(Answers(logits, ClassifierOutput), batch)
    pairs = zip(logits[: len(LABELLED)].tolist(), logits[len(LABELLED) :].tolist(), batch.targets.tolist(), strict=True)
    total = sum(equation_4(first, second, expected, ALPHA) for first, second, expected in pairs)
    assert step.loss_sum.item() == pytest.approx(total / 2, rel=1e-5)
    assert step.num_targets == len(LABELLED)


def test_the_loss_of_tokens_is_equation_4_halved_without_the_padding():
    codec = pair_codec()
    [batch] = batches(codec, rows(PAIRS), len(PAIRS))
    expected = batch.targets[:, 1:]
    shape = (2 * len(PAIRS), expected.shape[1], codec.target_tokenizer.vocab_size)
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    model = Answers(logits, lambda given, weights: SequenceOutput(given, torch.eye(shape[-1]), None, weights))
    step = TranslationTask(codec, r_drop=ALPHA).step(model, batch)
    first, second = model.logits.detach().double().chunk(2)
    total = sum(
        equation_4(first[row, at].tolist(), second[row, at].tolist(), int(expected[row, at]), ALPHA)
        for row, at in (expected != PAD).nonzero().tolist()
    )
    assert step.loss_sum.item() == pytest.approx(total / 2, rel=1e-5)
    assert step.num_targets == batch.num_targets
    step.loss_sum.backward()
    is_padding = torch.cat((expected, expected)) == PAD
    assert is_padding.any()
    assert not model.logits.grad[is_padding].any()


@pytest.mark.parametrize("name", ["Seq2Seq", *CLASSIFIERS])
def test_without_dropout_both_passes_agree_and_the_loss_is_that_of_one(name):
    codec = pair_codec() if name == "Seq2Seq" else label_codec()
    task = TranslationTask if name == "Seq2Seq" else ClassificationTask
    model = seq2seq(codec) if name == "Seq2Seq" else classifier(name, codec)
    [batch] = batches(codec, rows(PAIRS if name == "Seq2Seq" else LABELLED), 11)
    plain, ours = task(codec), task(codec, r_drop=ALPHA)
    model.eval()
    assert ours.step(model, batch).loss_sum.item() == pytest.approx(plain.step(model, batch).loss_sum.item(), rel=1e-5)
    model.train()
    torch.manual_seed(0)
    weighed = ours.step(model, batch).loss_sum.item()
    torch.manual_seed(0)
    without = task(codec, r_drop=1e-9).step(model, batch).loss_sum.item()
    assert weighed > without * 1.0001  # the passes differ, and their divergence is above 0


def test_pieces_of_a_batch_sum_to_the_batch():
    codec = pair_codec()
    model, task = seq2seq(codec).eval(), TranslationTask(codec, r_drop=ALPHA)
    [whole] = batches(codec, rows(PAIRS), len(PAIRS))
    steps = [task.step(model, piece) for piece in whole.split(3)]
    together = task.step(model, whole)
    assert sum(step.loss_sum.item() for step in steps) == pytest.approx(together.loss_sum.item(), rel=1e-5)
    assert sum(step.num_targets for step in steps) == together.num_targets


def test_squared_error_is_refused():
    with pytest.raises(ValueError, match="r_drop compares probabilities, which mse has not"):
        ClassificationTask(None, loss="mse", r_drop=1.0)


def trained(folder, max_steps, resume=False):
    """A translator after some steps of two micro-batches each."""
    seed_everything(3)
    codec = pair_codec()
    model = seq2seq(codec)
    fit(
        model,
        TranslationTask(codec, r_drop=ALPHA),
        optimizer=adam(model.parameters()),
        scheduler=ConstantSchedule(6, "max"),
        batches=lambda epoch: batches(codec, rows(PAIRS), 3),
        evaluate=lambda model: Evaluation({"bleu": 0.0}, []),
        options=TrainerOptions(max_steps=max_steps, accumulate_steps=2, r_drop=ALPHA),
        store=CheckpointStore(folder),
        device=torch.device("cpu"),
        seed=3,
        resume=resume,
    )
    return model.state_dict()


def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path):
    whole = trained(tmp_path / "whole", 5)
    trained(tmp_path / "parts", 3)
    resumed = trained(tmp_path / "parts", 5, resume=True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_what_r_drop_cannot_work_with_is_refused_with_the_way_out():
    def problems(*overrides):
        with pytest.raises(ConfigError) as error:
            check_train(CommandLine("train", ()).compose(["model=pooling_classifier", "trainer.r_drop=1", *overrides]))
        return error.value.problems

    [loss] = problems("trainer.loss=mse", "model.dropout=0.1")
    assert loss.startswith("trainer.loss: r_drop compares probabilities, which mse has not. Use cross_entropy")
    [still] = problems()
    assert still.endswith("there is no dropout. Set model.dropout or attention.dropout, or trainer.r_drop=0.")
