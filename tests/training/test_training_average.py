"""The moving average of the weights: its formula, its use, and its way through a checkpoint."""

import functools

import torch
from training_toys import Toy, ToyEvaluation, ToyModel, same_tensors

from attnfocus.events import Progress
from attnfocus.training import TrainerOptions, adam

OPTIONS = TrainerOptions(max_steps=12, log_every_steps=1, save_every_steps=5, evaluate_every_steps=4, ema_decay=0.8)


def toy(folder, options=OPTIONS, **given):
    return Toy(folder, options, make_model=functools.partial(ToyModel, dropout=0.2), make_optimizer=adam, **given)


def test_the_average_follows_its_formula_and_is_what_is_evaluated_and_saved(tmp_path):
    seen, averages, evaluated = [], [], []

    def evaluate(model):
        evaluated.append([parameter.clone() for parameter in model.parameters()])
        return ToyEvaluation({"loss": 1.0, "score": 1.0})

    run = toy(tmp_path, evaluate=evaluate)

    def after_step(event):
        if isinstance(event, Progress):
            seen.append([parameter.detach().clone() for parameter in run.model.parameters()])
            last = averages[-1] if averages else None
            new = seen[-1] if last is None else [0.8 * a + 0.2 * w for a, w in zip(last, seen[-1], strict=True)]
            averages.append(new)

    run.recorder.on_each = after_step
    run.run()
    torch.testing.assert_close(evaluated, [averages[3], averages[7], averages[11]])
    used = ToyModel()
    run.store.load("last").load_model(used)
    torch.testing.assert_close(list(used.parameters()), averages[11])
    trained = ToyModel()
    run.store.load("last").load_trained(trained)
    assert same_tensors(trained, run.model)


def test_a_resumed_average_equals_the_uninterrupted_one(tmp_path):
    whole = toy(tmp_path / "whole")
    whole.run()
    toy(tmp_path / "cut", TrainerOptions(**{**vars(OPTIONS), "max_steps": 6})).run()
    resumed = toy(tmp_path / "cut")
    resumed.run(resume=True)
    models = [ToyModel(), ToyModel()]
    for run, model in zip((whole, resumed), models, strict=True):
        run.store.load("last").load_average(model)
    assert same_tensors(*models)
    assert same_tensors(whole.model, resumed.model)
    assert resumed.recorder.evaluations() == whole.recorder.evaluations()[1:]
