"""One TensorBoard event file that can be continued.

The usual writers start a new file each time; this one appends, so that a run directory has one file whatever
happens to the run. Every event reaches the file as soon as it is written, and a full disk is an OSError here and
now, not in a thread.
"""

import io
import os
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.custom_scalar import metadata as custom_scalar_metadata
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from attnfocus.regular_files import open_to_append, open_to_read, replace_file

LAYOUT_TAG = custom_scalar_metadata.CONFIG_SUMMARY_TAG


def find_event_file(run_dir: Path) -> Path | None:
    """The event file of a run directory; the newest when someone added another."""
    return max(run_dir.glob("events.out.tfevents.*"), default=None)


class EventFile:
    """Appends summaries to one event file.

    Args:
        run_dir: where it lies; it is created when there is none.
        drop_after_step: of a file that is there already, drop what was written after this step.
        drop_prefixes: and what has a tag that starts with one of these.
        drop_last_prefixes: the same, of what was written at `drop_after_step` alone.

    Attributes:
        has_charts: whether it says what the Custom Scalars page shows.
    """

    def __init__(
        self,
        run_dir: Path,
        drop_after_step: int | None = None,
        drop_prefixes: tuple[str, ...] = (),
        drop_last_prefixes: tuple[str, ...] = (),
    ) -> None:
        path = find_event_file(run_dir)
        self.has_charts = False
        if path is not None and drop_after_step is not None:
            kept = _kept_records(path, drop_after_step, drop_prefixes, drop_last_prefixes)
            replace_file(path, self._noted(kept))
        self.path = path or run_dir / f"events.out.tfevents.{int(time.time())}.attnfocus"
        self._file = open_to_append(self.path)
        if os.fstat(self._file.fileno()).st_size == 0:
            self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def _noted(self, records: Iterable[tuple[bytes, Event]]) -> Iterator[bytes]:
        """The bytes of records, one at a time, as pictures make a file large; notes whether one has the charts."""
        for record, event in records:
            self.has_charts = self.has_charts or any(value.tag == LAYOUT_TAG for value in event.summary.value)
            yield record

    def scalar(self, tag: str, value: float, step: int) -> None:
        self._add(Summary.Value(tag=tag, simple_value=float(value)), step)

    def image(self, tag: str, png: bytes, size: tuple[int, int], step: int) -> None:
        """Adds a picture; `size` is (width, height) in pixels."""
        width, height = size
        picture = Summary.Image(encoded_image_string=png, width=width, height=height, colorspace=4)
        self._add(Summary.Value(tag=tag, image=picture), step)

    def text(self, tag: str, markdown: str, step: int) -> None:
        content = markdown.encode("utf-8", "backslashreplace")
        one = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, string_val=[content], tensor_shape=one)
        metadata = text_metadata.create_summary_metadata(display_name="", description="")
        self._add(Summary.Value(tag=tag, tensor=tensor, metadata=metadata), step)

    def charts(self, layout: Layout, step: int) -> None:
        """What the Custom Scalars page shows. `step` says only what goes with it when a run is resumed."""
        tensor = TensorProto(dtype=DT_STRING, string_val=[layout.SerializeToString()], tensor_shape=TensorShapeProto())
        metadata = custom_scalar_metadata.create_summary_metadata()
        self._add(Summary.Value(tag=LAYOUT_TAG, tensor=tensor, metadata=metadata), step)
        self.has_charts = True

    def hparams(self, tag: str, content: HParamsPluginData) -> None:
        metadata: SummaryMetadata = hparams_metadata.create_summary_metadata(content)
        self._add(Summary.Value(tag=tag, metadata=metadata, tensor=hparams_metadata.NULL_TENSOR), 0)

    def close(self) -> None:
        self._file.close()

    def _add(self, value: Summary.Value, step: int) -> None:
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=[value])))

    def _write(self, event: Event) -> None:
        buffer = io.BytesIO()
        RecordWriter(buffer).write(event.SerializeToString())
        data = buffer.getvalue()
        while data:  # a raw file may take a part
            data = data[self._file.write(data) or 0 :]


def _kept_records(
    path: Path, last_step: int, drop_prefixes: tuple[str, ...], drop_last_prefixes: tuple[str, ...]
) -> Iterator[tuple[bytes, Event]]:
    """The records up to `last_step` whose tags start with none of the prefixes; a torn end is left out."""
    for record, event in _records(path):
        tags = [value.tag for value in event.summary.value]
        dropped = drop_prefixes + (drop_last_prefixes if event.step == last_step else ())
        if event.step <= last_step and not any(tag.startswith(dropped) for tag in tags):
            yield record, event


def _records(path: Path) -> Iterator[tuple[bytes, Event]]:
    """(length: uint64, its checksum: 4 bytes, data, its checksum: 4 bytes), as TensorFlow's record files have it."""
    with open_to_read(path) as file:
        while len(head := file.read(12)) == 12:
            (length,) = struct.unpack("<Q", head[:8])
            if length > os.fstat(file.fileno()).st_size:
                return
            rest = file.read(length + 4)
            if len(rest) < length + 4:
                return
            try:
                event = Event.FromString(rest[:-4])
            except DecodeError:
                return
            yield head + rest, event
