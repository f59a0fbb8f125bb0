"""Sigma-reparametrization: linear layers whose spectral norm is a number of its own, against collapsing attention."""

from collections import Counter
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

FIRST_ITERATIONS = 15  # of the power method, before training


class SigmaReparametrization(nn.Module):
    """W' = gamma / sigma(W) W   (Zhai et al. 2023, sec. 3, arXiv:2303.06296)

    sigma(W), the largest singular value, is followed by one power iteration at each forward pass in training (Miyato
    et al. 2018, arXiv:1802.05957); gamma is learned and starts at 1. Attention logits are bounded by the spectral norms
    of the projections that make them, and the entropy of the weights falls exponentially with that bound (theorem 3.1).

    Cost: two products of the matrix with a vector in each pass, and one vector.
    """

    left: Tensor  # (outputs,): approaches the left singular vector of sigma

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.gamma = nn.Parameter(weight.new_ones(()))
        self.register_buffer("left", F.normalize(weight.new_ones(len(weight)), dim=0))
        with torch.no_grad():
            for _ in range(FIRST_ITERATIONS):
                self._iterate(weight)

    def forward(self, weight: Tensor) -> Tensor:
        """weight (outputs, inputs) -> the same, scaled."""
        with _in_full_precision(weight.device):
            with torch.no_grad():
                if self.training:
                    self._iterate(weight)
                left = F.normalize(self.left, dim=0)  # a copy; a mean of several runs' vectors is no unit vector
                right = F.normalize(left @ weight, dim=0)
            return weight * (self.gamma / (left @ weight @ right))

    def _iterate(self, weight: Tensor) -> None:
        self.left.copy_(F.normalize(weight @ F.normalize(self.left @ weight, dim=0), dim=0))


def _in_full_precision(device: torch.device) -> AbstractContextManager[object]:
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def sigma_reparametrize(model: nn.Module) -> list[str]:
    """Gives every linear layer of a model a `SigmaReparametrization`, in place; draws no random numbers.

    Left out are matrices that are shared, such as an output layer that is also the table of embeddings; recurrent
    layers, tables, and parameters of a score itself (`additive`, `general`) are no linear layers.

    Returns:
        The names of the layers.

    Raises:
        ValueError: the model has no such layer.
    """
    uses = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and uses[id(module.weight)] == 1
    }
    if not found:
        raise ValueError("this model has no linear layer of its own to reparametrize. Use false.")
    for layer in found.values():
        parametrize.register_parametrization(layer, "weight", SigmaReparametrization(layer.weight))
    return list(found)
