"""The floors of docs/architecture.md: imports go down only."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "attnfocus"

# Floor -> the rooms that it may import. A room may always import itself.
BOTTOM = {"errors", "limits", "events", "special", "redaction", "visible", "collector"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "limits": set(),
    "special": set(),
    "visible": set(),
    "collector": set(),
    "redaction": {"errors"},
    "events": set(),
    "attention": BOTTOM,
    "models": BOTTOM | {"attention"},
    "decoding": BOTTOM | {"attention", "models"},
    "focus": BOTTOM | {"attention", "models"},
    "data": BOTTOM,
    "tasks": BOTTOM | {"attention", "models", "decoding", "focus", "data"},
    "training": BOTTOM | {"tasks"},
    "report": BOTTOM | {"tasks", "focus"},
    "config": BOTTOM,
    "commands": BOTTOM | {"config", "data", "attention", "models", "decoding", "focus", "tasks", "training", "report"},
    "cli": BOTTOM | {"config", "commands"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(path: Path) -> set[str]:
    """Full module names that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imports_of(path) if name.startswith("attnfocus.")}
    return {name for name in names if not name.startswith("__")} - {room_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return  # the front doors
    assert room in ALLOWED, f"{room} stands on no floor: add it to docs/architecture.md and here"
    assert rooms_imported(path) <= ALLOWED[room]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_cli_and_config_see_hydra(path: Path) -> None:
    uses = {name.split(".")[0] for name in imports_of(path)} & {"hydra", "omegaconf"}
    assert not uses or room_of(path) in ("cli", "config")


def test_the_architecture_page_names_every_room() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = [room for room in ALLOWED if f"`{room}`" not in page and f"`{room}/`" not in page]
    assert not missing


def test_files_stay_small() -> None:
    long = {str(path): lines for path in FILES if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 330}
    assert not long
