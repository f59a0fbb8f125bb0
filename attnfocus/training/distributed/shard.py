"""How several processes hold one model: each the whole of it (DDP), or each a part (FSDP2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from attnfocus.models.base import Layer


def replicated(model: nn.Module, device: torch.device) -> nn.Module:
    """The model in DDP (Li et al. 2020, arXiv:2006.15704), with its own attributes to be seen through it."""
    from torch.nn.parallel import DistributedDataParallel

    class Replicated(DistributedDataParallel):
        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.module, name)

    devices = [device.index or 0] if device.type == "cuda" else None
    return Replicated(model, device_ids=devices, gradient_as_bucket_view=True)


def shard(model: nn.Module, device: torch.device, num_processes: int) -> None:
    """Leaves of each weight one part here, in place: FSDP2 (Zhao et al. 2023, arXiv:2304.11277).

    Layers are put together one at a time, when their turn comes; all else while the model runs. A layer is a module
    of class `Layer`, whose `called_apart` names what is called besides its `forward`: its parts, and their methods.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (num_processes,))
    for module in list(model.modules()):
        if not isinstance(module, Layer):
            continue
        for name, methods in module.called_apart.items():
            fully_shard(getattr(module, name), mesh=mesh)
            for method in methods:
                register_fsdp_forward_method(getattr(module, name), method)
        fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)


def is_part(tensor: Tensor) -> bool:
    """Whether the tensor's numbers lie in several processes."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """All numbers of a tensor; all processes must ask together if they lie in several."""
    found: Tensor = tensor.full_tensor() if is_part(tensor) else tensor  # type: ignore[attr-defined]
    return found


def parted_as(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, cut as another one is."""
    if not is_part(other):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    place: Any = other
    return distribute_tensor(tensor.to(other.device), place.device_mesh, place.placements, src_data_rank=None)
