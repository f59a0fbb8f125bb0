"""Sigma-reparametrization: what the matrix is, what moves it, and what it must leave alone."""

import copy

import pytest
import torch
from torch import nn

from attnfocus.focus import sigma_reparametrize


def layer(outputs=6, inputs=4, dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Linear(inputs, outputs, dtype=dtype)


def test_the_matrix_is_gamma_times_the_matrix_of_unit_norm():
    linear = layer()
    before = linear.weight.detach().clone()
    assert sigma_reparametrize(nn.Sequential(linear)) == ["0"]
    for _ in range(1000):
        linear(torch.zeros(1, 4, dtype=torch.float64))
    sigma = torch.linalg.matrix_norm(before, 2)
    torch.testing.assert_close(linear.weight, before / sigma)
    with torch.no_grad():
        linear.parametrizations.weight[0].gamma.fill_(3.0)
    torch.testing.assert_close(torch.linalg.matrix_norm(linear.weight, 2).item(), 3.0)


def test_the_first_matrix_is_near_that_norm_already():
    linear = layer(64, 48, torch.float32)
    sigma_reparametrize(nn.Sequential(linear))
    assert torch.linalg.matrix_norm(linear.weight, 2).item() == pytest.approx(1, abs=0.05)


def test_gradients_are_those_of_the_definition():
    """d/dW of gamma W / sigma(W), sigma by torch.linalg: equal once the vectors of the power method are exact."""
    ours, reference = layer(), layer().weight
    sigma_reparametrize(nn.Sequential(ours))
    for _ in range(1000):
        ours(torch.zeros(1, 4, dtype=torch.float64))
    goal = torch.randn(6, 4, dtype=torch.float64)
    (ours.weight * goal).sum().backward()
    gamma = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (gamma * reference / torch.linalg.matrix_norm(reference, 2) * goal).sum().backward()
    torch.testing.assert_close(ours.parametrizations.weight.original.grad, reference.grad)
    torch.testing.assert_close(ours.parametrizations.weight[0].gamma.grad, gamma.grad)


def test_only_training_moves_the_vector_and_no_random_number_is_drawn():
    model = nn.Sequential(layer())
    state = torch.random.get_rng_state()
    sigma_reparametrize(model)
    assert torch.equal(torch.random.get_rng_state(), state)
    left = model[0].parametrizations.weight[0].left
    with torch.no_grad():
        model[0].parametrizations.weight.original.mul_(torch.linspace(0.1, 3, 4))
    before = left.clone()
    model.eval()(torch.zeros(1, 4, dtype=torch.float64))
    assert torch.equal(left, before)
    model.train()(torch.zeros(1, 4, dtype=torch.float64))
    assert not torch.equal(left, before)


def test_a_state_restores_the_same_matrix():
    model = nn.Sequential(layer())
    sigma_reparametrize(model)
    with torch.no_grad():
        model[0].parametrizations.weight.original.add_(0.3)
    model(torch.zeros(1, 4, dtype=torch.float64))
    other = nn.Sequential(nn.Linear(4, 6, dtype=torch.float64))
    sigma_reparametrize(other)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.eval()[0].weight, model.eval()[0].weight)
    assert torch.equal(copy.deepcopy(model)[0].weight, model[0].weight)


def test_shared_tables_are_left_alone_and_a_model_without_layers_is_refused():
    model = nn.ModuleDict({"table": nn.Embedding(6, 4), "output": nn.Linear(4, 6), "own": nn.Linear(4, 4)})
    model["output"].weight = model["table"].weight
    assert sigma_reparametrize(model) == ["own"]
    assert model["output"].weight is model["table"].weight
    with pytest.raises(ValueError, match="no linear layer of its own"):
        sigma_reparametrize(nn.Embedding(2, 2))


def test_autocast_computes_the_norm_in_full():
    model, single = nn.Sequential(layer(64, 48, torch.float32)), None
    sigma_reparametrize(model)
    model.eval()
    single = model[0].weight
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model[0].weight, single)
