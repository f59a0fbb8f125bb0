"""The floors of docs/architecture.md: imports go down only, and in no circle."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "attnfocus"

# From the lowest floor to the highest. A room may import itself and the floors below it, not what stands beside it.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("grid", "limits", "regular_files"),
    (
        "errors",
        "marks",
        "records",
        "special",
        "stages",
        "visible",
        "collector",
        "events",
        "late_names",
        "layout",
        "local_packages",
        "locks",
        "own_files",
        "parent",
        "second_signal",
        "signatures",
        "threads",
        "version",
    ),
    ("files", "redaction"),
    ("attention", "data", "config", "display"),
    ("models",),
    ("decoding", "focus", "metrics"),
    ("tasks",),
    ("explanation", "tracking", "training"),
    ("inspection",),
    ("runs",),
    ("commands",),
    ("cli",),
)
# Beside the tower: only some floors may use them.
USED_BY: dict[str, set[str]] = {
    "config": {"runs", "inspection", "commands", "cli"},
    "display": {"tracking", "inspection", "runs", "commands", "cli"},
    "data": {"tasks", "explanation", "tracking", "inspection", "runs", "commands"},
}
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Full module names that a file imports, also inside functions and for types alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return frozenset(found)


@pytest.mark.parametrize("room", [room for rooms in FLOORS for room in rooms])
def test_imports_go_down_only(room: str) -> None:
    wrong = []
    for module, path in MODULES.items():
        for imported in imports_of(path) & MODULES.keys() if room_of(module) == room else ():
            other = room_of(imported)
            if other in ("", room) or imported == "attnfocus.__main__":
                continue
            if FLOOR_OF[other] >= FLOOR_OF[room] or room not in USED_BY.get(other, {room}):
                wrong.append(f"{module} imports {imported}")
    assert not wrong


def test_every_room_stands_on_a_floor() -> None:
    rooms = {room_of(module) for module in MODULES} - {"", "__main__"}
    assert rooms == set(FLOOR_OF)


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Circles, those for types alone too."""
    graph = {module: imports_of(path) & MODULES.keys() for module, path in MODULES.items()}
    done: set[str] = set()
    circles: list[list[str]] = []

    def visit(module: str, way: list[str]) -> None:
        if module in way:
            circles.append([*way[way.index(module) :], module])
            return
        if module in done:
            return
        for imported in sorted(graph[module]):
            visit(imported, [*way, module])
        done.add(module)

    for module in sorted(graph):
        visit(module, [])
    assert not circles, "\n".join(" -> ".join(circle) for circle in circles)


def test_only_cli_and_config_see_hydra() -> None:
    seen = {
        module
        for module, path in MODULES.items()
        if {name.split(".")[0] for name in imports_of(path)} & {"hydra", "omegaconf"}
    }
    assert {room_of(module) for module in seen} <= {"cli", "config"}


def test_the_architecture_page_names_every_room() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = [room for room in FLOOR_OF if not re.search(rf"(^|[`| ]){room}([`| ]|$)", page, re.M)]
    assert not missing


def test_files_stay_small() -> None:
    long = {str(path): lines for path in FILES if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 330}
    assert not long
