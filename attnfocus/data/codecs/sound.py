"""What codecs of recordings have in common: frames of log-mel energies, several of which make a position.

Shapes: L positions, D numbers of a position, F frames, M mel bands. Arrays that are cut are (rows, columns, channels):
frames, 1, mel bands; or frames, mel bands, 1, where a position holds some of the mel bands alone.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.base import Codec, InputKind
from attnfocus.data.codecs.cells import PATCH_KEY, Cells, pair_of
from attnfocus.data.codecs.frames import Frames, Normalization
from attnfocus.data.codecs.log_mel import LogMel, SpecAugment
from attnfocus.data.reading.sound_files import seen_sound
from attnfocus.data.rows import Row
from attnfocus.data.text_blocks import TextBlock
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import DataError
from attnfocus.grid import Grid, Picture
from attnfocus.limits import NonNegativeInt, PositiveFloat, PositiveInt, Probability, Range

USUAL_FRAMES = 4  # of a position, where the model asks for no size
SHOWN_DEVIATIONS = 2.5  # above and below the mean, from black to white in a picture
SampleRate = Annotated[int, Range(ge=1000, le=384_000)]
MelBands = Annotated[int, Range(gt=0, le=512)]


class SoundCodec(Codec):
    """A recording: the path of a file, the bytes of one (uint8), or samples (N,) at `sample_rate`.

    It becomes frames of log-mel energies, and `model.input.patch_size` of them a position: k frames with all of their
    mel bands, or [k, m], k frames and m mel bands. In training parts are masked, as far as the options say.
    """

    input_kind: ClassVar[InputKind] = "sound"
    is_lazy: ClassVar[bool] = True
    frames: Frames
    cells: Cells

    # Rows as they are

    @classmethod
    def fits(cls, row: Row) -> bool:
        return isinstance(row.input, str) or row.input.ndim == 1

    @classmethod
    def is_clean(cls, block: TextBlock, options: CleanOptions) -> bool:
        return True  # a path is what it is

    @classmethod
    def input_key(cls, row: Row) -> Hashable:
        """A digest: of thousands of recordings all keys are held at once."""
        if isinstance(row.input, str):
            return seen_sound(Path(row.input)).digest
        return hashlib.blake2b(row.input.dtype.str.encode() + row.input.tobytes(), digest_size=16).digest()

    @classmethod
    def sizes(cls, row: Row) -> tuple[int, ...]:
        return (1,)  # limits of words are for texts

    @classmethod
    def fingerprint(cls, row: Row) -> bytes:
        known = repr((row.target, row.regions)).encode("utf-8", "surrogatepass")
        return cast(bytes, SoundCodec.input_key(row)) + known

    @classmethod
    def learn(
        cls,
        rows: Sequence[Row],
        tokenizer: TokenizerOptions,
        *,
        sample_rate: SampleRate = 16_000,
        n_mels: MelBands = 40,
        frame_ms: PositiveFloat = 25.0,
        hop_ms: PositiveFloat = 10.0,
        normalization: Normalization = "recording",
        time_masks: NonNegativeInt = 0,
        time_mask: Probability = 0.2,
        mel_masks: NonNegativeInt = 0,
        mel_mask: PositiveInt = 8,
    ) -> Self:
        """
        Args:
            sample_rate: samples a second that recordings of other rates are brought to.
            n_mels: mel bands of a frame.
            frame_ms: length of a frame in milliseconds.
            hop_ms: from the beginning of a frame to that of the next, in milliseconds.
            normalization: each mel band gets mean 0 and deviation 1 in each recording, or in train as a whole.
            time_masks: in training, how many parts of the frames are hidden.
            time_mask: the longest of them, as a share of the recording.
            mel_masks: in training, how many parts of the mel bands are hidden.
            mel_mask: the widest of them, in mel bands.
        """
        log_mel = LogMel(sample_rate, n_mels, frame_ms, hop_ms)
        masks = SpecAugment(time_masks, time_mask, mel_masks, min(mel_mask, n_mels))
        return cls.of_frames(Frames.learned(rows, log_mel, masks, normalization), rows, tokenizer)

    @classmethod
    @abstractmethod
    def of_frames(cls, frames: Frames, rows: Sequence[Row], tokenizer: TokenizerOptions) -> Self:
        """The codec with these frames, and what training rows say of the targets."""

    # What was learned

    def use(self, frames: Frames, cells: Cells | None = None) -> None:
        """Takes what was learned of the inputs; `cells`: None: the usual ones."""
        self.frames = frames
        self.cells = cells or _cells((None, 1, frames.log_mel.n_mels), (USUAL_FRAMES, 1))

    @classmethod
    def trial_grid(cls, patch_size: Any) -> Grid:
        given = USUAL_FRAMES if patch_size is None else patch_size
        if isinstance(given, int):
            return Grid(None, 1, (given, 1, 4))
        return Grid(None, 2, (*pair_of(PATCH_KEY, given), 1))

    def cut(self, patch_size: Any) -> Self:
        """One number: frames, with all of their mel bands; two: frames and mel bands.

        Raises:
            ConfigError: more mel bands than there are.
        """
        n_mels = self.frames.log_mel.n_mels
        if isinstance(patch_size, int):
            self.cells = _cells((None, 1, n_mels), (patch_size, 1))
        elif patch_size is not None:
            self.cells = _cells((None, n_mels, 1), (1, 1)).recut(patch_size)
        return self

    @property
    def grid(self) -> Grid:
        return self.cells.grid

    def lengths(self, row: Row) -> tuple[int, int]:
        return self.cells.num_positions(self.frames.num_frames(row)), 0

    def vectors(self, row: Row, generator: np.random.Generator | None = None) -> NDArray[np.float32]:
        """(L, D) of a row; with a generator it is masked at random.

        Raises:
            DataError: the recording cannot be read.
        """
        return self.cells.cut(self._array(self.frames.of(row, generator)))

    def _array(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """(F, M) -> (rows, columns, channels)."""
        return frames[:, np.newaxis] if self.cells.shape[1] == 1 else frames[:, :, np.newaxis]

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        """The second at which each position begins, and the part of the mel bands where there are several."""
        seconds, columns = self.cells.cell[0] * self.frames.log_mel.hop_ms / 1000, self.grid.columns
        places = (divmod(number, columns) for number, _ in enumerate(inputs))
        return [f"{row * seconds:.2f}" + (f",{column + 1}" if columns > 1 else "") for row, column in places]

    @property
    def input_unit(self) -> str:
        return "seconds" if self.grid.columns == 1 else "seconds and parts of the mel bands"

    def input_problem(self, row: Row) -> str | None:
        if not self.fits(row):
            return "no recording: an array of samples has one dimension"
        self.frames.size(row)  # raises, with the file's name, for what cannot be read
        return None

    def spans(self, row: Row) -> list[tuple[bool, ...]]:
        """For each region of a row, in samples of its recording, which positions lie in it."""
        count, columns = self.lengths(row)[0], self.cells.shape[1]
        regions = [(first, 0, last, columns) for first, last in self.frames.regions(row)]
        return [self.cells.touched([region], count) for region in regions]

    def rationale(self, row: Row) -> tuple[bool, ...] | None:
        return tuple(map(any, zip(*self.spans(row), strict=True))) if row.regions else None

    def picture(self, row: Row) -> Picture:
        """The spectrogram: time to the right, high frequencies at the top."""
        frames = self.frames.of(row)
        num_frames, n_mels = frames.shape
        shades = (frames / SHOWN_DEVIATIONS + 1) * 127.5
        pixels = np.ascontiguousarray(np.flip(shades.clip(0, 255).astype(np.uint8).T, axis=0))
        of_array = replace(self.cells, shape=(num_frames, *self.cells.shape[1:])).boxes()  # in frames and columns
        height = n_mels // self.cells.shape[1]  # pixels of a column
        top, left, bottom, right = of_array.T
        boxes = np.stack([n_mels - right * height, top, n_mels - left * height, bottom], axis=1)
        regions = tuple((0, first, n_mels, last) for first, last in self.frames.regions(row))
        return Picture(pixels, boxes, regions, name="spectrogram", parts="steps")

    # Files

    def saved(self) -> dict[str, Any]:
        """For the codec's file."""
        return {**self.cells.saved(), **self.frames.saved()}

    def load_inputs(self, content: Mapping[str, Any]) -> Self:
        """What `saved` gave.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        frames, cells = Frames.loaded(content), Cells.of(content)
        n_mels = frames.log_mel.n_mels
        if cells.shape not in ((None, 1, n_mels), (None, n_mels, 1)):
            raise ValueError("shape does not fit n_mels")
        self.use(frames, cells)
        return self


def _cells(shape: tuple[None, int, int], cell: tuple[int, int]) -> Cells:
    """Cells that change no number: frames are standardized already."""
    scale = np.stack([np.zeros(shape[2]), np.ones(shape[2])]).astype(np.float32)
    return Cells(shape, cell, scale)


def plain_path(text: str) -> str:
    """The path that a line of inputs names.

    Raises:
        DataError: it is empty.
    """
    path = text.strip()
    if not path:
        raise DataError("an empty line, where the path of a recording is needed.")
    return str(Path(path).expanduser())
