"""`make test` tries the same examples on every machine; random ones are drawn by a target of their own."""

import re
from pathlib import Path

import pytest
from hypothesis import settings

MAKEFILE = Path(__file__).resolve().parent.parent / "Makefile"


def test_examples_are_drawn_at_random_only_where_that_is_asked_for(pytestconfig: pytest.Config) -> None:
    wants_random = pytestconfig.getoption("--hypothesis-profile") == "random"
    assert settings.default is not None
    assert settings.default.derandomize is not wants_random
    assert settings(max_examples=3).derandomize is not wants_random  # as a test's own settings are made


def test_one_target_asks_for_them() -> None:
    targets = MAKEFILE.read_text(encoding="utf-8").split("\n\n")
    asking = [text for text in targets if "--hypothesis-profile" in text]
    assert len(asking) == 1
    assert "\nrandom:" in asking[0]
    assert "-m hypothesis" in asking[0]


def test_whoever_waits_for_an_installation_is_told_for_how_long() -> None:
    installing = [text for text in MAKEFILE.read_text(encoding="utf-8").split("\n\n") if "pip install" in text]
    assert len(installing) == 2
    for text in installing:
        said, *_, installed = re.findall(r"^\t@?(.+)$", text, re.MULTILINE)[:2]
        assert re.fullmatch(r'echo "Installing attnfocus .+: \w+ to \w+ minutes, once\."', said)
        assert "pip install" in installed
