"""How much of a run its evaluations take, and how often they should come where that is too much."""

import time
from collections.abc import Callable

from torch import nn

from attnfocus.tasks import Evaluation

NOTABLE_SECONDS = 5.0  # of evaluations, below which nobody minds
LARGEST_SHARE = 0.5  # of the time, from which on it is said
GOOD_SHARE = 0.2  # evaluations beside steps, where their number is proposed
ROUND = (1, 2, 5)


class EvaluationTime:
    """Evaluations that this process has made while it trained, and the seconds that they took."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.seconds = 0.0
        self.count = 0

    def timed(self, evaluate: Callable[[nn.Module], Evaluation]) -> Callable[[nn.Module], Evaluation]:
        def measured(model: nn.Module) -> Evaluation:
            began = time.perf_counter()
            found = evaluate(model)
            self.seconds += time.perf_counter() - began
            self.count += 1
            return found

        return measured

    def hint(self, num_steps: int) -> str:
        """What is said at the end of training, after so many steps of this process; empty where all is well."""
        return evaluation_hint(self.seconds, time.perf_counter() - self._began, self.count, num_steps)


def evaluation_hint(evaluating: float, whole: float, num_evaluations: int, num_steps: int) -> str:
    """`evaluating` and `whole`: seconds of the evaluations and of the training that they belong to."""
    if num_evaluations < 2 or num_steps < 2 or evaluating < max(NOTABLE_SECONDS, LARGEST_SHARE * whole):
        return ""
    every = evaluating / num_evaluations / (GOOD_SHARE * max(whole - evaluating, 1e-3) / num_steps)
    return (
        f"evaluations took {evaluating:.0f} s of {whole:.0f} s: {num_evaluations} in {num_steps} steps. Less often: "
        f"trainer.evaluate_every_steps={rounded_up(every)}"
    )


def rounded_up(number: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    scale = 1
    while True:
        for digit in ROUND:
            if digit * scale >= number:
                return digit * scale
        scale *= 10
