"""What turns rows into numbers and back: the contract of a codec. It is saved with the run, to be usable alone."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.clean import CleanOptions
from attnfocus.data.gold import TokenLinks
from attnfocus.data.rows import Row, row_key
from attnfocus.data.split import SplitOptions
from attnfocus.data.text_blocks import TextBlock
from attnfocus.data.text_rows import SAME_INPUT
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.data.tokens.tokenizer_file import read_json
from attnfocus.errors import CheckpointError, ConfigError, DataError, Problem
from attnfocus.grid import Grid, Picture
from attnfocus.regular_files import replace_file

InputKind = Literal["text", "vectors", "image", "sound", "signal"]
FILE_KINDS: tuple[InputKind, ...] = ("image", "sound", "signal")  # an input of these may be the path of a file
FORMAT_VERSION = 1
CODEC_FILE = "codec.json"


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One example in numbers.

    Args:
        inputs: token ids (L,) int64, without BOS and EOS, or vectors (L, D) float32. L may be 0.
        targets: ids (T,) int64, such as tokens from BOS to EOS; the number of the class; or a number that is measured.
        num_words: words of source and target, for throughput; of vectors, the positions.
        row: where it came from.
        target_count: how many targets the loss sums over; None: 1 for a class or
            number, T - 1 for ids, which begin with BOS.
    """

    id: str
    inputs: NDArray[Any]
    targets: NDArray[np.int64] | int | float
    num_words: int
    row: Row
    target_count: int | None = None

    @property
    def num_targets(self) -> int:
        if self.target_count is not None:
            return self.target_count
        return len(self.targets) - 1 if isinstance(self.targets, np.ndarray) else 1


class Codec(ABC):
    """The modality of a data set: what its rows are, and how they become numbers. A class of your own derives from it.

    Class methods look at rows before anything is learned; `learn` makes the codec from the training rows; the other
    methods use what was learned.

    Attributes:
        kind: its name in codec.json.
        input_kind: what the positions of an input are, for pages and figures: tokens of a text, vectors, patches of
            an image, frames of a sound, or steps of a signal.
        is_lazy: True: rows are encoded when a batch is made, in the worker processes too, and `encode` may draw from
            its generator (augmentation). False: all rows are encoded once, before training.
    """

    kind: ClassVar[str]
    input_kind: ClassVar[InputKind] = "text"
    is_lazy: ClassVar[bool] = False

    @classmethod
    def for_task(cls, task: str) -> type[Codec]:
        """The codec of the same inputs with targets for a task (`regression`); itself where there is no other."""
        return cls

    # Rows as they are

    @classmethod
    @abstractmethod
    def fits(cls, row: Row) -> bool:
        """Whether the row's input is of this modality."""

    @classmethod
    def clean(cls, row: Row, options: CleanOptions) -> Row:
        """The row as it is used. An input that is no text stays as it is."""
        return row

    @classmethod
    def has_content(cls, row: Row) -> bool:
        """Whether anything is there to learn from; rows without are left out of every split."""
        return len(row.input) > 0 and bool(row.target.strip())

    @classmethod
    def input_key(cls, row: Row) -> Hashable:
        """Equal exactly for rows with the same input, letter by letter."""
        return row_key(row)

    @classmethod
    def input_keys(cls, rows: Iterable[Row], tokenizer: TokenizerOptions) -> Callable[[Row], Hashable]:
        """What is equal exactly for those of the rows whose input the model sees as the same.

        Such rows never sit in two splits.
        """
        return cls.exact_keys()

    @classmethod
    def exact_keys(cls) -> Callable[[Row], Hashable]:
        """`input_key`, in a form for which no row of texts has to be made where it is the input itself."""
        return SAME_INPUT if cls.has_plain_keys() else cls.input_key

    @classmethod
    def has_plain_keys(cls) -> bool:
        """Whether `input_key` is that of all codecs, the input itself, and no class has changed it."""
        return cls.input_key.__func__ is Codec.input_key.__func__  # type: ignore[attr-defined]

    @classmethod
    def is_clean(cls, block: TextBlock, options: CleanOptions) -> bool:
        """Whether all rows of a block are known to be as `clean` makes them and to have content, without a look."""
        return False

    @classmethod
    def label(cls, row: Row) -> str | None:
        """The class of the row, whose share is alike in all splits that are drawn from train; None: there are none."""
        return None

    @classmethod
    def sizes(cls, row: Row) -> tuple[int, ...]:
        """What limits of length count, of the input and, where it has a length, of the target: words or positions."""
        return (len(row.input),)

    @classmethod
    def fingerprint(cls, row: Row) -> bytes:
        """Bytes that differ where rows differ in what is learned from: not in their names alone."""
        if isinstance(row.input, str):
            return repr((row.input, row.target)).encode("utf-8", "surrogatepass")
        head = repr((row.input.shape, row.input.dtype.str, row.target))
        return head.encode("utf-8", "surrogatepass") + row.input.tobytes()

    @classmethod
    def named_fingerprint(cls, row: Row) -> bytes:
        """The same with the row's name, as runs of before have it; a codec of one's own says it as it always did."""
        if cls.fingerprint.__func__ is not Codec.fingerprint.__func__:  # type: ignore[attr-defined]
            return cls.fingerprint(row)
        if isinstance(row.input, str):
            return repr((row.id, row.input, row.target)).encode("utf-8", "surrogatepass")
        head = repr((row.id, row.input.shape, row.input.dtype.str, row.target))
        return head.encode("utf-8", "surrogatepass") + row.input.tobytes()

    @classmethod
    @abstractmethod
    def learn(cls, rows: Sequence[Row], tokenizer: TokenizerOptions) -> Codec:
        """The codec that the training rows ask for. At least one row.

        Further keyword parameters are options that a data set's YAML gives beside the codec's `_target_`.

        Raises:
            DataError: there is nothing to learn from these rows.
        """

    @classmethod
    def option_problems(
        cls, clean: CleanOptions, split: SplitOptions, tokenizer: TokenizerOptions
    ) -> list[str | Problem]:
        """What of a data set's options makes no sense for these rows: `key: problem. The way out.`"""
        return []

    @classmethod
    def longest_input(cls, options: Mapping[str, Any]) -> int | None:
        """The most positions of an example, where that follows from the options of `learn`; None: from the data."""
        return None

    @classmethod
    def trial_grid(cls, patch_size: Any) -> Grid | None:
        """Any small grid of cells of this size, as a trial model is built with before there are data; None: no grid."""
        return None

    # What was learned

    @property
    def grid(self) -> Grid | None:
        """How the positions of every input lie, for models that take a `grid`; None: in a row, which is all."""
        return None

    def cut(self, patch_size: Any) -> Codec:
        """Called once it is learned, before anything is encoded: the size of a cell that `model.input.patch_size` asks
        for, a number or rows and columns; None: nothing is asked for.

        Raises:
            ConfigError: its inputs are not cut, or not so.
        """
        if patch_size is not None:
            key = "model.input.patch_size"
            text = f"{key}={patch_size}: is for images and sounds, and the inputs here are {self.input_kind}. Use null."
            raise ConfigError(Problem(text, key, []))
        return self

    @abstractmethod
    def dims(self) -> dict[str, int | None]:
        """The sizes that a model's constructor needs, by the names of its parameters."""

    def encode_rows(self, rows: Sequence[Row]) -> Sequence[Encoded]:
        """Many rows at once, without augmentation.

        Raises:
            DataError: a row that does not fit: an unknown label, vectors of the wrong size.
        """
        return [self.encode(row) for row in rows]

    def encode(self, row: Row, generator: np.random.Generator | None = None) -> Encoded:
        """One row. With a generator, which is a function of (seed, epoch, row), it may be augmented.

        A codec gives `encode`, or `encode_rows` where many at once are faster.
        """
        return self.encode_rows([row])[0]

    def lengths(self, row: Row) -> tuple[int, int]:
        """Positions of the input, and of the target (0 for a class), of a lazy codec without encoding the row."""
        raise NotImplementedError(f"{type(self).__name__} is lazy, so it has to tell lengths")

    @abstractmethod
    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """One input of `predict` or `inspect`, without a target; a text is cleaned as those of the data set were.

        Raises:
            DataError: the text stands for no input of this kind.
        """

    @abstractmethod
    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        """One label per position of the input, for display: tokens, `row,column` of a patch, seconds of a frame."""

    @property
    def input_unit(self) -> str | None:
        """What the numbers that `input_tokens` gives count, for the name of an axis; None: labels need no unit."""
        return None

    def input_problem(self, row: Row) -> str | None:
        """Why the model cannot read the row's input, to follow `dataset: train row 7 is`; None if it can."""
        return None if self.fits(row) else "of another kind than what the model reads"

    def is_known(self, target: str) -> bool:
        """Whether a row with this target can be encoded, so that the model can be right about it."""
        return True

    def check(self, split: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
        """Makes sure that the model can read these rows. `notes` of the source may say why not.

        Raises:
            DataError: the first row that it cannot read, or the labels that it does not know.
        """
        for row in rows:
            problem = self.input_problem(row)
            if problem is not None:
                raise DataError(f"dataset: {split} row {row.id} is {problem}.")

    def tokenizers(self) -> Mapping[str, Tokenizer]:
        """Of each side (source, target) with a vocabulary of tokens."""
        return {}

    def links(self, row: Row) -> TokenLinks | None:
        """The row's known alignment between positions of target and input; None: none is known."""
        return None

    def rationale(self, row: Row) -> tuple[bool, ...] | None:
        """For each position of the input whether people name it as evidence; None: that is not known."""
        return None

    def picture(self, row: Row) -> Picture | None:
        """What the weights of the row's positions are drawn over; None: they are shown beside `input_tokens`."""
        return None

    # Files

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write what `load_codec` reads into a folder that exists."""

    @classmethod
    @abstractmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> Codec:
        """The codec from what `save` wrote; `content` is its main file. Called by `load_codec`.

        Raises:
            KeyError, TypeError, ValueError: the content is damaged.
        """

    def write(self, directory: Path, **content: Any) -> None:
        """The main file, with what `load` needs."""
        content = {"format_version": FORMAT_VERSION, "kind": self.kind, **content}
        replace_file(directory / CODEC_FILE, json.dumps(content, ensure_ascii=False).encode())


def load_codec(directory: Path, codecs: Sequence[type[Codec]]) -> Codec:
    """The codec that `save` wrote. Nothing in the files is executed.

    Args:
        codecs: the classes that it may be of: those of the task, or the data set's own.

    Raises:
        CheckpointError: a file is missing, damaged, of a newer format, or of another kind.
    """
    path = directory / CODEC_FILE
    content = read_json(path, FORMAT_VERSION)
    kinds = {codec.kind: codec for codec in codecs}
    try:
        kind = content["kind"]
        if not isinstance(kind, str) or kind not in kinds:
            raise ValueError(f"kind is not {' or '.join(kinds)}")
        return kinds[kind].load(directory, content)
    except CheckpointError:
        raise
    except KeyError as error:
        raise CheckpointError(f"{path}: damaged: {error} is missing. Use an undamaged copy.") from error
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged: {error}. Use an undamaged copy.") from error
