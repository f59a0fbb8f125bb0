"""The wheel holds everything: installed into a fresh environment it trains from any folder.

Its dependencies are not installed once more: those that it declares, theirs, and no others, are linked from the
environment of the tests. So what it imports without declaring it is missing here, as it is where users install it.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tests_support import TINY_DATES, only_run, summary_of

ROOT = Path(__file__).resolve().parent.parent
SITE = Path(sysconfig.get_path("purelib"))


def dependencies(of: Distribution, extras: tuple[str, ...] = ("",)) -> Iterator[Distribution]:
    """What `pip install` would bring for a distribution, found in this environment; some of it more than once.

    Raises:
        PackageNotFoundError: it is not installed here.
    """
    for text in of.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            found = distribution(requirement.name)
            assert requirement.specifier.contains(found.version, prereleases=True), f"{text}, and it is {found.version}"
            yield found
            yield from dependencies(found, ("", *requirement.extras))


def link(distributions: dict[str, Distribution], site: Path) -> None:
    """Links their modules into another environment: whole folders, or file by file where others have a part in one."""
    owners = packages_distributions()
    for found in distributions.values():
        inside = [path for path in found.files or () if path.parts[0] != ".."]
        for top in sorted({path.parts[0] for path in inside}):
            if {owner.lower() for owner in owners.get(top, ())} <= distributions.keys():
                paths = [Path(top)]
            else:
                paths = [Path(path) for path in inside if path.parts[0] == top]
            for path in paths:
                (site / path).parent.mkdir(parents=True, exist_ok=True)
                if not (site / path).exists():
                    (site / path).symlink_to(SITE / path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_installed_wheel_trains_from_a_folder_elsewhere(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("attnfocus-*.whl")
    environment = tmp_path / "environment"
    venv.create(environment)
    install = ["--python", str(environment / "bin" / "python"), "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run([*pip, *install], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    (installed,) = Distribution.discover(name="attnfocus", path=[str(site)])
    link({found.name.lower(): found for found in dependencies(installed)}, site)

    folder = tmp_path / "a folder of 我的"
    folder.mkdir()
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ATTNFOCUS_DATA")}
    command = [str(environment / "bin" / "attnfocus"), "train", "model=seq2seq", "attention=additive", *TINY_DATES]
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = only_run(folder)
    assert summary_of(run)["status"] == "completed"
    predict = [str(environment / "bin" / "attnfocus"), "predict", f"run={run}"]
    done = subprocess.run(
        predict, cwd=tmp_path, env=clean, input="May 3, 1999\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
