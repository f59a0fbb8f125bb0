"""Gradients of gradients, `torch.func` and `torch.export`, over all presets and over what has a kernel of its own.

Shapes: B items, H heads, Q queries, K keys, D sizes. float64.
"""

import copy
import functools

import pytest
import torch
from attention_presets import preset_factory

from attnfocus.attention import (
    AdditiveScore,
    Attention,
    BaseAttention,
    Call,
    CausalPattern,
    CoverageScore,
    Entmax,
    Entmax15,
    LocalPattern,
    ScaledDotScore,
    Softmax,
    Sparsemax,
)
from attnfocus.attention.contract.trial import padding_mask, random_attention, random_inputs, sizes
from attnfocus.attention.dropout import dropout
from attnfocus.attention.scores.additive import TanhProduct, tanh_product

B = 3
KERNELS = {
    "additive": {"score": AdditiveScore},
    "sparsemax": {"score": ScaledDotScore, "normalizer": Sparsemax},
    "entmax15": {"score": AdditiveScore, "normalizer": Entmax15},
    "entmax": {"score": ScaledDotScore, "normalizer": Entmax},
    "softmax": {"score": ScaledDotScore, "normalizer": Softmax},
}
kernels = pytest.mark.parametrize("kernel", KERNELS)


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(kernel: str, **options) -> BaseAttention:
    return random_attention(functools.partial(Attention, num_heads=2, **KERNELS[kernel], **options))


def by_plain(attention: BaseAttention) -> BaseAttention:
    if isinstance(attention, Attention):
        attention.wanted_path = "plain"
    return attention


def test_every_preset_has_gradients_of_gradients_by_the_plain_path(preset):
    attention = by_plain(random_attention(preset_factory(preset)))
    inputs = [tensor.requires_grad_() for tensor in random_inputs(attention, 2)]
    num_keys = sizes(attention)[1]
    mask = padding_mask([num_keys, num_keys - 2], num_keys)
    parameters = dict(attention.named_parameters())

    def function(*tensors):
        given = dict(zip(parameters, tensors[3:], strict=True))
        return torch.func.functional_call(attention, given, (*tensors[:3], mask))[0]

    assert torch.autograd.gradgradcheck(function, (*inputs, *parameters.values()), fast_mode=True)


def second(attention: BaseAttention, vectors: torch.Tensor) -> torch.Tensor:
    """A gradient of a gradient, by `backward`, which nobody knows of beforehand."""
    leaf = vectors.clone().requires_grad_()
    [first] = torch.autograd.grad(attention(leaf, leaf)[0].sin().sum(), leaf, create_graph=True)
    return torch.autograd.grad(first.square().sum(), leaf)[0]


@pytest.mark.parametrize(
    ("path", "pattern"), [("auto", CausalPattern), ("sdpa", CausalPattern), ("chunked", LocalPattern)]
)
def test_a_fused_kernel_names_the_path_that_has_them(path, pattern):
    attention, vectors = made("softmax", path=path, pattern=pattern), random(2, 40, 8)
    leaf = vectors.clone().requires_grad_()
    loss = attention(leaf, leaf)[0].sin().sum()
    [expected] = torch.autograd.grad(loss, leaf, retain_graph=True)
    [first] = torch.autograd.grad(loss, leaf, create_graph=True)  # asking for a graph alone is no harm
    torch.testing.assert_close(first, expected, rtol=0, atol=0)
    with pytest.raises(RuntimeError, match=r"gradients of gradients .* Use path=plain \(attention\.path=plain\)"):
        torch.autograd.grad(first.square().sum(), leaf)
    assert second(by_plain(copy.deepcopy(attention)), vectors).isfinite().all()


def test_what_has_no_fused_kernel_needs_no_other_path():
    for kernel in ("additive", "sparsemax", "entmax15", "entmax"):
        for options in ({}, {"path": "chunked"}):
            attention, vectors = made(kernel, **options), random(2, 5, 8)
            torch.testing.assert_close(second(attention, vectors), second(by_plain(copy.deepcopy(attention)), vectors))


def test_auto_leaves_a_fused_kernel_where_torch_func_asks_for_them():
    attention, vectors = made("softmax"), random(2, 4, 8)

    def loss(inputs):
        return attention(inputs, inputs)[0].sin().sum()

    def of_gradient(inputs):
        return torch.func.grad(loss)(inputs).square().sum()

    torch.testing.assert_close(
        torch.func.grad(of_gradient)(vectors), second(by_plain(copy.deepcopy(attention)), vectors)
    )
    ask = Call(second_order=True)
    assert attention.chosen_path().name == "sdpa"
    assert attention.chosen_path(ask).name == "plain"
    assert "gradients of gradients" in attention.chosen_path(ask).reason
    for path in ("sdpa", "flex"):
        attention.wanted_path = path
        with pytest.raises(ValueError, match=rf"path={path} cannot run here: gradients of gradients .* path=plain has"):
            torch.func.grad(of_gradient)(vectors)


@kernels
def test_torch_func_gives_what_autograd_gives(kernel):
    attention = by_plain(made(kernel))
    query, keys, mask = random(B, 4, 8), random(B, 6, 8, seed=1), padding_mask([6, 4, 0], 6)

    def loss(query, keys, mask):
        return attention(query, keys, None, mask)[0].sin().sum()

    def of_gradient(*given):
        return sum(each.square().sum() for each in torch.func.grad(loss, argnums=(0, 1))(*given))

    for function in (loss, of_gradient):
        gradients = torch.func.grad(function, argnums=(0, 1))
        whole = gradients(query, keys, mask)
        for in_dims in ((0, 0, 0), (0, 0, None), (None, 0, 0)):
            given = [
                tensor if dim == 0 else tensor[:1].expand_as(tensor)
                for tensor, dim in zip((query, keys, mask), in_dims, strict=True)
            ]
            alone = [
                tensor if dim == 0 else tensor[0] for tensor, dim in zip((query, keys, mask), in_dims, strict=True)
            ]
            torch.testing.assert_close(torch.func.vmap(gradients, in_dims)(*alone), gradients(*given))
        leaves = query.clone().requires_grad_(), keys.clone().requires_grad_()
        if function is loss:
            torch.testing.assert_close(whole, torch.autograd.grad(loss(*leaves, mask), leaves))


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_one_derivative_of_torch_func_keeps_the_fused_kernel():
    attention, vectors, mask = made("softmax"), random(B, 5, 8), padding_mask([5, 3, 1], 5)

    def loss(inputs, mask):
        return attention(inputs, inputs, None, mask)[0].sin().sum()

    fused = torch.func.vmap(torch.func.grad(loss))(vectors, mask)
    together = torch.func.grad(loss)(vectors, mask)
    by_plain(attention)
    for found in (fused, together):
        torch.testing.assert_close(found, torch.func.grad(loss)(vectors, mask))


@kernels
def test_parameters_of_several_models_are_mapped_over(kernel):
    """One sentence under many parameters: what is mapped over is no item of the batch."""
    attention, vectors = by_plain(made(kernel)), random(2, 5, 8)
    parameters = {name: value.detach() for name, value in attention.named_parameters()}
    several = {name: torch.stack([value, 0.5 * value, -value]) for name, value in parameters.items()}

    def loss(given):
        return torch.func.functional_call(attention, given, (vectors, vectors))[0].sin().sum()

    found = torch.func.vmap(torch.func.grad(loss))(several)
    for index in range(3):
        alone = torch.func.grad(loss)({name: value[index] for name, value in several.items()})
        for name, gradient in alone.items():
            torch.testing.assert_close(found[name][index], gradient)


def test_the_additive_score_has_second_derivatives_of_every_input():
    inputs = [random(2, 3, 4, seed=1), random(2, 5, 4, seed=2), random(2, 1, 4, seed=3)]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(TanhProduct.apply, inputs)
    assert torch.autograd.gradgradcheck(TanhProduct.apply, inputs)
    torch.testing.assert_close(TanhProduct.apply(*inputs), tanh_product(*inputs))


def test_dropout_has_second_derivatives():
    def function(values):
        torch.manual_seed(5)
        return dropout(values, 0.4).pow(3)

    values = random(7, 9).requires_grad_()
    assert torch.autograd.gradcheck(function, (values,))
    assert torch.autograd.gradgradcheck(function, (values,))


def test_dropout_under_vmap_draws_as_it_is_told():
    def gradient(values):
        return torch.func.grad(lambda inputs: dropout(inputs, 0.5).square().sum())(values)

    ones = torch.ones(4, 60, dtype=torch.float64)
    different = torch.func.vmap(gradient, randomness="different")(ones)
    same = torch.func.vmap(gradient, randomness="same")(ones)
    for found in (different, same):
        assert set(found.unique().tolist()) == {0.0, 8.0}  # d (2 x)^2 / dx
    assert (same == same[0]).all()
    assert not (different == different[0]).all()
    with pytest.raises(RuntimeError, match="randomness"):
        torch.func.vmap(gradient)(ones)


class Exported(torch.nn.Module):
    def __init__(self, attention: BaseAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, query, keys, mask):
        return self.attention(query, keys, None, mask)[0]


@pytest.mark.slow
@kernels
@pytest.mark.parametrize("is_strict", [False, True])
def test_an_exported_graph_takes_any_number_of_items(kernel, is_strict):
    attention = made(kernel, dropout=0.1)
    batch = torch.export.Dim("batch")
    inputs = random(3, 4, 8), random(3, 6, 8, seed=1), padding_mask([6, 4, 1], 6)
    program = torch.export.export(
        Exported(attention), inputs, dynamic_shapes=({0: batch}, {0: batch}, {0: batch}), strict=is_strict
    )
    for items in (2, 3, 7):
        given = random(items, 4, 8, seed=2), random(items, 6, 8, seed=3), padding_mask([6, 0, 3, 1, 6, 5, 4][:items], 6)
        torch.testing.assert_close(program.module()(*given), Exported(attention)(*given))


@pytest.mark.slow
def test_dropout_is_exported_too():
    attention = made("additive", dropout=0.5).train()
    batch = torch.export.Dim("batch")
    inputs = random(3, 4, 8), random(3, 6, 8, seed=1), padding_mask([6, 4, 1], 6)
    program = torch.export.export(Exported(attention), inputs, dynamic_shapes=({0: batch}, {0: batch}, {0: batch}))
    ones = random(5, 4, 8), random(5, 6, 8, seed=1), padding_mask([6, 4, 1, 2, 3], 6)
    first, second = (program.module()(*ones) for _ in range(2))
    assert first.shape == second.shape == (5, 4, 8)
    assert not torch.equal(first, second)


def test_a_score_with_a_history_has_gradients_of_gradients():
    attention = random_attention(functools.partial(Attention, score=CoverageScore))
    query, keys = random(2, 3, 8).requires_grad_(), random(2, 5, 8, seed=1).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda *given: attention(*given)[0], (query, keys), fast_mode=True)
