"""The run in TensorBoard: scalars, attention maps, predictions, and options to compare runs by."""

import math
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from attnfocus.events import Evaluated, Listener, Progress, RolledBack, Sample, TrainingEnded, TrainingStarted
from attnfocus.layout import METRICS_FILE
from attnfocus.tracking.curve_charts import chart_layout
from attnfocus.tracking.head_history import HeadHistory
from attnfocus.tracking.metrics_file import logged_heads
from attnfocus.tracking.scalars import attention_scalars, best_scalars, progress_scalars
from attnfocus.tracking.tables import metrics_table, samples_table
from attnfocus.visible import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from attnfocus.tracking.event_file import EventFile

Scalars = Literal["few", "all"]
MAX_ATTENTIONS = 4  # that have curves of their own among few scalars

# Written anew by a resumed run. Names that older versions gave are among them.
NEW_TAGS = (
    *("_hparams_/", "test/", "test_metrics", "weights_test/", "samples/test"),
    *("weights_focus_test/", "weights_heads_test/", "focus/test/", "attention/test/"),
)
EVALUATION_TAGS = (
    *("valid/", "valid_best/", "weights_focus/", "weights_heads/", "weights_valid/", "samples/valid"),
    *("weights_logits/", "weights_entropy/"),
    *("best/", "focus/valid/", "attention/valid/"),
    "custom_scalars__",  # the layout of a page, which comes with the first evaluation
)


class TensorBoard(Listener):
    """Writes one event file into the run directory; no other file and no sub-directory.

    | tag | what |
    |---|---|
    | `train/loss`, `train/lr`, `train/grad_norm`, `train/words_per_second` | each logged step |
    | `train/penalty`, `train/penalty/<regularizer>` | what regularizers add; `train/loss` is without it |
    | `valid/<metric>` | each evaluation: `valid/bleu` |
    | `valid_best/<metric>` | the monitored metric, each time that it is better than before |
    | `weights_focus/<measure>` | how focused the attention is: `weights_focus/effective_positions` |
    | `weights_focus/heads/<kind>` | how many heads do what, of the examples whose maps are kept (docs/heads.md) |
    | `weights_logits/<attention>` | the largest logit of its heads, of the queries that were measured |
    | `weights_entropy/<attention>` | the mean of its heads' normalized entropy, 1: uniform |
    | `weights_heads/<measure>` | an image: the measure of each head of each attention over the evaluations |
    | `weights_<split>/<attention>/<number>` | images: the attention of an example, the same at each evaluation |
    | `samples/<split>` | a table of answers, wrong ones first, of each class by turns |
    | `test_metrics` | a table: the metrics of the tested checkpoint |

    Of more than MAX_ATTENTIONS attentions the two are written with `scalars="all"` alone.

    Names are such that the pages, which sort by them, begin with the curves. The page Custom Scalars has train and
    valid in one chart. With `scalars="all"` there are also `test/<metric>`, `weights_focus_test/<measure>` and
    `weights_heads/<attention>/head<h>/<measure>` (`weights_heads_test/...` of the test split).

    The HParams page compares runs by their main options and by any of these scalars. No list of either is written: from
    a list TensorBoard would take that of one run for all, without one it joins what the runs have.

    The options are there from the start, also of a run that fails, and the run ends on that page when this is closed,
    after the test metrics.

    Of a run that is resumed, what it wrote after the step of the checkpoint, and of the test split, is dropped from
    the file, and the file is continued. An evaluation of that very step goes too if the checkpoint does not know it:
    it comes again.

    Args:
        scalars: `few`, at most 40 with our own metrics, or `all`.
    """

    def __init__(self, scalars: Scalars = "few") -> None:
        self.scalars = scalars
        self._run: TrainingStarted | None = None
        self._append_from_step: int | None = None
        self._is_evaluated = True
        self._has_ended = False
        self._file: EventFile | None = None
        self._session: Literal["none", "started", "ended"] = "none"
        self._history = HeadHistory()

    def on_start(self, event: TrainingStarted) -> None:
        self._run, self._append_from_step, self._is_evaluated = event, event.resumed_from, event.is_evaluated
        if event.resumed_from is not None:
            path = event.run_dir / METRICS_FILE
            self._history.read(path, event.resumed_from, is_evaluated=event.is_evaluated)
        self._open()

    def on_progress(self, event: Progress) -> None:
        if event.is_logged:
            file = self._open()
            for tag, value in progress_scalars(event).items():
                file.scalar(tag, value, event.step)

    def on_evaluation(self, event: Evaluated) -> None:
        file = self._open()
        if event.split != "test" or self.scalars == "all":
            self._write_scalars(event)
        if event.split == "test":
            file.text("test_metrics", metrics_table(event.metrics, event.step), event.step)
        elif event.heads:
            self._history.add(event.step, logged_heads(event.heads))
            for measure, figure in self._history.pictures(self._labels).items():
                self._write_picture(f"weights_heads/{measure}", figure, event.step)
        for number, sample in enumerate(event.samples, 1):
            self._draw(sample, number, event)
        answers = event.answers or event.samples
        if answers:
            file.text(_tag(f"samples/{event.split}"), samples_table(answers, event.split), event.step)

    def on_rollback(self, event: RolledBack) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._append_from_step, self._is_evaluated, self._session = event.step, event.is_evaluated, "none"
        self._history.go_back(event.step, is_evaluated=event.is_evaluated)

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

    def _write_scalars(self, event: Evaluated) -> None:
        file, is_test = self._open(), event.split == "test"
        if not file.has_charts and not is_test:
            file.charts(chart_layout(event.metrics, event.best.metric if event.best else None), event.step)
        for name, value in event.metrics.items():
            measure = name.removeprefix("focus/")
            group = f"weights_focus{'_test' if is_test else ''}" if measure != name else event.split
            file.scalar(_tag(f"{group}/{measure}"), value, event.step)
        for tag, value in best_scalars(event).items():
            file.scalar(_tag(f"valid_{tag}"), value, event.step)
        if not is_test and (self.scalars == "all" or len(event.heads) <= MAX_ATTENTIONS):
            for tag, value in attention_scalars(event.heads).items():
                file.scalar(_tag(tag), value, event.step)
        for attention, measures in logged_heads(event.heads).items() if self.scalars == "all" else ():
            for measure, values in measures.items():
                for head, value in enumerate(values):
                    tag = f"weights_heads{'_test' if is_test else ''}/{attention}/head{head}/{measure}"
                    file.scalar(_tag(tag), value, event.step)

    def _draw(self, sample: Sample, number: int, event: Evaluated) -> None:
        from attnfocus.display.figures import AXES, heat_map
        from attnfocus.display.pictures import picture_map, shows
        from attnfocus.display.run_words import attention_words

        for name, weights in sample.weights.items():
            if weights.size == 0:
                continue  # an empty prediction looked nowhere
            label = attention_words(self._labels.get(name, name))
            title = f"{label}   {event.split}: row {sample.id}   step {event.step:,}"
            if sample.picture is not None and shows(sample.picture, weights):
                figure = picture_map(weights, sample.picture, title)
            else:
                unit = "" if sample.key_unit is None else f", in {sample.key_unit}"
                tokens = sample.query_tokens.get(name, ()), sample.key_tokens
                figure = heat_map(weights, *tokens, title, axes=(AXES[0], AXES[1] + unit))
            self._write_picture(f"weights_{event.split}/{name}/{number}", figure, event.step)

    @property
    def _labels(self) -> Mapping[str, str]:
        return {} if self._run is None else self._run.facts.labels

    def _write_picture(self, tag: str, figure: "Figure", step: int) -> None:
        from attnfocus.display.canvas import DPI, to_png

        png, width, height = to_png(figure, DPI)
        self._open().image(_tag(tag), png, (width, height), step)

    def _start_session(self, file: "EventFile", run: TrainingStarted) -> None:
        if not run.facts.options or self._session != "none":
            return
        from tensorboard.plugins.hparams import metadata, plugin_data_pb2

        info = plugin_data_pb2.SessionStartInfo(start_time_secs=time.time())
        main = run.facts.main
        for key, value in run.facts.options.items():
            if main is not None and key not in main:
                continue
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


def _tag(name: str) -> str:
    return re.sub(r"[^\w./-]", "_", name)
