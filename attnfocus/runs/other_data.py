"""The data that an evaluation is over, where the command line names others than the run's configuration does.

Files that have moved stand in place of the old ones, and their rows are compared with those of then. A file of valid or
test is read by itself, whatever the run was trained on: its rows may be new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from attnfocus.config.check import Checker
from attnfocus.config.targets import make_factory
from attnfocus.data.codecs.base import Codec
from attnfocus.data.codecs.label import LabelCodec
from attnfocus.data.codecs.number import NumberCodec
from attnfocus.data.codecs.windows import WindowCodec
from attnfocus.data.preparation import NewRows, prepare_new
from attnfocus.data.reading.data_files import MissingFileError, find_files
from attnfocus.data.reading.utf_8_files import utf_8_note
from attnfocus.data.sources.files import LabelledText, ParallelText
from attnfocus.data.sources.media_files import ImageFiles, MediaFiles, SoundFiles
from attnfocus.data.sources.running_text import RunningText
from attnfocus.data.sources.series import SeriesFiles
from attnfocus.errors import ConfigError, DataError
from attnfocus.runs.assembly import Setup
from attnfocus.runs.config import RunConfig
from attnfocus.runs.given_files import FILE_KEYS
from attnfocus.signatures import parameters_of

SPLITS_ALONE = ("valid", "test")
Files = LabelledText | ParallelText | RunningText | MediaFiles | SeriesFiles
_MEDIA: dict[str, type[MediaFiles]] = {"image": ImageFiles, "sound": SoundFiles}


@dataclass(frozen=True)
class OtherData:
    """Keys of `dataset` that are given, without the section's name."""

    keys: Mapping[str, Any]

    def is_new(self, split: str) -> bool:
        """Whether the split has a file of its own on the command line, which is read by itself."""
        return split in SPLITS_ALONE and split in self.keys

    def moved(self, config: RunConfig) -> RunConfig:
        """The run's configuration with the keys that are given. Its `setup` refuses what its data set does not have."""
        return config.changed(dataset={**config.values["dataset"], **self.keys}) if self.keys else config

    def check(self, config: RunConfig) -> None:
        """Refuses what can be seen to be wrong before anything is loaded.

        Raises:
            ConfigError: empty values; or keys that the run's data set does not have, where no file is given that is
                read by itself.
        """
        empty = [key for key, value in self.keys.items() if value in ("", [])]
        if empty:
            raise ConfigError([f"dataset.{key}: is empty. Give a file: dataset.{key}=FILE." for key in empty])
        if self.keys and not any(map(self.is_new, SPLITS_ALONE)):
            self.moved(config).setup  # noqa: B018

    def new_rows(self, split: str, setup: Setup, codec: Codec) -> NewRows:
        """The rows of a file of `split`, read by the run's columns and encoding where it has some.

        Raises:
            ConfigError: keys that such files do not have, or a run that reads no texts.
            DataError: the file cannot be read.
        """
        source = self._source(split, setup, codec)
        try:
            raw = source.read_alone(split)
        except MissingFileError as error:
            raise DataError(
                f"{error.problem}\nGive a path that is absolute or relative to the current folder."
            ) from error
        notes = raw.notes
        if not isinstance(source, MediaFiles | SeriesFiles):
            notes = [*self._utf_8_notes(split, source.layout.encoding), *notes]
        return prepare_new(replace(raw, notes=notes), split, setup.data_options, codec)

    def _utf_8_notes(self, split: str, encoding: str) -> list[str]:
        """A warning where the first file of the split that is UTF-8 is read as the run's own, which are not."""
        if "encoding" in self.keys:
            return []
        given = [self.keys[key] for key in (split, f"{split}_target") if self.keys.get(key)]
        paths = [path for names in given for path in find_files(names, f"dataset.{split}")]
        notes = (utf_8_note(path, encoding, "dataset.encoding") for path in paths)
        return [note for note in notes if note is not None][:1]

    def _source(self, split: str, setup: Setup, codec: Codec) -> Files:
        if codec.input_kind == "vectors":
            raise ConfigError(f"dataset.{split}: this run reads vectors, which no file of texts holds.")
        kind: type[Files] = LabelledText if isinstance(codec, LabelCodec | NumberCodec) else ParallelText
        if isinstance(codec, LabelCodec) and codec.input_kind in _MEDIA:
            kind = _MEDIA[codec.input_kind]
        if codec.input_kind == "signal":
            kind = SeriesFiles
        if isinstance(codec, WindowCodec):
            kind = RunningText
        known = parameters_of(kind)
        not_own = [*FILE_KEYS, "reader"]  # the rules of reading are those of today
        own = {
            key: value for key, value in setup.config.dataset.component.items() if key in known and key not in not_own
        }
        given = {key: value for key, value in self.keys.items() if key not in FILE_KEYS}
        of_split = {key: value for key, value in self.keys.items() if key in (split, f"{split}_target")}
        # What a source is made with is its train; it is not read.
        node = {**own, **given, **of_split, "train": self.keys[split], "_target_": f"attnfocus.data.{kind.__name__}"}
        checker = Checker()
        checked = checker.component("dataset", node)
        if checked is None or checker.problems:
            raise ConfigError(checker.problems)
        source: Files = make_factory(checked)()
        if isinstance(codec, NumberCodec) and isinstance(source, LabelledText | SeriesFiles):
            return source.for_task("regression")
        return source
