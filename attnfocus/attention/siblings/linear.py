"""Linear attention. Shapes: ... leading dims and heads, N queries or keys, d size of one head."""

import math

import torch
from torch import Tensor

from attnfocus.attention.siblings.kernel import KernelAttention


class LinearAttention(KernelAttention):
    """phi(x) = elu(x) + 1   (Katharopoulos et al. 2020, eq. 7, arXiv:2006.16236), in `KernelAttention`

    elu(x) + 1 is x + 1 where x > 0 and e^x elsewhere; queries and keys are not scaled. f = d.
    """

    def log_features(self, vectors: Tensor) -> Tensor:
        # relu has slope 0 at 0 and clamp slope 1, so that together they have the 1 of elu there.
        return torch.log1p(vectors.relu()) / math.log(2) + vectors.clamp(max=0) / math.log(2)
