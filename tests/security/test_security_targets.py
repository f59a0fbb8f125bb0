"""Nothing outside the allow-list is built: from a command line, from a folder of groups, from a run directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests_support import TINY_DATES, Command

pytestmark = pytest.mark.slow

MARK = "PWNED"  # a file that hostile code would make

GROUPS = {
    "a component": ("optimizer/evil.yaml", {"_target_": "os.system", "command": f"touch {MARK}"}),
    "a part of a component": (
        "attention/evil.yaml",
        {"_target_": "attnfocus.attention.Attention", "score": {"_target_": "os.system", "command": f"touch {MARK}"}},
    ),
    "a file written by our own code": (
        "dataset/evil.yaml",
        {"_target_": "attnfocus.files.write_json_atomically", "path": MARK, "content": {}},
    ),
    "a log file by our own code": (
        "tracker/evil.yaml",
        {"x": {"_target_": "attnfocus.tracking.log.RunLog", "path": MARK}},
    ),
    "a tracker as a data set": ("dataset/evil.yaml", {"_target_": "attnfocus.tracking.services.MLflow", "store": MARK}),
    "a tracker from elsewhere": ("tracker/evil.yaml", {"x": {"_target_": "os.system", "command": f"touch {MARK}"}}),
    "a metric from elsewhere": ("metric/evil.yaml", {"x": {"_target_": "os.system", "command": f"touch {MARK}"}}),
    "a function of our own as a metric": ("metric/evil.yaml", {"x": {"_target_": "attnfocus.metrics.base.measured"}}),
    "our own command": ("dataset/evil.yaml", {"_target_": "attnfocus.__main__.main"}),
    "a callback of Hydra": (
        "experiment/evil.yaml",
        {"hydra": {"callbacks": {"x": {"_target_": "os.system", "command": f"touch {MARK}"}}}},
    ),
    "a callback that begins well": (
        "experiment/evil.yaml",
        {"hydra": {"callbacks": {"x": {"_target_": "logging.os.system", "command": f"touch {MARK}"}}}},
    ),
    "a callback from elsewhere": (
        "experiment/evil.yaml",
        {
            "other": {"x": {"_target_": "subprocess.run", "args": ["touch", MARK]}},
            "hydra": {"callbacks": "${other}"},
        },
    ),
    "a handler of logs": (
        "experiment/evil.yaml",
        {
            "hydra": {
                "job_logging": {
                    "version": 1,
                    "handlers": {"x": {"class": "subprocess.Popen", "args": ["touch", MARK]}},
                    "root": {"handlers": ["x"]},
                }
            }
        },
    ),
    "a log file anywhere": (
        "experiment/evil.yaml",
        {
            "hydra": {
                "job_logging": {
                    "version": 1,
                    "handlers": {"x": {"class": "logging.FileHandler", "filename": MARK}},
                    "root": {"handlers": ["x"]},
                }
            }
        },
    ),
    "another program by its name": ("experiment/evil.yaml", {"hydra": {"job": {"env_set": {"PATH": "here"}}}}),
}


@pytest.mark.parametrize("case", GROUPS)
def test_a_hostile_group_builds_nothing(
    case: str, command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content = GROUPS[case]
    path = tmp_path / "mine" / name
    path.parent.mkdir(parents=True)
    header = "# @package _global_\n" if name.startswith("experiment") else "# mine\n"
    path.write_text(header + yaml.safe_dump(content))
    group = name.split("/")[0]
    assert command("train", "--config-dir", "mine", f"{group}=evil") == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine"]


def test_a_hostile_choice_of_a_sweep_builds_nothing(attnfocus: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine" / "experiment" / "evil.yaml"
    path.parent.mkdir(parents=True)
    callback = {"_target_": "os.system", "command": f"touch {MARK}"}
    path.write_text("# @package _global_\n" + yaml.safe_dump({"hydra": {"callbacks": {"x": callback}}}))
    path.with_name("good.yaml").write_text("# @package _global_\nseed: 2\n")
    done = attnfocus("train", "-m", "--config-dir", "mine", "experiment=good,evil", *TINY_DATES)
    assert done.returncode == 2, done.stderr
    assert "hydra.callbacks.x._target_: os.system" in done.stderr
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["optimizer._target_=os.system"],
        ["model._target_=attnfocus.data.reading.download.fetch"],
        ["+hydra.callbacks.x._target_=os.system"],
        ["hydra.launcher._target_=os.system"],
        ["hydra.searchpath=[file:///tmp]"],
        ["--config-path", "/tmp"],
        ["--config-name", "evaluate"],
        ["--experimental-rerun", "evil.pickle"],
    ],
)
def test_a_hostile_command_line_builds_nothing(
    arguments: list[str], command: Callable[..., int], tmp_path: Path
) -> None:
    assert command("train", *arguments) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["model", "dataset", "optimizer", "attention"])
def test_a_hostile_run_directory_builds_nothing(key: str, command: Callable[..., int], copy: Path) -> None:
    path = copy / "config.yaml"
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    values[key]["_target_"] = "attnfocus.files.replace_file"
    values["trust"] = ["attnfocus"]  # a run directory cannot trust itself
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    before = sorted(copy.rglob("*"))
    for arguments in (["evaluate", f"run={copy}"], ["predict", f"run={copy}"], ["train", f"resume={copy}"]):
        assert command(*arguments) == 2
    assert sorted(copy.rglob("*")) == before


def test_a_run_directory_starts_no_tracker(command: Callable[..., int], copy: Path) -> None:
    """Not even one of ours: what sends or writes is named on the command line that does so."""
    path = copy / "config.yaml"
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    tracker = {"_target_": "attnfocus.tracking.services.MLflow", "store": str(copy / MARK)}
    path.write_text(yaml.safe_dump({**values, "tracker": {"x": tracker}}), encoding="utf-8")
    assert command("evaluate", f"run={copy}") == 0
    assert command("train", f"resume={copy}", "trainer.max_steps=8") == 0
    assert not (copy / MARK).exists()


@pytest.mark.parametrize("target", ["attnfocus.tracking.services.MLflow", "attnfocus.files.replace_file"])
def test_a_hostile_metric_of_a_run_directory_builds_nothing(
    target: str, command: Callable[..., int], copy: Path
) -> None:
    path = copy / "config.yaml"
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**values, "metric": {"x": {"_target_": target}}}), encoding="utf-8")
    before = sorted(copy.rglob("*"))
    for arguments in (["evaluate", f"run={copy}"], ["train", f"resume={copy}"]):
        assert command(*arguments) == 2
    assert sorted(copy.rglob("*")) == before


WRITTEN = {  # of Hydra's own section, by somebody else
    "env_set": {"job": {"env_set": {"HOME": "here"}}},
    "env_set of a compiler": {"job": {"env_set": {"CXX": "here"}}},
    "chdir": {"job": {"chdir": True}},
    "run.dir": {"run": {"dir": "/tmp/elsewhere"}},
    "output_subdir": {"output_subdir": "."},
    "sweep.dir": {"sweep": {"dir": "elsewhere"}},
    "a callback that pickles": {"callbacks": {"x": {"_target_": "hydra.experimental.callbacks.PickleJobInfoCallback"}}},
    "mode": {"mode": "MULTIRUN"},
    "what was typed": {"overrides": {"task": ["trust=[mine]"]}},
    "a sweep over trust": {"sweeper": {"params": {"trust": "[mine]"}}},
    "a sweep over the section": {"sweeper": {"params": {"hydra.job.chdir": "true"}}},
}


@pytest.mark.parametrize("case", WRITTEN)
def test_44_what_decides_over_files_and_programs_may_be_typed_but_not_read(
    case: str, command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine" / "experiment" / "evil.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("# @package _global_\n" + yaml.safe_dump({"hydra": WRITTEN[case]}), encoding="utf-8")
    for flags in ([], ["-m"]):
        assert command("train", *flags, "--config-dir", "mine", "experiment=evil", *TINY_DATES) == 2
        said = capsys.readouterr().err
        assert "not read from a file" in said or "but read from a file" in said
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine"]


def test_44_a_primary_file_of_ones_own_says_nothing(command: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    shipped = (Path(__file__).resolve().parents[2] / "configs" / "train.yaml").read_text(encoding="utf-8")
    evil = shipped.replace("output_subdir: null", "output_subdir: .")
    assert evil != shipped
    (tmp_path / "mine" / "train.yaml").write_text(evil, encoding="utf-8")
    assert command("train", "--config-dir", "mine", *TINY_DATES) == 0  # the shipped one counts
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine", "outputs"]


def test_44_what_was_typed_still_holds(attnfocus: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine" / "experiment" / "good.yaml"
    path.parent.mkdir(parents=True)
    sweeper = {"hydra": {"sweeper": {"params": {"seed": "1,2"}}, "verbose": False}}
    path.write_text("# @package _global_\n" + yaml.safe_dump({"seed": 2, **sweeper}), encoding="utf-8")
    typed = ["hydra.output_subdir=.hydra", "+hydra.job.env_set.MINE=1", "run_dir=run"]
    done = attnfocus("train", "--config-dir", "mine", "experiment=good", *typed, *TINY_DATES)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".hydra" / "config.yaml").is_file()


def test_hydras_own_choices_still_work(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("train", "hydra/job_logging=default", "hydra/launcher=basic", "--cfg", "job", "-p", "seed") == 0
    assert capsys.readouterr().out.strip() == "1"
