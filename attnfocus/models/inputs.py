"""From vectors of positions, such as patches of an image, to what a model computes with (`model.input`).

Shapes: B batch, L positions, D_in numbers of a position's vector, D embed_dim, R x C the grid's rows and columns,
h x w x n the rows, columns and channels of a cell: D_in = h w n.
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Annotated, Any, ClassVar, Protocol

from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.projections import linear
from attnfocus.errors import Problem
from attnfocus.grid import Grid
from attnfocus.limits import NonNegativeInt, PositiveInt, Size
from attnfocus.marks import Before

PatchSize = PositiveInt | list[PositiveInt] | None  # of a cell: rows and columns, or one number for both


class InputFactory(Protocol):
    """Builds what reads vectors: `LinearInput`, `ConvolutionInput`, one of your own, or a `functools.partial` of one.

    A class of your own takes an option `patch_size` if its positions are cells that are cut for it: the data are cut
    so, and the grid that it is given tells how.
    """

    def __call__(self, *, input_dim: int, embed_dim: int, grid: Grid | None) -> nn.Module: ...


class LinearInput(nn.Linear):
    """Each position's vector through one matrix, with a bias   (patches: Dosovitskiy et al. 2021, eq. 1,
    arXiv:2010.11929)

    Args:
        input_dim, embed_dim, grid: given by the model.
        patch_size: what a position holds of an image or a sound: rows and columns, or one number for both. None: as the
            data suggest; of an image at most 8 x 8 patches.
    """

    needs_grid: ClassVar[bool] = False

    def __init__(self, *, input_dim: int, embed_dim: int, grid: Grid | None, patch_size: PatchSize = None) -> None:
        super().__init__(input_dim, embed_dim)
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, vectors: Tensor, mask: Tensor | None = None) -> Tensor:
        """vectors (B, L, D_in), 0 at padding -> (B, L, D). mask (B, L) is True at real positions."""
        return super().forward(vectors)


class ConvolutionInput(nn.Module):
    """Convolutions over the whole image, whose strides come to a cell: one vector for each

    As the stem of Xiao et al. 2021 (sec. 4, arXiv:2106.14881), with layer normalization over the channels of each place
    where theirs is over the batch.

    The size of a cell is taken apart into primes, one for each convolution with that stride, whose kernel is as wide as
    needed to overlap (3 for a stride of 1 or 2, 2 s - 1 beyond). Layer normalization and GELU follow each. The channels
    double from one to the next, up to `embed_dim`; a last one of kernel 1 is linear. Beyond the edge, and beyond the
    end of a shorter input, there are zeros: padding changes nothing.

    Args:
        input_dim, embed_dim, grid: given by the model.
        patch_size: rows and columns of a cell, or one number for both. None: as the data suggest.
        width: channels of the first convolution. None: so that the last has embed_dim.
        num_plain: convolutions of stride 1 before the first that strides.

    Raises:
        ValueError: inputs that are on no grid.
    """

    needs_grid: ClassVar[bool] = True

    def __init__(
        self,
        *,
        input_dim: int,
        embed_dim: int,
        grid: Grid | None,
        patch_size: PatchSize = None,
        width: Size | None = None,
        num_plain: NonNegativeInt = 1,
    ) -> None:
        super().__init__()
        if grid is None:
            raise ValueError(NO_GRID)
        assert input_dim == grid.input_dim
        self.grid = grid
        self._strides = strides = _strides(grid, num_plain)
        first = max(8, embed_dim >> len(strides) - 1) if width is None else width
        sizes = [grid.cell[2], *(min(embed_dim, first << depth) for depth in range(len(strides)))]
        is_flat = grid.columns * grid.cell[1] == 1
        self.stages = nn.ModuleList(
            _Stage(before, after, stride, is_flat=is_flat)
            for before, after, stride in zip(sizes, sizes[1:], strides, strict=False)
        )
        self.output = linear(sizes[-1], embed_dim)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """vectors (B, L, D_in), 0 at padding -> (B, L, D). mask (B, L) is True at real positions."""
        height, width, channels = self.grid.cell
        columns = self.grid.columns
        cells = vectors.unflatten(-1, (height, width, channels)).unflatten(1, (-1, columns))  # (B, R, C, h, w, n)
        image = cells.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)  # (B, n, R h, C w)
        rows = mask[:, ::columns]  # (B, R): padding stands behind whole rows
        size = height
        for stage, (down, _) in zip(self.stages, self._strides, strict=True):
            size //= down
            image = stage(image) * rows.repeat_interleave(size, dim=1)[:, None, :, None]
        return self.output(image.flatten(2).transpose(1, 2))  # (B, R C, D)


class _Stage(nn.Module):
    """A convolution, layer normalization over the channels of each place, and GELU: (B, n, rows, columns)."""

    def __init__(self, before: int, after: int, stride: tuple[int, int], *, is_flat: bool) -> None:
        super().__init__()
        kernel = (max(3, 2 * stride[0] - 1), 1 if is_flat else max(3, 2 * stride[1] - 1))
        padding = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2)
        self.convolution = nn.Conv2d(before, after, kernel, stride, padding)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        assert self.convolution.bias is not None
        nn.init.zeros_(self.convolution.bias)
        self.norm = nn.LayerNorm(after)

    def forward(self, image: Tensor) -> Tensor:
        normed = self.norm(self.convolution(image).movedim(1, -1))
        return F.gelu(normed).movedim(-1, 1)


# The option of a model. Runs of before knew no other way.
InputOption = Annotated[InputFactory, Before({"_target_": "attnfocus.models.LinearInput", "patch_size": None})]

NO_GRID = Problem(
    "input=convolution is for images and sounds, whose positions are cells of a grid. Use model/input=linear.",
    "model/input",
    ["model/input=linear"],
)


def text_input_problem(factory: Callable[..., Any]) -> Problem | None:
    """Why what reads vectors makes no sense for token ids, which are read by a table; None: it plays no part."""
    options: dict[str, Any] = {}
    while isinstance(factory, partial):
        options, factory = {**factory.keywords, **options}, factory.func
    if getattr(factory, "needs_grid", False):
        return NO_GRID
    if options.get("patch_size") is not None:
        key = "model.input.patch_size"
        text = (
            f"input.patch_size={options['patch_size']} is for images and sounds, whose inputs are cut. Use {key}=null."
        )
        return Problem(text, key, [])
    return None


def _strides(grid: Grid, num_plain: int) -> list[tuple[int, int]]:
    """The strides of the convolutions, rows and columns, whose products are the cell."""
    down, right = (_primes(size) for size in grid.cell[:2])
    count = max(len(down), len(right))
    down, right = ([1] * (count - len(each)) + each for each in (down, right))
    strides = [(1, 1)] * num_plain + list(zip(down, right, strict=True))
    strides = strides or [(1, 1)]
    assert prod(stride[0] for stride in strides) == grid.cell[0]
    return strides


def _primes(size: int) -> list[int]:
    """Whose product it is, in descending order."""
    found, factor = [], 2
    while size > 1:
        while size % factor == 0:
            found.append(factor)
            size //= factor
        factor += 1
    return found[::-1]
