"""The first step and progress, told to the listeners of a run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from torch.optim import Optimizer

from attnfocus.events import FirstStepDone, Listener, Progress
from attnfocus.training.options import TrainerOptions
from attnfocus.training.state import RunState, Window
from attnfocus.training.step import Gradients
from attnfocus.training.stop_rules import fraction_done


class Teller:
    """Logged events hold means since the last logged one, and so are the same in every run; others since any.

    Args:
        screen_seconds: at least, between events for the eye alone.
    """

    def __init__(self, options: TrainerOptions, listeners: Sequence[Listener], screen_seconds: float) -> None:
        self.options, self.listeners, self.screen_seconds = options, listeners, screen_seconds
        self._screen = Window()
        self._last_event = time.perf_counter()
        self._is_first = True

    def progress(
        self,
        state: RunState,
        gradients: Gradients,
        step_seconds: float,
        optimizer: Optimizer,
        seconds: float,
    ) -> None:
        """After a step that took `step_seconds`; `seconds` is the age of the run."""
        state.num_words += gradients.num_words
        state.step_seconds += step_seconds
        for window in (state.window, self._screen):
            window.add(gradients, step_seconds)
        if self._is_first:
            self._is_first = False
            for listener in self.listeners:
                listener.on_first_step(FirstStepDone(state.step))
        now = time.perf_counter()
        is_logged = state.step % self.options.log_every_steps == 0
        if not is_logged and now - self._last_event < self.screen_seconds:
            return
        window = state.window if is_logged else self._screen
        done = fraction_done(self.options, state, seconds)
        event = Progress(
            step=state.step,
            epoch=state.epoch_of_step,
            fraction_done=done,
            seconds=seconds,
            eta_seconds=seconds * (1 - done) / done if done else None,
            loss=window.loss,
            lr=optimizer.param_groups[0]["lr"],
            grad_norm=window.grad_norm,
            words_per_second=window.words_per_second,
            is_logged=is_logged,
            penalties=window.penalties,
        )
        self._last_event, self._screen = now, Window()
        if is_logged:
            state.window = Window()
        for listener in self.listeners:
            listener.on_progress(event)
