"""What training minimizes where a model predicts tokens.

Shapes: B examples, T positions.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.models.outputs import SequenceOutput
from attnfocus.special import PAD
from attnfocus.tasks.cross_entropy import linear_cross_entropy
from attnfocus.tasks.evaluation import at_least_float32
from attnfocus.tasks.perturbation import r_drop_loss


def token_loss(
    output: SequenceOutput, expected: Tensor, num_targets: int, *, label_smoothing: float, r_drop: float
) -> Tensor:
    """The sum over the tokens expected (B, T), where PAD expects nothing.

    Args:
        num_targets: how many are no PAD, so that nothing waits for the device.
        r_drop: alpha; above 0 the examples are those of `perturbation.twice`.
    """
    expected = expected.flatten()
    real = torch.nonzero_static(expected != PAD, size=num_targets).squeeze(1)
    readout, expected = output.readout.flatten(0, 1)[real], expected[real]
    layer = (output.output_weight, output.output_bias)
    if not r_drop:
        return linear_cross_entropy(readout, *layer, expected, label_smoothing)
    logits = at_least_float32(F.linear(readout, *layer))
    losses = F.cross_entropy(logits, expected, reduction="none", label_smoothing=label_smoothing)
    return r_drop_loss(losses, logits, r_drop)
