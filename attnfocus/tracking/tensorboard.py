"""The run in TensorBoard: scalars, attention maps, predictions, and options to compare runs by."""

import math
import re
import time
from typing import TYPE_CHECKING, Literal

from attnfocus.events import Evaluated, Listener, Progress, RolledBack, Sample, TrainingEnded, TrainingStarted
from attnfocus.redaction import hide
from attnfocus.tracking.metrics_file import logged_heads
from attnfocus.tracking.scalars import best_scalars, evaluation_scalars, progress_scalars
from attnfocus.visible import visible

if TYPE_CHECKING:
    from attnfocus.tracking.event_file import EventFile

NEW_TAGS = ("_hparams_/", "test/", "focus/test/", "attention/test/", "samples/test")  # written anew by a resumed run
EVALUATION_TAGS = ("valid/", "focus/valid/", "attention/valid/", "samples/valid", "best/")


class TensorBoard(Listener):
    """Writes one event file into the run directory; no other file and no sub-directory.

    | tag | what |
    |---|---|
    | `train/loss`, `train/lr`, `train/grad_norm`, `train/words_per_second` | each logged step |
    | `train/penalty`, `train/penalty/<regularizer>` | what regularizers add; `train/loss` is without it |
    | `<split>/<metric>` | each evaluation: `valid/bleu`, `test/loss` |
    | `focus/<split>/<measure>` | how focused the attention is: `focus/valid/effective_positions` |
    | `focus/<split>/<attention>/head<h>/<measure>` | the same of each head: `focus/valid/layers.0/head2/distance` |
    | `best/<metric>` | the monitored metric, each time that it is better than before |
    | `attention/<split>/<attention>/<sample>` | images |
    | `samples/<split>` | a table of predictions |

    The HParams page compares runs by their options and by any of these scalars. No list of either is written: from
    a list TensorBoard would take that of one run for all, without one it joins what the runs have.

    The options are there from the start, also of a run that fails, and the run ends on that page when this is closed,
    after the test metrics.

    Of a run that is resumed, what it wrote after the step of the checkpoint, and of the test split, is dropped from
    the file, and the file is continued. An evaluation of that very step goes too if the checkpoint does not know it:
    it comes again.
    """

    def __init__(self) -> None:
        self._run: TrainingStarted | None = None
        self._append_from_step: int | None = None
        self._is_evaluated = True
        self._has_ended = False
        self._file: EventFile | None = None
        self._session: Literal["none", "started", "ended"] = "none"

    def on_start(self, event: TrainingStarted) -> None:
        self._run, self._append_from_step, self._is_evaluated = event, event.resumed_from, event.is_evaluated
        self._open()

    def on_progress(self, event: Progress) -> None:
        if event.is_logged:
            file = self._open()
            for tag, value in progress_scalars(event).items():
                file.scalar(tag, value, event.step)

    def on_evaluation(self, event: Evaluated) -> None:
        file = self._open()
        for tag, value in evaluation_scalars(event).items():
            file.scalar(_tag(tag), value, event.step)
        for attention, measures in logged_heads(event.heads).items():
            for measure, values in measures.items():
                for head, value in enumerate(values):
                    file.scalar(_tag(f"focus/{event.split}/{attention}/head{head}/{measure}"), value, event.step)
        for tag, value in best_scalars(event).items():
            file.scalar(_tag(tag), value, event.step)
        for sample in event.samples:
            self._draw(sample, event)
        if event.samples:
            file.text(_tag(f"samples/{event.split}"), samples_table(event.samples), event.step)

    def on_rollback(self, event: RolledBack) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._append_from_step, self._is_evaluated, self._session = event.step, event.is_evaluated, "none"

    def on_end(self, event: TrainingEnded) -> None:
        self._has_ended = True

    def close(self) -> None:
        file, self._file, self._run = self._file, None, None
        if file is None:
            return
        try:
            self._end_session(file, succeeded=self._has_ended)
        finally:
            file.close()

    def _open(self) -> "EventFile":
        if self._file is None:
            from attnfocus.tracking.event_file import EventFile

            if self._run is None:
                raise ValueError("an event file is written between the start of a run and its end")
            last_step = () if self._is_evaluated else EVALUATION_TAGS
            self._file = EventFile(self._run.run_dir, self._append_from_step, NEW_TAGS, last_step)
            self._start_session(self._file, self._run)
        return self._file

    def _draw(self, sample: Sample, event: Evaluated) -> None:
        from attnfocus.display.figures import heat_map, to_png

        for name, weights in sample.weights.items():
            if weights.size == 0:
                continue  # an empty prediction looked nowhere
            title = f"{name}   sample {sample.id}   step {event.step:,}"
            figure = heat_map(weights, sample.query_tokens.get(name, ()), sample.key_tokens, title)
            png, width, height = to_png(figure)
            self._open().image(_tag(f"attention/{event.split}/{name}/{sample.id}"), png, (width, height), event.step)

    def _start_session(self, file: "EventFile", run: TrainingStarted) -> None:
        if not run.facts.options or self._session != "none":
            return
        from tensorboard.plugins.hparams import metadata, plugin_data_pb2

        info = plugin_data_pb2.SessionStartInfo(start_time_secs=time.time())
        for key, value in run.facts.options.items():
            if isinstance(value, bool):
                info.hparams[key].bool_value = value
            elif isinstance(value, int | float) and math.isfinite(value):
                info.hparams[key].number_value = value
            else:
                info.hparams[key].string_value = "none" if value is None else visible(str(value))
        self._session = "started"
        file.hparams(metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=info))

    def _end_session(self, file: "EventFile", succeeded: bool) -> None:
        if self._session != "started":
            return
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        self._session = "ended"
        status = api_pb2.STATUS_SUCCESS if succeeded else api_pb2.STATUS_FAILURE
        info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        file.hparams(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=info))


def samples_table(samples: tuple[Sample, ...]) -> str:
    """A markdown table of what was given, wanted and predicted."""
    lines = ["| id | source | target | prediction |", "|---|---|---|---|"]
    lines += [
        f"| {_cell(sample.id)} | {_cell(sample.source)} | {_cell(sample.target)} | {_cell(sample.prediction)} |"
        for sample in samples
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """The text so that nothing in it is taken for markup."""
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|.-])", r"\\\1", visible(hide(text)))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") or "∅"


def _tag(name: str) -> str:
    return re.sub(r"[^\w./-]", "_", name)
