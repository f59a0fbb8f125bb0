"""Shows that a command is alive while it reads, learns or evaluates: a bar, or a plain line now and then."""

from __future__ import annotations

import threading
import time

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn

from attnfocus.display.console import is_plain, open_console, say, writable
from attnfocus.display.text import duration
from attnfocus.stages import Stage

FIRST_SECONDS = 0.5  # a stage that is over by then is not shown
REFRESH_SECONDS = 0.25
LINE_SECONDS = 10.0  # between plain lines; the first comes earlier where it is seen that there is more than ...
SHORT_SECONDS = 2.0


def stage_bar(console: Console) -> Progress:
    """A bar with a name before it and what is left behind it."""
    return Progress(
        TextColumn("{task.description}", style="default"),
        BarColumn(bar_width=None, complete_style="cyan", finished_style="cyan", pulse_style="cyan"),
        TextColumn("{task.fields[left]}", style="dim"),
        console=console,
        auto_refresh=False,
        expand=True,
    )


def time_of(stage: Stage) -> str:
    """`45%  12 s left`; how long it has taken where nobody knows what is left."""
    left, fraction = stage.seconds_left, stage.fraction
    if fraction is None or left is None:
        return duration(stage.seconds)
    return f"{fraction:>4.0%}  {duration(left)} left"


def stage_line(stage: Stage) -> str:
    """A stage as a plain line: `reading corpus.tsv  45%  12 s left`."""
    return f"{stage.name}  {time_of(stage).strip()}"


class StageScreen:
    """Watches the stages of a command (`attnfocus.stages.watching`).

    The work itself may be one call that lasts a minute: a thread draws, which lives as long as a stage does.

    Args:
        console: standard error when left out, as it is when a stage begins.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._given = console
        self._stages: list[Stage] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._line_at = float("-inf")  # `time.monotonic` of the last plain line

    def stage_began(self, stage: Stage) -> None:
        with self._lock:
            self._stages.append(stage)
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._draw, name="stages", daemon=True)
            self._thread.start()

    def stage_moved(self, stage: Stage) -> None:
        """The thread looks by itself."""

    def stage_ended(self, stage: Stage) -> None:
        with self._lock:
            self._stages.remove(stage)
            is_last = not self._stages
        thread = self._thread
        if is_last and thread is not None:
            self._ended.set()
            thread.join()
            self._thread = None

    def _current(self) -> Stage | None:
        with self._lock:
            return self._stages[-1] if self._stages else None

    def _draw(self) -> None:
        if self._ended.wait(FIRST_SECONDS):
            return
        console = self._given or open_console()
        if is_plain(console):
            self._write(console)
            return
        bar = stage_bar(console)
        task = bar.add_task("", left="")
        with Live(bar, console=console, auto_refresh=False, transient=True) as live:
            while True:
                stage = self._current()
                if stage is not None:
                    name = writable(console, stage.name)
                    bar.update(task, description=name, total=stage.total, completed=stage.done, left=time_of(stage))
                    live.refresh()
                if self._ended.wait(REFRESH_SECONDS):
                    return

    def _write(self, console: Console) -> None:
        began = time.monotonic()
        while True:
            stage, now = self._current(), time.monotonic()
            is_late = now >= began + LINE_SECONDS
            if stage is not None and now >= self._line_at + LINE_SECONDS and (is_late or _will_last(stage)):
                self._line_at = now
                say(console, stage_line(stage))
            if self._ended.wait(min(REFRESH_SECONDS, LINE_SECONDS)):
                return


def _will_last(stage: Stage) -> bool:
    """Whether it goes on for seconds, as far as can be seen: else it is over before a line about it is read."""
    left = stage.seconds_left
    return stage.total is not None and (left is None or left > SHORT_SECONDS)
