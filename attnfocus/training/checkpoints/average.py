"""Means of weights: the exponential moving average of a run's steps, and the mean of its checkpoints."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from attnfocus.training.checkpoints.checkpoint import Checkpoint
from attnfocus.training.checkpoints.tensors import original_module


class Average:
    """a <- decay a + (1 - decay) w after each update   (Polyak and Juditsky 1992; as used by Tan and Le 2019, sec. 5)

    Evaluations and predictions use a; training goes on with w.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._averaged = AveragedModel(original_module(model), multi_avg_fn=get_ema_multi_avg_fn(decay))
        self._model = model

    @property
    def module(self) -> nn.Module:
        """The model with averaged weights."""
        module: nn.Module = self._averaged.module
        return module

    def update(self) -> None:
        self._averaged.update_parameters(original_module(self._model))

    def resume(self, num_updates: int) -> None:
        """After the averaged weights were loaded into `module`."""
        self._averaged.n_averaged.fill_(num_updates)


def mean_weights(checkpoints: Sequence[Checkpoint]) -> dict[str, Tensor]:
    """The mean of the weights of some checkpoints, summed in float64   (Vaswani et al. 2017, sec. 6.1)

    Of what are no real numbers, such as counts, those of the first checkpoint.

    Raises:
        CheckpointError: a checkpoint is damaged.
    """
    first = checkpoints[0].weights()
    sums = {name: tensor.double() for name, tensor in first.items() if tensor.is_floating_point()}
    for checkpoint in checkpoints[1:]:
        weights = checkpoint.weights()
        for name, total in sums.items():
            total += weights[name]
    return first | {name: (total / len(checkpoints)).to(first[name].dtype) for name, total in sums.items()}
