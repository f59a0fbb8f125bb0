"""How long torch's threads wait for one another before they sleep: chosen when a command starts, and reported.

By themselves they wait for milliseconds, and then two threads train up to a third faster where a step has many small
parts. But they stand still where another process wants their core, and a step can take ten times as long: then they
sleep after microseconds. (At once, as with OMP_WAIT_POLICY=passive, a third of the speed would be lost.)

libgomp, which comes with torch on Linux, reads OMP_WAIT_POLICY and GOMP_SPINCOUNT when it is loaded. A user who sets
one of them has chosen.
"""

import os
import time
from pathlib import Path

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
BRIEFLY = "2000"  # turns of the loop in which a thread waits, a few microseconds
MIN_LOOK = 0.05  # seconds: the system counts in hundredths

Look = tuple[float, float]  # the time; seconds that other processes have had so far of this process's cores


def look_at_cores() -> Look | None:
    """None where the system does not say (any but Linux)."""
    try:
        rows = [line.split() for line in Path("/proc/stat").read_text(encoding="ascii").splitlines()]
        cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    except (OSError, AttributeError, ValueError):
        return None
    ticks = sum(sum(map(int, row[1:4])) for row in rows if row[0] in cores)  # user, nice, system
    return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK") - time.process_time()


def choose_waiting(before: Look | None, now: Look | None) -> None:
    """Sets GOMP_SPINCOUNT, unless the user has chosen or there was a core for each thread between the two looks."""
    if not any(name in os.environ for name in VARIABLES) and not _has_cores(before, now):
        os.environ["GOMP_SPINCOUNT"] = BRIEFLY


def _has_cores(before: Look | None, now: Look | None) -> bool:
    if before is None or now is None or now[0] - before[0] < MIN_LOOK:
        return False
    others = (now[1] - before[1]) / (now[0] - before[0])
    cores = len(os.sched_getaffinity(0))
    given = os.environ.get("OMP_NUM_THREADS", "")
    return (int(given) if given.isdecimal() else cores) + others < cores + 0.5


def waiting() -> str:
    """What holds in this process, for reports: `active`, or the variables that say otherwise."""
    return " ".join(f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ) or "active"
