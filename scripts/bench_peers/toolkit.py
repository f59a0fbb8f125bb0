"""What every toolkit is told to do, through its own command line.

All: batches of 64 pairs, mean loss of the target tokens, gradients clipped at a norm of 1, a constant learning rate,
seed 1, no evaluation while training, the last checkpoint; decoding in batches of 32 of at most 60 tokens, scores
divided by the length.
rnn: bidirectional LSTM of 2 x 128, LSTM of 256 with input feeding, additive attention (fairseq's is bilinear),
embeddings of 256, dropout 0.3, Adam 1e-3. rnn_default_order: the same without input feeding (fairseq always has it).
transformer: 3 + 3 layers of 256, 4 heads, 1024, pre-norm, dropout 0.1, Adam 5e-4 (0.9, 0.98).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from child import Command
from corpus import Corpus


@dataclass(frozen=True)
class Job:
    """One thing to do with one toolkit.

    Attributes:
        folder: for everything that it writes.
        updates: optimizer steps.
        log_every: updates between lines of progress.
    """

    corpus: Corpus
    model: str
    python: Path
    folder: Path
    updates: int
    log_every: int

    @property
    def is_transformer(self) -> bool:
        return self.model == "transformer"

    def program(self, name: str) -> Path:
        """A command that was installed beside the toolkit's Python."""
        return self.python.parent / name


class Toolkit(ABC):
    """The commands of one toolkit. `many` and `few` are the files that it decodes: see `Decoding`."""

    name: ClassVar[str]

    def prepare(self, job: Job, many: Path, few: Path) -> list[Command]:
        """What must be run once before training."""
        return []

    @abstractmethod
    def train(self, job: Job) -> Command: ...

    @abstractmethod
    def decode(self, job: Job, beam: int, source: Path, output: Path) -> Command: ...

    def translations(self, output: Path) -> list[str]:
        """What `decode` wrote to `output`, in the order of the source."""
        return output.read_text(encoding="utf-8").removesuffix("\n").split("\n")
