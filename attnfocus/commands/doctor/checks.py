"""What can be found out about a machine, each fact with a verdict. Torch is loaded only by the checks that need it."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

Status = Literal["ok", "warning", "failed", "missing"]  # missing: an extra, without which everything else works

PACKAGES: tuple[str, ...] = (
    "torch",
    "hydra-core",
    "omegaconf",
    "rich",
    "tensorboard",
    "tokenizers",
    "safetensors",
    "sacrebleu",
)
PACKAGES += ("torchmetrics", "babel", "pooch", "matplotlib", "numpy", "scipy", "filelock", "requests", "pyyaml")
DEVELOPMENT = ("pytest", "pytest-xdist", "hypothesis", "ruff", "mypy")
MIN_PYTHON = (3, 11)
GIB = 2**30
LITTLE_DISK, NO_DISK = 1 * GIB, GIB // 10
LITTLE_MEMORY = 1 * GIB


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
    is_new = sys.version_info >= MIN_PYTHON
    advice = "" if is_new else f"Use Python {'.'.join(map(str, MIN_PYTHON))} or newer."
    detail = f"{facts['version']} at {facts['executable']}, {facts['platform']}"
    return Finding("python", "ok" if is_new else "failed", detail, advice, facts)


def package_finding() -> Finding:
    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, number in found.items() if number is None]
    if missing:
        advice = f"{sys.executable} -m pip install {' '.join(missing)}"
        return Finding("packages", "failed", f"missing: {', '.join(missing)}", advice, {"versions": found})
    detail = ", ".join(f"{name} {number}" for name, number in found.items())
    return Finding("packages", "ok", detail, facts={"versions": found})


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def device_finding(wanted: str) -> Finding:
    """The devices that torch finds, and the one that `device=wanted` takes."""
    import torch

    from attnfocus.training import resolve_device

    devices: list[dict[str, Any]] = [{"device": "cpu", "name": _cpu_name()}]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory = round(properties.total_memory / GIB, 1)
        devices.append({"device": f"cuda:{index}", "name": properties.name, "memory_gib": memory})
    if torch.backends.mps.is_available():
        devices.append({"device": "mps", "name": platform.processor() or "Apple GPU"})
    facts = {"devices": devices, "cuda": torch.version.cuda}
    taken = str(resolve_device(wanted))
    listed = ", ".join(f"{device['device']} ({device['name']})" for device in devices)
    return Finding("device", "ok", f"{listed}; device={wanted} takes {taken}", facts={**facts, "taken": taken})


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def threads_finding() -> Finding:
    """Threads of torch beside the cores that this process may use."""
    import torch

    cores = usable_cores()
    threads = torch.get_num_threads()
    given = os.environ.get("OMP_NUM_THREADS")
    facts = {"cores": cores, "torch": threads, "OMP_NUM_THREADS": given}
    detail = f"{threads} of torch on {cores:g} cores" + (f" (OMP_NUM_THREADS={given})" if given else "")
    if threads > max(1, cores):
        return Finding("threads", "warning", detail, f"Set OMP_NUM_THREADS={max(1, int(cores))}: more wait.", facts)
    return Finding("threads", "ok", detail, facts=facts)


def usable_cores() -> float:
    """Cores that the process may run on, or the share of them that its container is given."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quota, _, period = _line("/sys/fs/cgroup/cpu.max").partition(" ")
    return min(cores, int(quota) / int(period)) if quota.isdecimal() and period.isdecimal() else cores


def memory_finding() -> Finding:
    total = _physical_memory()
    limit = _line("/sys/fs/cgroup/memory.max")
    if limit.isdecimal():
        total = min(total, int(limit))
    free = min(total, _available_memory() or total)
    facts = {"total_gib": round(total / GIB, 1), "available_gib": round(free / GIB, 1)}
    detail = f"{facts['available_gib']} of {facts['total_gib']} GiB available"
    if free < LITTLE_MEMORY:
        return Finding("memory", "warning", detail, "End other programs, or train with a smaller batch_size.", facts)
    return Finding("memory", "ok", detail, facts=facts)


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _available_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(found[0][1]) * 1024 if found else None


def _line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def folder_finding(key: str, folder: Path, if_refused: Status) -> Finding:
    """Whether `folder`, or the one above it where it would be made, can be written, and what is free there."""
    place = existing_part(folder)
    free = shutil.disk_usage(place).free
    facts = {"path": str(folder), "exists": folder.exists(), "free_gib": round(free / GIB, 1), "is_writable": False}
    try:
        if not place.is_dir():
            raise NotADirectoryError(20, "is a file")
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


def extras_findings() -> list[Finding]:
    """What some options use, and the rest can do without."""
    absent = [name for name in DEVELOPMENT if _version(name) is None]
    compiler = next((path for name in ("cc", "gcc", "clang", "cl") if (path := shutil.which(name))), None)
    parallel = "hydra-joblib-launcher"
    return [
        _extra("git", shutil.which("git"), "the commit of a checkout in summary.json", "Install git."),
        _extra("compiler", compiler, "trainer.compile=true", "Install a C++ compiler, such as g++."),
        _extra("cjk-font", _cjk_font(), "Chinese and Japanese labels of maps", "On Debian: fonts-noto-cjk."),
        _extra("parallel", _version(parallel), "sweeps with hydra/launcher=joblib", "pip install 'attnfocus[launch]'"),
        _extra("dev", None if absent else ", ".join(DEVELOPMENT), "the project's own tests", "pip install -e '.[dev]'"),
    ]


def _extra(name: str, found: str | None, use: str, advice: str) -> Finding:
    if found is None:
        return Finding(name, "missing", f"for {use}", advice)
    return Finding(name, "ok", f"{found}, for {use}")


def _cjk_font() -> str | None:
    try:
        from attnfocus.display.fonts import families_for
    except ImportError:
        return None  # matplotlib is missing, which the packages say
    return next(iter(families_for("中年")[1:]), None)
