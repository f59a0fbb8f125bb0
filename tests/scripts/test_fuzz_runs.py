"""Whatever lies in a run directory, each verb answers politely; and the script that says so can say the contrary."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each case")]
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fuzz_runs.py"
SEED = 1


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_runs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_runs"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    module.SECONDS = 60  # other tests run beside
    return module


@pytest.fixture(scope="module")
def run(fuzz: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(fuzz.make_run(tmp_path_factory.mktemp("fuzz")))


def test_damaged_files_of_a_run_are_answered_politely(fuzz: ModuleType, run: Path) -> None:
    """20 of the 500 that the script tries by itself."""
    cases = fuzz.draw_cases(run, 500, SEED)[:20]
    assert {case.kind for case in cases} == set(fuzz.DAMAGES)
    problems = {case: problem for case in cases if (problem := fuzz.try_case(run, case, SEED)[0])}
    assert problems == {}


def test_an_error_that_nobody_caught_and_a_command_that_hangs_are_noticed(
    fuzz: ModuleType, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fuzz.VERBS, "traceback", ("evaluate", "run=run", "--debug"))
    monkeypatch.setitem(fuzz.VERBS, "hang", ("predict", "run=run", "input=never"))
    monkeypatch.setitem(fuzz.DAMAGES, "a pipe beside it", lambda path, draw: os.mkfifo(path.parents[1] / "never"))
    wrong = fuzz.try_case(run, fuzz.Case(0, "config.yaml", "gone", "traceback"), SEED)[0]
    assert wrong == "exit code 2 with a traceback"
    monkeypatch.setattr(fuzz, "SECONDS", 3)
    wrong = fuzz.try_case(run, fuzz.Case(0, "config.yaml", "a pipe beside it", "hang"), SEED)[0]
    assert wrong == "not done within 3 s"
