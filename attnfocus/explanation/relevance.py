"""AttnLRP: the relevance of each position, passed back through a Transformer by a rule for each of its parts.

Shapes: N outputs, K input positions, D numbers of a position's vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.base import BaseAttention
from attnfocus.attention.relevance import halved, halved_products, passed_on, relevance_problem
from attnfocus.errors import ConfigError
from attnfocus.focus.attributions import gradients
from attnfocus.models import PoolingClassifier, TransformerClassifier, TransformerLanguageModel, TransformerSeq2Seq
from attnfocus.models.base import Model
from attnfocus.models.inputs import ConvolutionInput
from attnfocus.models.transformer_layers import ResidualLayer
from attnfocus.tasks.probe import Probe

METHOD = "attn_lrp"
_MODELS = (PoolingClassifier, TransformerClassifier, TransformerLanguageModel, TransformerSeq2Seq)


def relevances(probe: Probe) -> Tensor:
    """R_k = sum_d x_kd g_kd, g the gradient of the score under rules that make x g a relevance   (Achtibat et al. 2024,
    arXiv:2402.05602; as a gradient their sec. 3 and app. A): (N, K), signed.

    Linear layers, sums and means: R_j = sum_i x_j W_ij / z_i R_i (epsilon rule, epsilon = 0), which is the gradient.
    Activations f: R passes as it is, so that the gradient is f(x) / x. Layer normalization, too: the deviation that it
    divides by is a constant. Products of two inputs (weights and values, query and key, the gate of swiglu): half to
    each. The normalizer: R_i = x_i (R_i - w_i sum_j R_j), which is the gradient.

    What it promises: each rule shares out what it gets, but for what goes to biases, to constants that are added
    (positions, cls, the query of a pooling) and to the bias that stands for softmax in its expansion. So the sum is the
    score without these shares, and no more can be said of it. Cost: a forward and a backward pass for each output.

    Raises:
        ConfigError: a model that has a part without a rule.
    """
    problem = _problem(probe.model)
    if problem is not None:
        raise ConfigError(
            f"method: {METHOD} has rules for Transformers and plain poolings, and {problem}. Use integrated_gradients."
        )
    vectors = probe.vectors()[probe.examples]
    with relevance_rules(probe.model):
        slopes = gradients(probe.score, vectors, torch.arange(len(vectors), device=vectors.device))[1]
    return (vectors * slopes).sum(dim=-1)


def _problem(model: Model) -> str | None:
    if type(model) not in _MODELS:
        return f"{type(model).__name__} is another model"
    if any(isinstance(each, ConvolutionInput) for each in model.modules()):
        return "model/input=convolution has none"
    own = (each for each in model.modules() if not type(each).__module__.startswith(("attnfocus.", "torch.nn.")))
    other = next(own, None)
    if other is not None:
        return f"{type(other).__name__} is a part that they do not know"
    found = (relevance_problem(each) for each in model.modules() if isinstance(each, BaseAttention))
    return next((problem for problem in found if problem is not None), None)


@contextmanager
def relevance_rules(model: Model) -> Iterator[None]:
    """Within, gradients of a copy of a model (`tasks.probe.own_copy`) are made by the rules; its answers stay."""
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, BaseAttention):
                stack.enter_context(halved_products(module))
            elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
                stack.enter_context(_in_place_of(module, "forward", _norm(module)))
            elif isinstance(module, ResidualLayer):
                stack.enter_context(_in_place_of(module, "hidden", _hidden(module)))
        yield


@contextmanager
def _in_place_of(module: nn.Module, method: str, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
    setattr(module, method, function)
    try:
        yield
    finally:
        delattr(module, method)


def _norm(module: nn.LayerNorm | nn.RMSNorm) -> Callable[[Tensor], Tensor]:
    """The normalization with its divisor as a constant."""

    def forward(states: Tensor) -> Tensor:
        if isinstance(module, nn.LayerNorm):
            states = states - states.mean(dim=-1, keepdim=True)
        eps = torch.finfo(states.dtype).eps if module.eps is None else module.eps
        states = states * torch.rsqrt(states.detach().square().mean(dim=-1, keepdim=True) + eps)
        states = states if module.weight is None else states * module.weight
        bias = module.bias if isinstance(module, nn.LayerNorm) else None
        return states if bias is None else states + bias

    return forward


def _hidden(layer: ResidualLayer) -> Callable[[Tensor], Tensor]:
    def hidden(read: Tensor) -> Tensor:
        wide: Tensor = layer.widen(read)
        if layer.gate is None:
            return passed_on(layer.activation, wide)
        return halved(passed_on(F.silu, layer.gate(read))) * halved(wide)

    return hidden
