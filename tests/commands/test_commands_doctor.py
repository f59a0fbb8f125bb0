"""`attnfocus doctor` says what a machine has, and whether a run would work on it."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import Command, assert_polite

from attnfocus.commands.doctor.checks import (
    Finding,
    extras_findings,
    folder_finding,
    package_finding,
    short_run_finding,
    threads_finding,
    usable_cores,
    versions,
)
from attnfocus.commands.doctor.command import DoctorConfig, checks_of, examine

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CHECKS = {"python", "packages", "device", "cpu bf16", "threads", "paths.outputs", "paths.data", "self-test"}
EXTRAS = {f"extra {name}" for name in ("audio", "baseline", "hub", "launch", "mlflow", "search", "torchtext", "wandb")}


def test_a_healthy_machine_is_ready_and_nothing_is_left_behind(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("doctor", "--json", "device=cpu", f"paths.data={tmp_path / 'data'}")
    assert done.returncode == 0, done.stderr + done.stdout
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["ok"] is True
    assert set(report["checks"]) == CHECKS | EXTRAS
    assert all(report["checks"][name]["status"] in ("ok", "warning") for name in CHECKS)
    facts = report["checks"]["self-test"]["facts"]
    assert facts["steps"] == 3
    assert facts["seconds"] > 0
    assert report["checks"]["packages"]["facts"]["versions"]["torch"] == importlib.metadata.version("torch")
    assert report["checks"]["threads"]["facts"]["OMP_NUM_THREADS"] == "1"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_named_with_a_way_out(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = attnfocus("doctor", "device=cpu", "paths.outputs=taken")
    assert done.returncode == 1
    assert re.search(r"failed +paths.outputs", done.stdout)
    assert "paths.outputs=..." in done.stdout
    assert "A run would fail here" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_device_that_is_not_there_fails(attnfocus: Command) -> None:
    done = attnfocus("doctor", "--json", "device=cuda:99")
    assert done.returncode == 1
    checks = json.loads(done.stdout)["checks"]
    assert checks["device"]["status"] == checks["self-test"]["status"] == "failed"
    assert "device=cpu" in checks["device"]["detail"] or "counted from 0" in checks["device"]["detail"]


@pytest.mark.parametrize("arguments", [["--jsn"], ["format=xml"], ["paths.outputz=x"], ["-m", "device=cpu,auto"]])
def test_a_mistake_is_a_usage_error(arguments: list[str], attnfocus: Command) -> None:
    assert_polite(attnfocus("doctor", *arguments), 2)


def test_what_breaks_a_check_is_a_finding() -> None:
    def broken() -> Finding:
        raise ImportError("libcudart.so.12: cannot open shared object file\nmore")

    checks = dict(checks_of(DoctorConfig()))
    first, second = examine([("device", broken), ("python", checks["python"])])
    assert (first.name, first.status) == ("device", "failed")
    assert first.detail == "ImportError: libcudart.so.12: cannot open shared object file"
    assert second.status == "ok"


def test_a_missing_package_gives_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation of ours that wants packages which are not there stands before the real one."""
    installed = tmp_path / "attnfocus-99.dist-info"
    installed.mkdir()
    needed = ["torch>=2.4", "no-such-package[x]>=1", "no-such-extra; extra == 'hub'"]
    lines = ["Metadata-Version: 2.1", "Name: attnfocus", "Version: 99", "Provides-Extra: hub"]
    (installed / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {each}" for each in needed), ""]))
    monkeypatch.syspath_prepend(tmp_path)
    found = package_finding()
    assert found.status == "failed"
    assert found.advice.endswith("-m pip install no-such-package")
    extras = {each.name: each for each in extras_findings()}
    assert extras["extra hub"].status == "missing"
    assert extras["extra hub"].advice == "pip install 'attnfocus[hub]'"


def test_a_run_that_dies_is_a_finding(tmp_path: Path) -> None:
    found = short_run_finding("cuda:99", tmp_path / "outputs")
    assert found.status == "failed"
    assert "the run ended with 2: " in found.detail
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_only_a_warning_for_data(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert folder_finding("paths.data", tmp_path / "taken" / "x", "warning").status == "warning"
    assert folder_finding("paths.outputs", tmp_path / "taken" / "x", "failed").status == "failed"


def test_more_threads_than_cores_are_a_warning() -> None:
    before, cores = torch.get_num_threads(), usable_cores()
    try:
        torch.set_num_threads(int(cores) + 2)
        found = threads_finding()
    finally:
        torch.set_num_threads(before)
    assert found.status == "warning"
    assert f"OMP_NUM_THREADS={max(1, int(cores))}" in found.advice
    assert 0 < cores <= (os.cpu_count() or 1)


def test_the_packages_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(lines: list[str]) -> set[str]:
        return {re.split(r"[<>=~!\[ ]", line)[0] for line in lines}

    assert set(versions()) == names(project["dependencies"])
    assert set(versions("launch")) == names(project["optional-dependencies"]["launch"])


def test_facts_that_need_no_torch_are_found_without_it() -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from attnfocus.commands.doctor import checks, command\n"
        "config = command.DoctorConfig()\n"
        "checks.python_finding(), checks.package_finding(), checks.extras_findings()\n"
        "dict(command.checks_of(config))['paths.data']()\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
