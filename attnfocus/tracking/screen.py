"""The screen during training: a calm live display on a terminal, plain lines anywhere else."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.segment import ControlType
from rich.text import Text

from attnfocus.display.console import break_words, is_plain, open_console, say, writable
from attnfocus.display.result import Result, print_result
from attnfocus.display.stages import StageScreen, stage_bar, time_of
from attnfocus.display.text import duration, focus_phrase, metric_name, number
from attnfocus.events import Best, Evaluated, Listener, TrainingEnded, TrainingStarted
from attnfocus.events import Progress as ProgressEvent
from attnfocus.stages import Stage
from attnfocus.tracking.screen_charts import ScreenCharts
from attnfocus.tracking.screen_evaluations import EvaluationTable, evaluation_line

_REFRESH_SECONDS = 0.1
_LABEL, _FIGURE = "dim", ""


class Terminal(Listener):
    """Shows a run.

    On a terminal: the header, evaluations as they come, and below them a bar with the newest figures, redrawn at most
    ten times a second and never from a thread; on a large one also small charts (`screen_charts`).
    Elsewhere (see `open_console`): a line at most every
    `seconds_between_lines` of training, and one per evaluation. It also watches the stages of the run (evaluations):
    a second bar in its display, or what other commands show where there is none.

    Args:
        header: what the run is, in a few lines, below the one that `train` begins with.
        console: standard error when left out.
    """

    def __init__(
        self, header: Sequence[str] = (), *, console: Console | None = None, seconds_between_lines: float = 10.0
    ) -> None:
        self.console = console or open_console()
        self._header = tuple(header)
        self._seconds_between_lines = seconds_between_lines
        self._is_plain = is_plain(self.console)
        self._limits: TrainingStarted | None = None
        self._progress: ProgressEvent | None = None
        self._best: Best | None = None
        self._focus: str | None = None
        self._table = EvaluationTable(self.console)
        self._charts = ScreenCharts(self.console)
        self._bar = _bar(self.console)
        self._live: Live | None = None
        self._stages: list[Stage] = []  # in the display, the innermost last
        self._stage_bar = stage_bar(self.console)
        self._stage_bar.add_task("", left="")
        self._alone = StageScreen(self.console)
        self._drawn_width = self.console.width
        self._drawn = Group()  # as it stands on the screen
        self._drawn_at = self._line_at = float("-inf")

    def on_start(self, event: TrainingStarted) -> None:
        self._limits = event
        self._charts.start(event)
        for line in self._header:
            is_path = line.startswith("run ")  # which will be copied
            say(self.console, line, style="yellow" if line.startswith("warning: ") else _LABEL, wrap=not is_path)
        if event.resumed_from is not None:
            is_ended = event.max_steps is not None and event.resumed_from >= event.max_steps
            more = f", where it is finished already (max_steps={event.max_steps})" if is_ended else ""
            say(self.console, f"resumed from step {event.resumed_from:,}{more}")
        if not self._is_plain:
            say(self.console, "")
            self._live = Live(
                get_renderable=self._display,
                console=self.console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=sys.stderr.isatty(),
            )
            self._live.start(refresh=True)

    def on_progress(self, event: ProgressEvent) -> None:
        self._progress = event
        self._charts.progress(event)
        if self._live is not None:
            self._bar.update(self._bar.task_ids[0], completed=event.fraction_done, left=_time_left(event))
            self._refresh()
        elif self._is_plain and event.seconds - self._line_at >= self._seconds_between_lines:
            self._line_at = event.seconds
            say(self.console, self._progress_line(event))

    def stage_began(self, stage: Stage) -> None:
        if self._live is None:
            self._alone.stage_began(stage)
        else:
            self._stages.append(stage)
            self._refresh()

    def stage_moved(self, stage: Stage) -> None:
        if stage in self._stages:
            self._refresh()

    def stage_ended(self, stage: Stage) -> None:
        if stage in self._stages:
            self._stages.remove(stage)
        else:
            self._alone.stage_ended(stage)

    def on_evaluation(self, event: Evaluated) -> None:
        self._best = event.best or self._best
        self._charts.evaluation(event, None if self._best is None else self._best.metric)
        if event.split == "valid" or self._focus is None:
            self._focus = focus_phrase(event.metrics) or self._focus
        if self._is_plain:
            line = evaluation_line(event, self._best)
            for row in break_words(line, self.console.width, between="  "):
                say(self.console, row)
        else:
            self._table.add(event, self._best)
            self._refresh(now=True)

    def on_end(self, event: TrainingEnded) -> None:
        self._best = event.best or self._best
        self._stop()
        say(self.console, f"training ended after step {event.step:,}, {duration(event.seconds)}: {event.reason}")

    def close(self) -> None:
        self._stop()

    def announce(self, lines: str | Sequence[str], style: str = "yellow") -> None:
        """Prints lines (a warning, the path of a checkpoint) above the display. Can be called at any time."""
        with suppress(OSError):  # a full disk behind the screen is no reason to end a run
            say(self.console, lines if isinstance(lines, str) else "\n".join(lines), style=style)

    def summary(self, result: Result) -> None:
        """Ends the display and prints the result of the run."""
        with suppress(OSError):
            self._stop()
            print_result(self.console, result)

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _refresh(self, now: bool = False) -> None:
        clock = time.monotonic()
        if self._live is not None and (now or clock - self._drawn_at >= _REFRESH_SECONDS):
            self._drawn_at = clock
            self._leave_wrapped_rows()
            self._live.refresh()

    def _leave_wrapped_rows(self) -> None:
        """Of a terminal that has become narrower: what was drawn takes more rows now, and all of them have to go."""
        before, width = self._drawn_width, self.console.width
        self._drawn_width = width
        if width < before:
            drawn = self.console.render_lines(self._drawn, self.console.options.update(width=before), pad=False)
            cells = [sum(segment.cell_length for segment in line) for line in drawn]
            surplus = sum(max(0, (length - 1) // width) for length in cells)
            for _ in range(surplus):
                self.console.control(Control((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)))

    def _display(self) -> Group:
        width = self.console.width
        lines = [
            _fit(line, width, self.console) for line in (self._position(), self._figures(), self._quality()) if line
        ]
        lines += self._charts.lines()
        if self._stages:
            stage = self._stages[-1]
            name = writable(self.console, stage.name)
            task = self._stage_bar.task_ids[0]
            self._stage_bar.update(task, description=name, total=stage.total, completed=stage.done, left=time_of(stage))
            self._drawn = Group(Text(""), self._bar, self._stage_bar, *lines)
        else:
            self._drawn = Group(Text(""), self._bar, *lines)
        return self._drawn

    def _position(self) -> list[tuple[str, str]]:
        """Where the run is, most important first, as (label, figure)."""
        if self._progress is None or self._limits is None:
            return [("", "starting")]
        epochs = f" of {self._limits.max_epochs:,}" if self._limits.max_epochs else ""
        steps = f" of {self._limits.max_steps:,}" if self._limits.max_steps else ""
        return [
            ("step", f"{self._progress.step:,}{steps}"),
            ("epoch", f"{self._progress.epoch:,}{epochs}"),
            ("elapsed", duration(self._progress.seconds)),
        ]

    def _figures(self) -> list[tuple[str, str]]:
        if self._progress is None:
            return []
        return [
            ("loss", number(self._progress.loss)),
            ("lr", f"{self._progress.lr:.2g}"),
            ("gradient", number(self._progress.grad_norm)),
            ("words/s", f"{self._progress.words_per_second:,.0f}"),
        ]

    def _quality(self) -> list[tuple[str, str]]:
        best, parts = self._best, []
        if best is not None:
            parts.append((f"best {metric_name(best.metric)}", f"{number(best.value)} at step {best.step:,}"))
        if self._focus is not None:
            parts.append(("focus", self._focus))
        return parts

    def _progress_line(self, event: ProgressEvent) -> str:
        parts = [
            f"step {event.step:,}",
            f"loss {number(event.loss)}",
            f"{event.fraction_done:.0%}",
            _time_left(event),
            f"epoch {event.epoch:,}",
            f"{event.words_per_second:,.0f} words/s",
            f"lr {event.lr:.2g}",
            f"gradient {number(event.grad_norm)}",
        ]
        return break_words("  ".join(part for part in parts if part), self.console.width, between="  ")[0]


def _bar(console: Console) -> Progress:
    bar = Progress(
        BarColumn(bar_width=None, complete_style="cyan", finished_style="cyan", pulse_style="cyan"),
        TextColumn("{task.percentage:>3.0f}%", style="default"),
        TextColumn("{task.fields[left]}", style="dim"),
        console=console,
        auto_refresh=False,
        expand=True,
    )
    bar.add_task("", total=1.0, left="")
    return bar


def _time_left(event: ProgressEvent) -> str:
    """`2 min left`; `> 2 min left` while nobody knows how long an evaluation takes."""
    if event.eta_seconds is None:
        return ""
    return f"{'' if event.is_eta_whole else '> '}{duration(event.eta_seconds)} left"


def _fit(parts: list[tuple[str, str]], width: int, console: Console) -> Text:
    """The parts in one line, as many as fit."""
    line = Text(no_wrap=True, overflow="crop")
    for name, figure in parts:
        part = Text.assemble((name, _LABEL), " " if name else "", (writable(console, figure), _FIGURE))
        if line and line.cell_len + 3 + part.cell_len > width - 1:
            break
        line = Text.assemble(line, "   " if line else "", part, no_wrap=True, overflow="crop")
    return line
