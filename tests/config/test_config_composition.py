"""Compositions of many command lines are those that Hydra makes of each, and are made once per choice of groups."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compositions_kept import composed_anew, keep_compositions
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from presets_support import PRESETS, composed

from attnfocus.cli.command import job_folder
from attnfocus.cli.sweeps.jobs import _folder_names
from attnfocus.config import composition
from attnfocus.config.composition import Compositions
from attnfocus.config.folder import config_folders, shipped_folder
from attnfocus.errors import ConfigError

LINES = [
    [],
    ["attention=linear", "optimizer.lr=0.5", "trainer.max_steps=3"],
    ["optimizer.lr=${seed}", "attention=additive", "run_name='a b'"],
    ["dataset=identity", "hydra.sweep.dir=x", "seed=3", "hydra/job_logging=none", "hydra.launcher.foo=1"],
    ["attention=multi_head", "attention/score=dot", "attention.num_heads=2", "tracker=[tensorboard]"],
    ["trust=[a,b]", "hydra.verbose=true", "seed=1"],
    ["dataset=identity", "seed=1", "focus.span={weight: 1}"],
]
SEEDS = [["dataset=identity", f"attention={name}", f"seed={seed}"] for seed in (0, 1) for name in ("dot", "linear")]


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    with composed_anew():
        yield


def by_hydra(overrides: list[str]) -> DictConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(shipped_folder())):
        return compose("train", overrides, return_hydra_config=True)


def whole(config: DictConfig, section: DictConfig) -> Any:
    both = {**OmegaConf.to_container(config), "hydra": OmegaConf.to_container(section)}  # type: ignore[dict-item]
    both["hydra"]["runtime"].pop("output_dir", None)
    return both


def test_all_that_is_composed_is_what_hydra_composes() -> None:
    compositions = Compositions("train", config_folders(None))
    for line in [*LINES, *reversed(LINES)]:
        try:
            expected = by_hydra(line)
        except Exception:
            with pytest.raises(ConfigError):
                compositions.compose(line)
            continue
        composed = compositions.compose(line)
        section = expected.pop("hydra") if OmegaConf.set_struct(expected, False) is None else None
        assert whole(composed.config, composed.section) == whole(expected, section)
        assert list(composed.overrides) == [text for text in line if not text.startswith("hydra")]


def test_what_the_tests_keep_is_what_hydra_composes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_compositions()
    kept = [Compositions("train", config_folders(None)).compose(LINES[1]) for _ in range(2)]
    monkeypatch.chdir(tmp_path)
    kept.append(Compositions("train", config_folders(None)).compose(LINES[1]))
    with composed_anew():
        anew = Compositions("train", config_folders(None)).compose(LINES[1])
    assert kept[-1].section.runtime.cwd == str(tmp_path)
    assert whole(kept[-1].config, kept[-1].section) == whole(anew.config, anew.section)
    kept[0].config.seed = 5  # what a command changes is its own
    assert kept[1].config.seed != 5


def test_the_attentions_that_tests_compose_are_what_hydra_composes() -> None:
    lines = [[f"attention={name}"] for name in PRESETS[::6]]
    lines += [["attention=local", "attention/pattern=causal"], ["attention=multi_head", "attention.num_heads=2"]]
    for preset, *overrides in lines:
        with initialize_config_dir(version_base="1.3", config_dir=str(shipped_folder())):
            expected = compose(overrides=[f"+{preset}", *overrides]).attention
        assert composed(preset, *overrides) == OmegaConf.to_container(expected, resolve=True)
    with pytest.raises(HydraException):
        composed("attention=multi_head", "attention.num_haeds=2")


@pytest.mark.parametrize("wrong", ["optimizer.lr=a", "no.such=1", "attention=none", "seed=1,2", "lr=[", "+x=1"])
def test_what_hydra_refuses_is_refused(wrong: str) -> None:
    compositions = Compositions("train", config_folders(None))
    compositions.compose([])
    if wrong in ("optimizer.lr=a", "+x=1"):  # both are possible for Hydra: what a class takes is asked later
        compositions.compose([wrong])
        by_hydra([wrong])
        return
    with pytest.raises(ConfigError):
        compositions.compose([wrong])
    assert compositions.compose([]).values() == compositions.compose([]).values()


def test_jobs_are_composed_once_per_choice_of_groups_and_named_as_hydra_names_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    composed: list[list[str]] = []
    real = composition.compose

    def count(verb: str, overrides: list[str], **options: Any) -> DictConfig:
        composed.append(overrides)
        return real(verb, overrides, **options)

    monkeypatch.setattr(composition, "compose", count)
    jobs = [*SEEDS, ["attention=dot", "dataset=identity", "focus.span={weight: 1}", "seed=5"]]
    compositions = Compositions("train", config_folders(None))
    for number, job in compositions.each(jobs):
        expected = copy.deepcopy(by_hydra(jobs[number]))
        OmegaConf.set_struct(expected, False)
        expected.pop("hydra")
        assert OmegaConf.to_container(job.config) == OmegaConf.to_container(expected)
        assert job.overrides == jobs[number]
    assert len(composed) == 2

    folder = "hydra.sweep.subdir='${attnfocus.job_folder:${hydra.job.num},${hydra.job.override_dirname}}-${seed}'"
    excluded = "hydra.job.config.override_dirname.exclude_keys=[dataset]"
    names = _folder_names(by_hydra([folder, excluded]), compositions, SEEDS)
    assert names == [f"{job_folder(number, ','.join(job[1:]))}-{job[2][-1]}" for number, job in enumerate(SEEDS)]
    assert len(composed) == 2


def test_a_file_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    real = OmegaConf.load

    def load(file: Any) -> Any:
        read.append(Path(file.name))
        return real(file)

    monkeypatch.setattr(OmegaConf, "load", load)
    compositions = Compositions("train", config_folders(None))
    for name in ("dot", "linear", "additive"):
        compositions.compose([f"attention={name}"])
    assert len(set(read)) == len(read) > 10
