"""Steps that do not fit in memory: said clearly, or computed in pieces."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from attnfocus.errors import RunError
from attnfocus.training.guards import shown_ids
from attnfocus.training.protocols import TrainBatch
from attnfocus.training.state import RunState
from attnfocus.training.step import Gradients, Stepper

logger = logging.getLogger(__name__)

_NO_MEMORY = re.compile(r"out of memory|not enough memory|can't allocate memory|cannot allocate memory", re.IGNORECASE)


def fitting_gradients(stepper: Stepper, state: RunState, taken: Sequence[TrainBatch], saved: Path | None) -> Gradients:
    """The gradients of a step, from ever smaller pieces of its batches if they do not fit and the options allow it.

    Raises:
        RunError: no memory, and no smaller pieces allowed or possible.
    """
    is_shared = stepper.processes.size > 1  # then no process may take smaller pieces than the others
    while True:
        pieces = taken if is_shared else [piece for batch in taken for piece in batch.split(state.parts)]
        try:
            return stepper.gradients(pieces, state.seed, state.step + 1)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside of the handler, whose error holds on to the tensors that filled the memory.
        stepper.drop()
        if is_shared or not stepper.options.split_on_oom or state.parts >= max(len(batch.ids) for batch in taken):
            raise out_of_memory(state.step + 1, taken, stepper, saved)
        if stepper.device.type == "cuda":
            torch.cuda.empty_cache()
        state.parts *= 2
        what = "step %d: out of memory; from here on each micro-batch is computed in %d parts"
        logger.warning(what, state.step + 1, state.parts)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether CUDA, MPS or the CPU had no memory left; their errors have only words in common."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None


def out_of_memory(step: int, batches: Sequence[TrainBatch], stepper: Stepper, saved: Path | None) -> RunError:
    """The error for a step that did not fit, with the override that trains the same in less memory."""
    options, device = stepper.options, stepper.device
    sizes = ", ".join(str(len(batch.ids)) for batch in batches)
    peak = f", {torch.cuda.max_memory_allocated(device) / 2**20:,.0f} MiB at the peak" if device.type == "cuda" else ""
    smaller = max(1, options.batch_size // 2)
    doubled = options.accumulate_steps * 2
    or_split = "\nor trainer.split_on_oom=true, which halves a batch only where it does not fit."
    return RunError(
        f"step {step}: out of memory on {device.type}{peak}. Examples in the micro-batches: {sizes} "
        f"({shown_ids(batches)}).\n"
        f"Last good checkpoint: {saved or 'none yet'}. The same training in less memory, as a new run:\n"
        f"  trainer.batch_size={smaller} trainer.accumulate_steps={doubled}"
        f"{or_split if stepper.processes.size == 1 else ''}"
    )
