"""A file of YAML that is huge, or unfolds into something huge, is refused at once, wherever it comes from."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import Command, assert_polite

from attnfocus.config.yaml_files import MAX_BYTES, check_interpolations, read_yaml
from attnfocus.errors import ConfigError

SECONDS = 1.0


def laughs(num: int = 30) -> str:
    """Each line stands for ten of the line above."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, num)]
    return "\n".join(lines)


def merges(num: int = 30) -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{p: {{<<: *a{i - 1}}}, q: {{<<: *a{i - 1}}}}}" for i in range(1, num)]
    return "\n".join(lines)


BOMBS = {
    "aliases": laughs(),
    "merge keys": merges(),
    "an alias of itself": "a: &a [*a, *a, *a]\n" + laughs(),
    "size": f"# {'x' * MAX_BYTES}\na: 1\n",
    "depth": "a: " + "[" * 500_000,
    "depth of mappings": "a: " + "{a: " * 100_000,
    "depth by question marks": "? " * 300_000,
    "many values": "a: [" + "1," * 400_000 + "]",
    "many keys": "\n".join(f"k{i}: 1" for i in range(60_000)),
    "a number of many digits": "a: " + "9" * 900_000,
    "a number of base 60": "a: 1" + ":01" * 300_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_at_once(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMBS[bomb])
    began = time.process_time()
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert time.process_time() - began < SECONDS
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.slow
@pytest.mark.timeout(60)  # of seconds that the machine may be busy with other things
@pytest.mark.parametrize("bomb", ["aliases", "size"])
def test_a_bomb_among_the_users_own_groups_is_refused(bomb: str, attnfocus: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "optimizer"
    folder.mkdir(parents=True)
    (folder / "bomb.yaml").write_text(BOMBS[bomb])
    for arguments in (["train", "optimizer=bomb"], ["--help"]):
        done = attnfocus(*arguments, "--config-dir", "mine")
        assert_polite(done, 2)
        assert "bomb.yaml" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("bomb", ["aliases", "depth", "size"])
def test_a_bomb_in_a_run_directory_is_refused(
    bomb: str, command: Callable[..., int], copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "config.yaml").write_text(BOMBS[bomb])
    for arguments in (["evaluate", f"run={copy}"], ["predict", f"run={copy}"], ["train", f"resume={copy}"]):
        began = time.process_time()
        assert command(*arguments) == 2
        assert time.process_time() - began < 5 * SECONDS  # the command line is composed before
        assert "config.yaml" in capsys.readouterr().err


INTERPOLATIONS = {
    "texts": {f"a{i}": f"${{a{i + 1}}}${{a{i + 1}}}" for i in range(60)} | {"a60": "x"},
    "sections": {f"a{i}": {"x": f"${{a{i + 1}}}", "y": f"${{a{i + 1}}}"} for i in range(60)} | {"a60": {"z": 1}},
    "relative": {"s": {f"a{i}": f"${{.a{i + 1}}}${{.a{i + 1}}}" for i in range(60)} | {"a60": "x"}},
    "a resolver": {f"a{i}": [f"${{oc.select:a{i + 1}}}"] * 9 for i in range(20)} | {"a20": "x"},
    "a long chain": {f"a{i}": f"${{a{i + 1}}}" for i in range(20_000)},
}


@pytest.mark.parametrize("kind", INTERPOLATIONS)
def test_interpolations_that_unfold_are_refused_at_once(kind: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError, match="interpolations"):
        check_interpolations(INTERPOLATIONS[kind])
    assert time.process_time() - began < SECONDS


@pytest.mark.timeout(60)  # of seconds that the machine may be busy with other things
def test_a_bomb_of_interpolations_in_a_group_is_refused(attnfocus: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    lines = [f"a{i}: ${{a{i + 1}}}${{a{i + 1}}}" for i in range(60)]
    (folder / "bomb.yaml").write_text("\n".join(["# @package _global_", *lines, "a60: x"]))
    done = attnfocus("train", "experiment=bomb", "--config-dir", "mine")
    assert_polite(done, 2)
    assert "interpolations" in done.stderr


def test_the_shipped_configuration_is_far_from_every_limit() -> None:
    folder = Path(__file__).resolve().parents[2] / "configs"
    for path in folder.rglob("*.yaml"):
        assert path.stat().st_size < MAX_BYTES / 20
        read_yaml(path)
