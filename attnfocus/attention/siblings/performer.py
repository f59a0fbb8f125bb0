"""Performer attention. Shapes: ... leading dims and heads, N queries or keys, d size of one head, m features."""

import math
from typing import Unpack

import torch
from torch import Tensor

from attnfocus.attention.keywords import KernelKeywords
from attnfocus.attention.siblings.kernel import KernelAttention, Side
from attnfocus.limits import NonNegativeInt, Size


class Performer(KernelAttention):
    """phi(x) = exp(w . x' - |x'|^2 / 2) / sqrt(m) for m random directions w,  x' = x / d^(1/4)

    FAVOR+ (Choromanski et al. 2021, sec. 2.3, Lemma 1, arXiv:2009.14794): the mean of phi(q) . phi(k) over random w is
    exp(q . k / sqrt(d)), so the weights come near to those of scaled_dot with softmax as m grows. The w are positive
    orthogonal random features (sec. 2.4): d at a time at right angles to each other, each as long as a vector of d
    normal numbers. `directions` (m, d) is drawn once from the seed, shared by the heads, saved with the model, and not
    drawn again in training.

    Args:
        num_features: m.
        seed: of the directions.
    """

    directions: Tensor

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        num_features: Size = 256,
        seed: NonNegativeInt = 0,
        **options: Unpack[KernelKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        self.num_features, self.seed = num_features, seed
        directions = orthogonal_directions(num_features, self.query_head_dim, seed)
        # Drawn on the CPU, where a seed means the same numbers everywhere, also under another default device.
        self.register_buffer(
            "directions", directions.to(device=torch.get_default_device(), dtype=torch.get_default_dtype())
        )

    def features(self, vectors: Tensor, side: Side) -> Tensor:
        vectors = vectors * vectors.shape[-1] ** -0.25
        along = vectors @ self.directions.to(vectors.dtype).mT
        return (along - vectors.square().sum(dim=-1, keepdim=True) / 2) / math.log(2)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, num_features={self.num_features}, seed={self.seed}"


def orthogonal_directions(num_features: int, size: int, seed: int) -> Tensor:
    """(num_features, size) in float64 on the CPU: normal rows, orthogonal within each block of `size`."""
    generator = torch.Generator("cpu").manual_seed(seed)
    blocks = -(-num_features // size)
    normal = torch.randn(blocks, size, size, generator=generator, dtype=torch.float64, device="cpu")
    orthogonal, triangle = torch.linalg.qr(normal)
    # With the signs of the triangle, the orthogonal matrices are uniform over all of them (Mezzadri 2007).
    orthogonal = orthogonal * triangle.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    lengths = torch.randn(blocks * size, size, generator=generator, dtype=torch.float64, device="cpu").norm(dim=-1)
    return (orthogonal.mT.flatten(0, 1) * lengths.unsqueeze(-1))[:num_features]
