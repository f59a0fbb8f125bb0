"""What a test of weights may cost at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Beyond it a test is made on fewer examples, which is told. None of it depends on the speed of a machine.

    Attributes:
        examples: where their number is not given.
        chunk: examples that are computed together.
        outputs: of a chunk together, for what costs some passes each.
        work: positions read by the test that the verdict rests on, all passes together.
        cells: positions read for leave-one-out in a chunk: K inputs of K - 1 positions for each example.
        positions, scores: read and answered at once by the search for other weights: 60 passes.
        pairs: examples of a chunk times squared length, where weights are those of self-attention.
    """

    examples: int = 512
    chunk: int = 64
    outputs: int = 256
    work: int = 2**23
    cells: int = 2**20
    positions: int = 2**13
    scores: int = 2**22
    pairs: int = 2**22


USUAL_SIZES = Sizes()
