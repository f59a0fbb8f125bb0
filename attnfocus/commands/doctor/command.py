"""`attnfocus doctor`: what this machine has, and whether a run would work here."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from attnfocus.commands.doctor.checks import (
    Finding,
    bf16_finding,
    device_finding,
    extras_findings,
    folder_finding,
    package_finding,
    python_finding,
    short_run_finding,
    threads_finding,
)
from attnfocus.config.read import check
from attnfocus.errors import UserError
from attnfocus.marks import FilePath
from attnfocus.version import __version__


@dataclass(kw_only=True)
class DoctorPaths:
    data: FilePath | None = None
    outputs: FilePath = "outputs"


@dataclass(kw_only=True)
class DoctorConfig:
    """configs/doctor.yaml. Not with the other schemas: they load torch, whose absence must become a finding."""

    device: str = "auto"
    format: Literal["table", "json"] = "table"
    paths: DoctorPaths = field(default_factory=DoctorPaths)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Prints one line per check.

    Returns:
        0, or 1 if a run would fail here.
    """
    config = check(values, DoctorConfig)
    findings = [*examine(checks_of(config)), *extras_findings()]
    is_well = not any(finding.status == "failed" for finding in findings)
    if config.format == "json":
        checks = {finding.name: _without_name(finding) for finding in findings}
        print(json.dumps({"attnfocus": __version__, "ok": is_well, "checks": checks}, ensure_ascii=False, indent=2))
    else:
        _print(findings, is_well)
    return 0 if is_well else 1


def checks_of(config: DoctorConfig) -> list[tuple[str, Callable[[], Finding]]]:
    """What a run needs, by name, in the order of its start."""
    outputs = Path(config.paths.outputs).expanduser().absolute()
    return [
        ("python", python_finding),
        ("packages", package_finding),
        ("device", lambda: device_finding(config.device)),
        ("cpu bf16", bf16_finding),
        ("threads", threads_finding),
        ("paths.outputs", lambda: folder_finding("paths.outputs", outputs, "failed")),
        ("paths.data", lambda: folder_finding("paths.data", _data_folder(config), "warning")),
        ("self-test", lambda: short_run_finding(config.device, outputs)),
    ]


def examine(checks: Sequence[tuple[str, Callable[[], Finding]]]) -> list[Finding]:
    """Every check; one that cannot be made is a finding too."""
    return [_attempted(name, make) for name, make in checks]


def _attempted(name: str, make: Callable[[], Finding]) -> Finding:
    try:
        return make()
    except UserError as error:
        return Finding(name, "failed", str(error).splitlines()[0])
    except Exception as error:  # whatever is wrong with the machine is what was asked for
        lines = str(error).splitlines() or [""]
        return Finding(name, "failed", f"{type(error).__name__}: {lines[0]}")


def _data_folder(config: DoctorConfig) -> Path:
    from attnfocus.data.reading.download import default_data_dir

    return Path(config.paths.data).expanduser().absolute() if config.paths.data else default_data_dir()


def _without_name(finding: Finding) -> dict[str, Any]:
    facts = asdict(finding)
    del facts["name"]
    return facts


def _print(findings: Sequence[Finding], is_well: bool) -> None:
    from attnfocus.display.console import open_console, say

    styles = {"ok": "green", "warning": "yellow", "failed": "red", "missing": "dim"}
    console = open_console(sys.stdout)
    say(console, f"attnfocus {__version__}", style="bold")
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        say(console, f"{finding.status:<8} {finding.name:<{width}}  {finding.detail}", style=styles[finding.status])
        if finding.advice:
            say(console, f"{'':<8} {'':<{width}}  {finding.advice}")
    say(console, "\nReady." if is_well else "\nA run would fail here: see the lines that failed.", style="bold")
