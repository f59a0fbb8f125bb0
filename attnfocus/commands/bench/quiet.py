"""Whether the machine was quiet enough for the times to mean something, and what speaks against it."""

import os
import statistics
from collections.abc import Sequence

LARGEST_SPREAD = 0.2  # of the same measurement again, between its quartiles, as a part of its median
FEWEST = 4  # measurements that have quartiles worth a word


def other_load(threads: int) -> str | None:
    """What is said where other processes and these threads want more than there are cores; None: nothing, or nobody
    counts."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if load + threads <= cores + 0.5:
        return None
    return (
        f"the machine is not quiet: load {load:.1f} before the first measurement, {threads} threads of ours to come, "
        f"{cores} cores. Times will be too long; `of baseline` is of the same moment and holds better."
    )


def unsteady(name: str, length: int, times: Sequence[tuple[float, float]]) -> str | None:
    """What is said where the same measurement, forward and backward, came out too differently; None: it did not."""
    seconds = [sum(both) for both in times]
    if len(seconds) < FEWEST:
        return None
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    if high - low <= LARGEST_SPREAD * middle:
        return None
    return (
        f"the machine was not quiet at {length}: {len(seconds)} measurements of {name} have quartiles of "
        f"{low * 1e3:.3g} and {high * 1e3:.3g} ms around {middle * 1e3:.3g} ms."
    )
