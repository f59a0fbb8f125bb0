"""Packages that lie in the current folder: found there if `trust=` names them, and nothing else is.

The current folder is not on the path of `attnfocus` and of what it starts: a `yaml.py` in a folder that somebody sent
would be imported instead of the real one. So the named packages have a finder of their own, which is asked last.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

# Names and folder, in the environment: processes that are started from this one may get no command line.
_VARIABLE = "ATTNFOCUS_LOCAL_PACKAGES"


class _LocalFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        names, _, folder = os.environ.get(_VARIABLE, "").partition(os.pathsep)
        is_named = path is None and fullname in names.split(",")
        return PathFinder.find_spec(fullname, [folder], target) if is_named else None


def find_here(packages: Sequence[str]) -> None:
    """From now on these packages are also looked for in the current folder, here and in processes started from here."""
    if not packages:
        os.environ.pop(_VARIABLE, None)
        return
    os.environ[_VARIABLE] = ",".join(name.split(".")[0] for name in packages) + os.pathsep + os.getcwd()
    find_named()


@contextmanager
def finding_here(packages: Sequence[str]) -> Iterator[None]:
    """`find_here` for a while."""
    before = os.environ.get(_VARIABLE)
    find_here(packages)
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
        if before is not None:
            os.environ[_VARIABLE] = before


def find_named() -> None:
    """Does so in a process that was started from one that has called `find_here`."""
    if os.environ.get(_VARIABLE) and not any(isinstance(finder, _LocalFinder) for finder in sys.meta_path):
        sys.meta_path.append(_LocalFinder())
