"""No file that a run writes holds a secret, wherever the run got it from; and the run can still go on."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from tests_support import TINY_DATES, Command, only_run, summary_of

from attnfocus import redaction
from attnfocus.config.read import resolve
from attnfocus.errors import ConfigError
from attnfocus.runs.config import RunConfig
from attnfocus.runs.resume import resumed

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]

# An optimizer that says everything that it was given, in every way that there is.
LEAKY = """
import logging, os, warnings
from attnfocus.training import adam

def leaky(parameters, lr: float = 0.01, api_key: str = "", endpoint: str = "", login: str = "", fails: bool = False):
    said = f"{api_key} {endpoint} {login} {os.environ['GH_TOKEN']}"
    logging.getLogger("attnfocus.leaky").info("log %s", said)
    warnings.warn(f"warning {said}")
    if fails:
        raise RuntimeError(f"error {said}")
    return adam(parameters, lr=lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0)
"""
YAML = """# mine
_target_: leaky_optimizer.leaky
lr: 0.01
api_key: ""
endpoint: https://${oc.env:SERVICE_USER}:${oc.env:SERVICE_WORD}@host/x
login: ""
fails: false
"""
SECRETS = {"typed": "typed-4711", "SERVICE_USER": "user-4712", "SERVICE_WORD": "word-4713", "GH_TOKEN": "ghtok-4714"}
OWN = ("--config-dir", "mine", "optimizer=own", "trust=[leaky_optimizer]")


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """The user's own group and its code, and the environment that they want."""
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    (tmp_path / "mine" / "optimizer" / "own.yaml").write_text(YAML)
    (tmp_path / "leaky_optimizer.py").write_text(LEAKY)
    named = {name: value for name, value in SECRETS.items() if name.isupper()}
    return {**named, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}


def leaks(folder: Path, secrets: Mapping[str, str]) -> list[str]:
    """Where a secret stands: in a file's name or content."""
    found = []
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for secret in secrets.values():
            if secret in str(path.relative_to(folder)) or secret.encode() in content:
                found.append(f"{path.name}: {secret}")
    return found


@pytest.mark.usefixtures("forgotten")
def test_no_file_of_a_run_holds_a_secret_and_the_run_goes_on(
    attnfocus: Command, tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (*OWN, f"optimizer.api_key={SECRETS['typed']}", f"optimizer.login={SECRETS['GH_TOKEN']}")
    done = attnfocus("train", *TINY_DATES, *given, **variables)
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert leaks(tmp_path / "outputs", SECRETS) == []
    for said in ("log <redacted> https://<redacted>", "warning <redacted> https://<redacted>"):
        assert said in (run / "train.log").read_text()
    saved = OmegaConf.to_container(OmegaConf.load(run / "config.yaml"), resolve=False)["optimizer"]  # type: ignore[index,call-overload]
    assert saved["api_key"] == "<redacted>"
    assert saved["endpoint"] == "https://${oc.env:SERVICE_USER}:${oc.env:SERVICE_WORD}@host/x"
    assert saved["login"] == "${oc.env:GH_TOKEN}"
    assert saved["fails"] is False

    assert attnfocus("evaluate", f"run={run}", "trust=[leaky_optimizer]", **variables).returncode == 0
    with pytest.raises(ConfigError, match=r"optimizer.endpoint: the environment variable SERVICE_USER is not set"):
        RunConfig.load("run", run)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"optimizer.api_key: a secret"):
        resumed(run, RunConfig({}), [])
    again = attnfocus("train", *TINY_DATES, *given, "resume=auto", "trainer.max_steps=8", **variables)
    assert again.returncode == 0, again.stderr
    assert summary_of(run)["steps"] == 8
    assert leaks(tmp_path / "outputs", SECRETS) == []


def test_no_file_of_a_failed_sweep_holds_a_secret(
    attnfocus: Command, tmp_path: Path, variables: dict[str, str]
) -> None:
    swept = "optimizer.api_key=typed-4711,typed-4799"
    done = attnfocus("train", "-m", *TINY_DATES, *OWN, swept, "seed=1,2", "optimizer.fails=true", **variables)
    assert done.returncode == 1, done.stderr
    assert len(list(tmp_path.glob("outputs/sweeps/*/*/*/traceback.txt"))) == 4
    assert leaks(tmp_path / "outputs", {**SECRETS, "other": "typed-4799"}) == []
    assert "error <redacted>" in done.stdout


def test_a_password_in_an_address_is_hidden() -> None:
    assert redaction.hide("get https://me:pw@host/a failed") == "get https://<redacted>@host/a failed"
    assert redaction.hide("see https://host/a@b") == "see https://host/a@b"


@pytest.mark.usefixtures("forgotten")
def test_what_comes_from_the_environment_is_hidden_unless_it_can_be_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables = {"WORD": "swordfish", "INDIRECT": "trout-17", "COUNT": "64", "NICE": "bf16-mixed"}
    for name, value in {**variables, "FOLDER": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    config = OmegaConf.create(
        {
            "trainer": {"precision": "${oc.env:NICE}"},
            "experiment": {"word": "${oc.env:INDIRECT}"},
            "dataset": {
                "_target_": "mine.Words",
                "indirect": "${experiment.word}",
                "word": "${oc.env:WORD}",
                "again": "the ${dataset.word}",
                "train": "${oc.env:FOLDER}/x.tsv",
                "count": "${oc.decode:${oc.env:COUNT}}",
                "default": "${oc.env:NOT_SET,nothing}",
            },
        }
    )
    values = resolve(config)
    saved = redaction.redact(values, with_references=True)
    assert saved["trainer"]["precision"] == "bf16-mixed"
    assert saved["experiment"] == {"word": "${oc.env:INDIRECT}"}
    assert saved["dataset"] == {
        "_target_": "mine.Words",
        "indirect": "${oc.env:INDIRECT}",
        "word": "${oc.env:WORD}",
        "again": "the ${oc.env:WORD}",
        "train": f"{tmp_path}/x.tsv",
        "count": 64,
        "default": "nothing",
    }
    assert redaction.restore(saved) == {**values, "experiment": saved["experiment"]}  # a component's options alone
    assert redaction.redact(values)["dataset"]["again"] == "the <redacted>"
    assert redaction.hide("it is swordfish") == "it is <redacted>"
    monkeypatch.delenv("WORD")
    with pytest.raises(ConfigError, match=r"dataset.word: the environment variable WORD is not set"):
        redaction.restore(saved)


@pytest.fixture
def forgotten() -> Iterator[None]:
    """As in a process that knows no secret yet."""
    before = dict(redaction.known)
    redaction.known.clear()
    yield
    redaction.known.clear()
    redaction.known.update(before)


@pytest.mark.parametrize("place", ["choices", "dataset.num_test", "dataset.nothing"])
def test_51_a_reference_of_a_run_directory_shows_no_variable(
    place: str,
    command: Callable[..., int],
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OF_THE_USER", "kestrel-nest")
    path = copy / "config.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    section, _, option = place.partition(".")
    names = [option] if option else list(values["choices"])
    values[section] |= dict.fromkeys(names, "${oc.env:OF_THE_USER}")
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    shown = []
    for arguments in (
        ["evaluate", f"run={copy}"],
        ["inspect", f"run={copy}", "text=May 3, 1999", "output=out"],
        ["compare", str(copy)],
        ["train", f"resume={copy}", "trainer.max_steps=8"],
    ):
        code = command(*arguments)
        assert code == (0 if place == "choices" or arguments[0] == "compare" else 2)
        captured = capsys.readouterr()
        shown += [captured.out, captured.err]
    assert "kestrel" not in "".join(shown)
    assert [file for file in copy.parent.rglob("*") if file.is_file() and b"kestrel" in file.read_bytes()] == []
