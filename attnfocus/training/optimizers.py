"""Optimizers of torch with their options' limits written out.

On CPU and CUDA the fused kernels of torch are used: measured on CPU (2.3 M parameters, one thread) a step of Adam takes
1.3 ms instead of 7.8, AdamW 1.4 instead of 4.6, Adagrad 0.9 instead of 2.9, SGD 0.7 instead of 1.0. They differ from
the loop over tensors in the last bit, and give the same bits every time.
"""

from collections.abc import Iterable
from typing import Any

from torch import nn, optim
from torch.optim import Optimizer

from attnfocus.limits import NonNegativeFloat, PositiveFloat, Probability
from attnfocus.training.distributed.shard import is_part
from attnfocus.training.uncompiled import uncompiled

Adagrad, Adam, AdamW = uncompiled(optim.Adagrad), uncompiled(optim.Adam), uncompiled(optim.AdamW)
SGD, RMSprop = uncompiled(optim.SGD), uncompiled(optim.RMSprop)


def adam(
    params: Iterable[nn.Parameter],
    *,
    lr: PositiveFloat = 1e-3,
    beta1: Probability = 0.9,
    beta2: Probability = 0.999,
    eps: PositiveFloat = 1e-8,
    weight_decay: NonNegativeFloat = 0.0,
) -> Optimizer:
    """Adam (Kingma and Ba 2015, algorithm 1, arXiv:1412.6980). `weight_decay` is added to the gradient (L2)."""
    params = list(params)
    return Adam(params, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay, fused=_has_fused(params))


def adamw(
    params: Iterable[nn.Parameter],
    *,
    lr: PositiveFloat = 1e-3,
    beta1: Probability = 0.9,
    beta2: Probability = 0.999,
    eps: PositiveFloat = 1e-8,
    weight_decay: NonNegativeFloat = 0.01,
    decay_all: bool = False,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2, arXiv:1711.05101).

    Biases, the gains of norms and other vectors are not decayed unless `decay_all`: pulling them to zero limits what
    they can express and prevents no overfitting. Matrices, embeddings among them, are.
    """
    params = list(params)
    fused = _has_fused(params)
    groups: list[dict[str, Any]] = [{"params": params}]
    if not decay_all:
        matrices = [parameter for parameter in params if parameter.ndim >= 2]
        vectors = [parameter for parameter in params if parameter.ndim < 2]
        groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
    return AdamW(groups, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay, fused=fused)


def sgd(
    params: Iterable[nn.Parameter],
    *,
    lr: PositiveFloat = 0.1,
    momentum: Probability = 0.0,
    nesterov: bool = False,
    weight_decay: NonNegativeFloat = 0.0,
) -> Optimizer:
    """Gradient descent, with momentum (Sutskever et al. 2013, section 2) or Nesterov's form of it."""
    if nesterov and momentum == 0:
        raise ValueError("nesterov=true needs momentum, got momentum=0. Set momentum, for instance 0.9")
    params = list(params)
    fused = _has_fused(params)
    return SGD(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=fused)


def adagrad(
    params: Iterable[nn.Parameter],
    *,
    lr: PositiveFloat = 0.01,
    initial_accumulator: NonNegativeFloat = 0.0,
    eps: PositiveFloat = 1e-10,
    weight_decay: NonNegativeFloat = 0.0,
) -> Optimizer:
    """Adagrad (Duchi, Hazan and Singer 2011, figure 1, diagonal form)."""
    params = list(params)
    return Adagrad(
        params,
        lr=lr,
        initial_accumulator_value=initial_accumulator,
        eps=eps,
        weight_decay=weight_decay,
        fused=_has_fused(params, ("cpu",)),  # torch has no fused kernel of it elsewhere
    )


def rmsprop(
    params: Iterable[nn.Parameter],
    *,
    lr: PositiveFloat = 1e-3,
    alpha: Probability = 0.99,
    eps: PositiveFloat = 1e-8,
    momentum: Probability = 0.0,
    centered: bool = False,
    weight_decay: NonNegativeFloat = 0.0,
) -> Optimizer:
    """RMSprop (Tieleman and Hinton 2012, lecture 6e); `centered`: Graves 2013, equations 38-41, arXiv:1308.0850."""
    return RMSprop(params, lr=lr, alpha=alpha, eps=eps, momentum=momentum, centered=centered, weight_decay=weight_decay)


def _has_fused(params: list[nn.Parameter], devices: tuple[str, ...] = ("cpu", "cuda")) -> bool:
    """Whether torch has fused kernels for all of these parameters: for none that lies in several processes."""
    return all(each.device.type in devices and each.is_floating_point() and not is_part(each) for each in params)
