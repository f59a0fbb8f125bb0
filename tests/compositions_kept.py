"""Compositions of the shipped files, kept for all commands of a test process: one takes longer than most commands do.

What Hydra itself makes of the files is tested in `tests/config/test_config_composition.py`, without them.
"""

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from omegaconf import open_dict

from attnfocus.config.composition import Composed, Compositions
from attnfocus.config.folder import shipped_folder

_SHIPPED = [shipped_folder()]
_compose_anew = Compositions._composed
_kept: dict[tuple[str, ...], bytes] = {}  # pickled: OmegaConf takes six times as long for a copy
_files: dict[str, Any] = {}  # verb -> its files as they were read


def _composed(self: Compositions, overrides: list[str]) -> Composed:
    if list(self._folders) != _SHIPPED:  # folders of users and of tests may change
        return _compose_anew(self, overrides)
    key = (self._verb, *overrides)
    if key not in _kept:
        self._files = self._files or _files.get(self._verb)
        made = _compose_anew(self, overrides)
        try:
            _kept[key] = pickle.dumps(made)
        except pickle.PicklingError:  # a test has had Hydra's modules loaded anew, whose classes are others then
            return made
        _files[self._verb] = self._files
    found: Composed = pickle.loads(_kept[key])
    with open_dict(found.section):
        found.section.runtime.cwd = os.getcwd()  # all that Hydra takes from the process
    return found


def keep_compositions() -> None:
    """From now on each command that chooses the same groups is given a copy."""
    Compositions._composed = _composed  # type: ignore[method-assign]


@contextmanager
def composed_anew() -> Iterator[None]:
    """As in a command of a user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compositions, "_composed", _compose_anew)
        yield
