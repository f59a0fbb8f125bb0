"""`attnfocus doctor` says what a machine has, and whether a run would work on it."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests_support import Command, assert_polite

from attnfocus.commands.doctor import checks as findings
from attnfocus.commands.doctor import command as doctor
from attnfocus.commands.doctor.checks import folder_finding, short_run_finding, usable_cores, versions

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CHECKS = {"python", "packages", "device", "threads", "paths.outputs", "paths.data", "self-test"}
EXTRAS = {"extra hub", "extra launch", "extra mlflow", "extra search", "extra torchtext", "extra wandb"}


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
    assert "device=auto" in checks["device"]["detail"] or "counted from 0" in checks["device"]["detail"]


@pytest.mark.parametrize("arguments", [["--jsn"], ["format=xml"], ["paths.outputz=x"], ["-m", "device=cpu,auto"]])
def test_a_mistake_is_a_usage_error(arguments: list[str], attnfocus: Command) -> None:
    assert_polite(attnfocus("doctor", *arguments), 2)


def test_what_breaks_a_check_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object) -> object:
        raise ImportError("libcudart.so.12: cannot open shared object file\nmore")

    monkeypatch.setattr(doctor, "device_finding", broken)
    monkeypatch.setattr(doctor, "short_run_finding", broken)
    found = {
        each.name: each for each in doctor.examine(doctor.DoctorConfig(paths=doctor.DoctorPaths(data=str(tmp_path))))
    }
    assert found["device"].status == found["self-test"].status == "failed"
    assert found["device"].detail == "ImportError: libcudart.so.12: cannot open shared object file"


def test_a_missing_package_gives_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["torch>=2.4", "no-such-package[x]>=1", "no-such-extra; extra == 'hub'"]
    monkeypatch.setattr(findings, "requires", lambda name: needed)
    found = findings.package_finding()
    assert found.status == "failed"
    assert found.advice.endswith("-m pip install no-such-package")
    extras = {each.name: each for each in findings.extras_findings()}
    assert extras["extra hub"].status == "missing"
    assert extras["extra hub"].advice == "pip install 'attnfocus[hub]'"


def test_a_run_that_dies_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(findings, "SHORT_RUN", ("model=seq2seq", "dataset.num_trains=64"))
    found = short_run_finding("cpu", tmp_path / "outputs")
    assert found.status == "failed"
    assert "the run ended with 2: " in found.detail
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_only_a_warning_for_data(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert folder_finding("paths.data", tmp_path / "taken" / "x", "warning").status == "warning"
    assert folder_finding("paths.outputs", tmp_path / "taken" / "x", "failed").status == "failed"


def test_more_threads_than_cores_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "usable_cores", lambda: 0.5)
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    found = findings.threads_finding()
    assert found.status == "warning"
    assert "OMP_NUM_THREADS=1" in found.advice
    assert usable_cores() > 0


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
        "checks.folder_finding('paths.data', command._data_folder(config), 'warning')\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
