"""Optimizers, schedules and their YAML."""

import copy
import inspect
import math
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

import attnfocus.training as training
from attnfocus.errors import ConfigError
from attnfocus.training import ConstantSchedule, CosineSchedule, InverseSqrtSchedule, PlateauSchedule, TrainerOptions
from attnfocus.training.optimizers import uncompiled

CONFIGS = Path(__file__).parents[2] / "configs"
OPTIMIZERS = {"adam", "adamw", "sgd", "adagrad", "rmsprop"}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("optimizer/*.yaml")) + sorted(CONFIGS.glob("scheduler/*.yaml")))
def test_yaml_lists_every_option_with_its_default_and_a_comment(path):
    options = yaml.safe_load(path.read_text())
    target = getattr(training, options.pop("_target_").removeprefix("attnfocus.training."))
    parameters = inspect.signature(target).parameters.values()
    assert options == {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    first, *rest = path.read_text().splitlines()
    assert first.startswith("# ")
    assert len(first) <= 72
    assert all("  # " in line for line in rest if not line.startswith("_target_"))


def test_trainer_yaml_is_the_dataclass():
    options = yaml.safe_load((CONFIGS / "trainer/default.yaml").read_text())
    defaults = TrainerOptions()
    assert list(options) == list(TrainerOptions.__dataclass_fields__)
    assert TrainerOptions(**options) == defaults


def test_every_optimizer_has_a_yaml():
    assert {path.stem for path in CONFIGS.glob("optimizer/*.yaml")} == OPTIMIZERS


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_optimizers_follow_the_plain_ones_of_torch_and_repeat_bit_for_bit(name):
    plain_class = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "adagrad": "Adagrad", "rmsprop": "RMSprop"}[name]

    def train(make):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(37, 33), nn.Tanh(), nn.Linear(33, 1))
        optimizer = make(model.parameters())
        for _ in range(20):
            optimizer.zero_grad()
            model(torch.randn(16, 37)).square().mean().backward()
            optimizer.step()
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    ours = getattr(training, name)
    options = {"decay_all": True} if name == "adamw" else {}
    first, second = (train(lambda params: ours(params, lr=0.01, **options)) for _ in range(2))
    assert torch.equal(first, second)
    plain = getattr(torch.optim, plain_class)
    theirs = train(lambda params: plain(params, lr=0.01, foreach=False))
    torch.testing.assert_close(first, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.Adagrad, torch.optim.SGD])
def test_an_optimizer_without_the_compiler_is_the_same_but_for_its_wrapping(kind):
    models = [nn.Linear(5, 3) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    inputs = torch.randn(4, 5)
    ours, theirs = uncompiled(kind)(models[0].parameters(), lr=0.1), kind(models[1].parameters(), lr=0.1)
    assert isinstance(ours, kind)
    assert repr(ours) == repr(theirs)
    called = []
    ours.register_step_post_hook(lambda *arguments: called.append(1))
    for _ in range(3):
        for model, optimizer in zip(models, (ours, theirs), strict=True):
            model(inputs).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            assert model.weight.grad is None
            assert model.weight.is_leaf
        ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    assert torch.equal(models[0].weight, models[1].weight)
    assert len(called) == 3


def test_adamw_decays_matrices_and_leaves_vectors():
    model = nn.Sequential(nn.Embedding(3, 4), nn.Linear(4, 4), nn.LayerNorm(4))
    decays = {
        id(parameter): group["weight_decay"]
        for group in training.adamw(model.parameters(), weight_decay=0.1).param_groups
        for parameter in group["params"]
    }
    assert all(decays[id(p)] == (0.1 if p.ndim == 2 else 0.0) for p in model.parameters())
    everything = training.adamw(model.parameters(), weight_decay=0.1, decay_all=True).param_groups
    assert [group["weight_decay"] for group in everything] == [0.1]
    assert len(training.adamw(nn.Linear(2, 2, bias=False).parameters()).param_groups) == 1


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValueError, match="momentum"):
        training.sgd(nn.Linear(2, 2).parameters(), nesterov=True)


def test_optimizers_can_be_built_on_meta():
    for name in OPTIMIZERS:
        getattr(training, name)(nn.Linear(2, 2, device="meta").parameters())


@pytest.mark.parametrize("kind", [ConstantSchedule, CosineSchedule, InverseSqrtSchedule, PlateauSchedule])
def test_schedules_rise_linearly_over_the_warmup_to_one(kind):
    schedule = kind(100, "max", warmup_steps=10)
    assert [schedule.factor(step) for step in range(1, 11)] == pytest.approx([step / 10 for step in range(1, 11)])
    unwarmed = kind(100, "max", warmup_steps=0)
    assert all(0 <= unwarmed.factor(step) <= 1 for step in (1, 50, 100, 1000))


def test_cosine_worked_example():
    schedule = CosineSchedule(14, "min", warmup_steps=4, final_fraction=0.2)
    # half of the 10 updates after the warmup are done before step 10: 0.2 + 0.8 * (1 + cos(pi / 2)) / 2 = 0.6
    assert schedule.factor(10) == pytest.approx(0.6)
    assert schedule.factor(14) > 0.2
    assert schedule.factor(15) == schedule.factor(99) == pytest.approx(0.2)


def test_58_no_update_is_spent_at_a_rate_of_0() -> None:
    assert CosineSchedule(1, "min").factor(1) == 1.0
    assert all(CosineSchedule(20, "min", warmup_steps=warmup).factor(20) > 0 for warmup in range(20))


def test_cosine_of_a_run_begun_before_ends_with_its_last_update() -> None:
    schedule = CosineSchedule(14, "min", warmup_steps=4, final_fraction=0.2, ends="at")
    assert schedule.factor(9) == pytest.approx(0.6)
    assert schedule.factor(14) == pytest.approx(0.2)


def test_inverse_sqrt_is_the_transformers_up_to_its_scale():
    schedule, model_dim, warmup = InverseSqrtSchedule(None, "min", warmup_steps=40), 512, 40
    for step in (1, 7, 40, 41, 400):
        paper = model_dim**-0.5 * min(step**-0.5, step * warmup**-1.5)
        assert schedule.factor(step) == pytest.approx(paper / (model_dim**-0.5 * warmup**-0.5))


def test_cosine_without_a_number_of_steps_says_what_to_set():
    options = TrainerOptions(max_epochs=None, max_minutes=5)
    with pytest.raises(ConfigError, match=r"trainer\.max_steps or trainer\.max_epochs"):
        CosineSchedule(options.total_steps(10), "min")


def test_total_steps_is_the_first_of_the_limits():
    assert TrainerOptions(max_epochs=3, accumulate_steps=4).total_steps(10) == 9
    assert TrainerOptions(max_epochs=3, max_steps=7, accumulate_steps=4).total_steps(10) == 7


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_plateau_follows_the_direction_and_goes_on_from_its_state(direction, sign):
    schedule = PlateauSchedule(None, direction, patience=2, decay=0.5, min_fraction=0.3)
    factors = []
    for value in (1.0, 2.0, 1.5, math.nan, 3.0, 3.0, 3.0, 3.0, 3.0):
        twin = PlateauSchedule(None, direction, patience=2, decay=0.5, min_fraction=0.3)
        twin.load_state_dict(schedule.state_dict())
        schedule.observe(sign * value)
        twin.observe(sign * value)
        assert twin.state_dict() == schedule.state_dict()
        factors.append(schedule.factor(1))
    assert factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3]
