"""What can be found out about a machine, each fact with a verdict. Torch is loaded only by the checks that need it."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Any, Literal

from attnfocus.config.override_text import quoted
from attnfocus.threads import waiting

Status = Literal["ok", "warning", "failed", "missing"]  # missing: an extra, without which everything else works

GIB = 2**30
LITTLE_DISK, NO_DISK = 1 * GIB, GIB // 10
SLOW_SECONDS = 60.0
NUM_STEPS = 3
SHORT_RUN = (
    *("model=seq2seq", "attention=additive", "model.embed_dim=16", "model.hidden_size=16"),
    *("dataset=dates", "dataset.languages=[en]"),
    *("dataset.num_train=64", "dataset.num_valid=8", "dataset.num_test=8"),
    *("trainer.batch_size=16", f"trainer.max_steps={NUM_STEPS}", "trainer.max_epochs=null"),
)


@dataclass(frozen=True)
class Finding:
    """One check: what was found, and what to do about it."""

    name: str
    status: Status
    detail: str
    advice: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def python_finding() -> Finding:
    facts = {"version": platform.python_version(), "executable": sys.executable, "platform": platform.platform()}
    return Finding("python", "ok", f"{facts['version']} at {facts['executable']}, {facts['platform']}", facts=facts)


def versions(extra: str = "") -> dict[str, str | None]:
    """The packages that ours needs, or that one of its extras needs, as they are installed; None where one is not.

    Raises:
        PackageNotFoundError: ours is not installed itself.
    """
    needed: dict[str, str | None] = {}
    for line in requires("attnfocus") or ():
        requirement, _, marker = line.partition(";")
        named = re.search(r"extra == ['\"](.+?)['\"]", marker)
        if (named[1] if named else "") != extra:
            continue
        name = re.split(r"[^A-Za-z0-9._-]", requirement)[0]
        try:
            needed[name] = version(name)
        except PackageNotFoundError:
            needed[name] = None
    return needed


def package_finding() -> Finding:
    found = versions()
    missing = [name for name, number in found.items() if number is None]
    if missing:
        advice = f"{sys.executable} -m pip install {' '.join(missing)}"
        return Finding("packages", "failed", f"missing: {', '.join(missing)}", advice, {"versions": found})
    return Finding("packages", "ok", _listed(found), facts={"versions": found})


def extras_findings() -> list[Finding]:
    """What some options use, and the rest can do without."""
    findings = []
    for extra in metadata("attnfocus").get_all("Provides-Extra") or ():
        if extra == "dev":  # for those who work on the project
            continue
        found = versions(extra)
        missing = [name for name, number in found.items() if number is None]
        if missing:
            advice = f"pip install 'attnfocus[{extra}]'"
            findings.append(Finding(f"extra {extra}", "missing", f"not installed: {', '.join(missing)}", advice))
        else:
            findings.append(Finding(f"extra {extra}", "ok", _listed(found), facts={"versions": found}))
    return findings


def _listed(found: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name} {number}" for name, number in found.items())


def device_finding(wanted: str) -> Finding:
    """The devices that torch finds, and the one that `device=wanted` takes."""
    import torch

    from attnfocus.training import resolve_device

    devices: list[dict[str, Any]] = [{"device": "cpu", "name": platform.machine()}]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory = round(properties.total_memory / GIB, 1)
        devices.append({"device": f"cuda:{index}", "name": properties.name, "memory_gib": memory})
    if torch.backends.mps.is_available():
        devices.append({"device": "mps", "name": "Apple GPU"})
    taken = str(resolve_device(wanted))
    listed = ", ".join(f"{device['device']} ({device['name']})" for device in devices)
    facts = {"devices": devices, "cuda": torch.version.cuda, "taken": taken}
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    return Finding("device", "ok", f"{listed}; device={wanted} takes {taken}; PyTorch is built {built}", facts=facts)


def bf16_finding() -> Finding:
    """Whether `trainer.precision=bf16` makes sense on the CPU."""
    from attnfocus.training.device import cpu_bf16

    instructions = cpu_bf16()
    facts = {"instructions": list(instructions)}
    if instructions:
        return Finding("cpu bf16", "ok", f"computed by the CPU itself: {', '.join(instructions)}", facts=facts)
    detail = "emulated, as this CPU has neither avx512_bf16 nor AMX: on device=cpu use trainer.precision=float32"
    return Finding("cpu bf16", "ok", detail, facts=facts)


def threads_finding() -> Finding:
    """Threads of torch beside the cores that this process may use."""
    import torch

    cores, threads = usable_cores(), torch.get_num_threads()
    given = os.environ.get("OMP_NUM_THREADS")
    facts = {"cores": cores, "torch": threads, "OMP_NUM_THREADS": given, "waiting": waiting()}
    detail = f"{threads} of torch on {cores:g} cores, waiting: {waiting()}"
    if threads > max(1, cores):
        return Finding("threads", "warning", detail, f"Set OMP_NUM_THREADS={max(1, int(cores))}: more wait.", facts)
    return Finding("threads", "ok", detail, facts=facts)


def usable_cores() -> float:
    """Cores that the process may run on, or the share of them that its container is given."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no Linux, or another version of its groups
        return cores
    return min(cores, int(quota) / int(period)) if quota.isdecimal() else cores


def folder_finding(key: str, folder: Path, if_refused: Status) -> Finding:
    """Whether `folder`, or the one above it where it would be made, can be written, and what is free there."""
    place = existing_part(folder)
    free = shutil.disk_usage(place).free
    facts = {"path": str(folder), "exists": folder.exists(), "free_gib": round(free / GIB, 1), "is_writable": False}
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        advice = f"Give a folder that can be written: {key}=..."
        return Finding(key, if_refused, f"{place}: cannot be written: {error.strerror or error}", advice, facts)
    facts["is_writable"] = True
    detail = f"{folder} can be written, {facts['free_gib']} GiB free"
    if free < LITTLE_DISK:
        status: Status = if_refused if free < NO_DISK else "warning"
        return Finding(key, status, detail, "Make room: checkpoints are kept whole, and need it.", facts)
    return Finding(key, "ok", detail, facts=facts)


def existing_part(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next((place for place in (folder, *folder.parents) if place.exists()), Path(folder.anchor))


def short_run_finding(device: str, outputs: Path) -> Finding:
    """Trains a few steps beside the runs, and reads back what was saved, by its checksums.

    In a process of its own: what kills that one is found out too.
    """
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=existing_part(outputs), prefix=".attnfocus-doctor-") as folder:
        options = [*SHORT_RUN, f"device={device}", f"run_dir={quoted(folder)}"]
        command = [sys.executable, "-m", "attnfocus", "train", *options]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace"
        )
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
            detail = f"the run ended with {done.returncode}: {lines[-1].removeprefix('attnfocus: ')}"
            return Finding("self-test", "failed", detail)
        from attnfocus.runs.loader import load

        steps = load(Path(folder), device=device).step
    seconds = round(time.perf_counter() - began, 1)
    facts = {"seconds": seconds, "device": device, "steps": steps}
    detail = f"{steps} steps on device={device}, saved and read back, in {seconds} s"
    if seconds > SLOW_SECONDS:
        return Finding("self-test", "warning", detail, "That is slow: look at threads, disk and other programs.", facts)
    return Finding("self-test", "ok", detail, facts=facts)
