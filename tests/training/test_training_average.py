"""The moving average of the weights: its formula, its use, and its way through a checkpoint."""

import functools

import pytest
import torch
from training_toys import Toy, ToyEvaluation, ToyModel, same_tensors

from attnfocus.errors import CheckpointError
from attnfocus.events import Progress
from attnfocus.training import TrainerOptions, adam
from attnfocus.training.checkpoints.average import mean_weights

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


SAVING = TrainerOptions(max_steps=8, save_every_steps=1, evaluate_every_steps=2, keep_checkpoints=3)


@pytest.mark.parametrize("ema_decay", [None, 0.8])
def test_the_mean_is_over_the_newest_checkpoints_and_the_weights_that_each_would_use(tmp_path, ema_decay):
    best_first = iter([1.0, 2.0, 3.0, 4.0])  # step 2 stays as the best, and is none of the newest
    evaluate = functools.partial(lambda losses, model: ToyEvaluation({"loss": next(losses), "score": 0.0}), best_first)
    run = toy(tmp_path, TrainerOptions(**{**vars(SAVING), "ema_decay": ema_decay}), evaluate=evaluate)
    run.run()
    newest = run.store.newest_few()
    assert [checkpoint.step for checkpoint in newest] == [8, 7, 6]
    assert (tmp_path / "checkpoints" / "step-00000002").is_dir()
    models = [ToyModel() for _ in newest]
    for model, checkpoint in zip(models, newest, strict=True):
        checkpoint.load_model(model)
    mean = mean_weights(newest)
    for name, tensor in mean.items():
        parts = [model.state_dict()[name] for model in models]
        if tensor.is_floating_point():
            assert torch.equal(tensor, (sum(part.double() for part in parts) / 3).float())
            assert not torch.equal(tensor, parts[0])
        else:
            assert torch.equal(tensor, parts[0])  # a count


def test_a_single_or_damaged_checkpoint_is_no_average(tmp_path):
    single = toy(tmp_path / "single", TrainerOptions(**{**vars(SAVING), "keep_checkpoints": 1}))
    single.run()
    with pytest.raises(
        CheckpointError, match=r"(?s)needs two .* There are: step-.*Train with trainer.keep_checkpoints=5"
    ):
        single.store.newest_few()
    damaged = toy(tmp_path / "damaged", SAVING)
    damaged.run()
    with (tmp_path / "damaged" / "checkpoints" / "step-00000007" / "model.safetensors").open("r+b") as file:
        file.write(b"?")
    with pytest.raises(CheckpointError, match=r"step-00000007/model.safetensors: is not what was saved"):
        damaged.store.newest_few()
