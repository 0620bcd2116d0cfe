"""Imports point one way; nothing that runs text as code or shows it as HTML is anywhere."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(
    [ROOT / "console_app.py", *(ROOT / "core").rglob("*.py"), *(ROOT / "db").rglob("*.py")]
)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {module_of(path): ast.parse(path.read_text()) for path in FILES}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports, wherever in it, `import_module("...")` included."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=module, names=names, level=0):
                yield from (f"{module}.{name.name}" for name in names)
            case ast.ImportFrom():
                yield "a relative import"
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if _called(node) in (
                "import_module",
                "__import__",
            ):
                yield name
            case ast.Call(args=[_, ast.Constant(value=str(name)), *_]) if any(
                "import_module" in (getattr(part, "id", ""), getattr(part, "attr", ""))
                for part in node.args[:1]
            ):  # handed to a thread
                yield name


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", None) or getattr(node.func, "attr", "")


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@dataclass(frozen=True)
class Rule:
    """`packages` are imported in `allowed` and nowhere else."""

    says: str
    packages: tuple[str, ...]
    allowed: tuple[str, ...]


RULES = (
    Rule(
        "SDKs are the adapters' own",
        ("openai", "anthropic", "google.genai", "xllamacpp"),
        ("core.providers",),
    ),
    Rule("Streamlit is the pages' own", ("streamlit",), ("console_app", "core.ui")),
    Rule("SQL is db's own", ("sqlite3", "sqlmodel", "sqlalchemy"), ("db",)),
    Rule("the core and its pages know no database", ("db",), ("console_app", "db")),
    Rule("Altair makes templates", ("altair",), ("core.insight.templates",)),
    Rule(
        "which Performance alone waits for",
        ("core.insight.templates", "core.insight.charts", "core.insight.sparks"),
        ("core.insight.charts", "core.insight.sparks", "core.ui.performance", "console_app"),
    ),
    Rule("nobody needs the pages", ("core.ui",), ("console_app", "core.ui")),
    Rule("nobody needs the root", ("console_app",), ()),
    Rule("the API is mounted, not used", ("core.web.api",), ("console_app",)),
    Rule("the guard stands in front", ("core.web.guard",), ("console_app",)),
    Rule("nothing is pickled", ("pickle", "marshal", "shelve", "dill"), ()),
)
# Each room imports only those before it; `db` needs the values alone, and the pages no SQL.
ROOMS = (
    "core.values",
    "core.routing",
    "core.planning",
    "core.config",
    "core.practice",
    "core.providers",
    "core.running",
    "core.insight",
    "core.web",
    "core.ui",
    "console_app",
)
# What is only a name for something in a room, as the system was first described.
DOORS = ("core.multi_provider_strategy", "core.llm_planner", "core.autonomous_orchestrator")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_a_package_is_imported_only_where_it_belongs(rule):
    strays = [
        f"{module} imports {name}"
        for module, tree in TREES.items()
        if not within(module, *rule.allowed)
        for name in imported(tree)
        if within(name, *rule.packages)
    ]
    assert strays == []


def test_a_room_imports_only_those_before_it():
    strays = [
        f"{module} imports {name}"
        for module, tree in TREES.items()
        if (room := room_of(module))
        for name in imported(tree)
        if (other := room_of(name)) and ROOMS.index(other) > ROOMS.index(room)
    ]
    assert strays == []


def test_every_module_is_in_a_room_or_is_a_door():
    rooms = {"core", *DOORS}
    assert [m for m in TREES if m not in rooms and not room_of(m) and not within(m, "db")] == []


def test_no_room_is_crowded():
    rooms = Counter(path.parent.relative_to(ROOT) for path in FILES)
    assert {str(room): files for room, files in rooms.items() if files > 14} == {}


def test_no_class_has_the_name_of_another():
    """But for a port and what fills it, a table and what it keeps, and what is a module's own."""
    classes: dict[str, set[str]] = {}
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and module != "db.schema" and node.name[0] != "_":
                classes.setdefault(node.name, set()).add(module)
    for modules in classes.values():
        if "core.values.ports" in modules:
            modules -= {module for module in modules if within(module, "db")}
    assert {name: sorted(found) for name, found in classes.items() if len(found) > 1} == {}


def test_no_file_has_the_name_of_another():
    """But for a page's."""
    pages = (ROOT / "core" / "ui" / "main.py").read_text()
    files = [
        path
        for path in FILES
        if not path.name.startswith("__") and f'"{path.parent.name}/{path.name}"' not in pages
    ]
    named = Counter(path.name for path in files)
    assert [str(path.relative_to(ROOT)) for path in files if named[path.name] > 1] == []


def test_nobody_comes_in_by_a_door():
    strays = [
        f"{module} imports {name}"
        for module, tree in TREES.items()
        for name in imported(tree)
        if within(name, *DOORS)
    ]
    assert strays == []


def test_the_database_knows_only_the_values_of_the_core():
    strays = [
        f"{module} imports {name}"
        for module, tree in TREES.items()
        if within(module, "db")
        for name in imported(tree)
        if within(name, "core", "console_app") and not within(name, "core.values")
    ]
    assert strays == []


def room_of(name: str) -> str | None:
    return next((room for room in ROOMS if within(name, room)), None)


def test_every_import_is_absolute():
    assert [m for m, tree in TREES.items() if "a relative import" in imported(tree)] == []


def test_imports_make_no_circle():
    """Those in functions and those for types alone are imports, too."""
    graph = {module: set(_ours(module, tree)) for module, tree in TREES.items()}
    assert circles(graph) == []


def _ours(module: str, tree: ast.Module) -> Iterator[str]:
    for name in imported(tree):
        # `from core.routing import health` and `from core.routing.health import Health` alike.
        found = name if name in TREES else name.rpartition(".")[0]
        if found in TREES and found != module:
            yield found


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Modules that need each other, by what each of them reaches."""
    reached = {module: set(needs) for module, needs in graph.items()}
    for between in graph:
        for needs in reached.values():
            if between in needs:
                needs |= reached[between]
    found = {frozenset({m, *(o for o in reached[m] if m in reached[o])}) for m in graph}
    return sorted(sorted(circle) for circle in found if len(circle) > 1)


def test_a_circle_is_found_wherever_it_closes():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert circles(graph) == [["b", "c"]]


def test_sdks_are_not_imported_at_the_top_of_a_file():
    """They take a second together, and most processes need few of them."""
    strays = [
        f"{module} imports {name}"
        for module, tree in TREES.items()
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imported(node)
        if within(name, *RULES[0].packages)
    ]
    assert strays == []


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) == name:
                yield module, node


@pytest.mark.parametrize("name", ["eval", "exec", "compile", "system", "popen"])
def test_no_text_is_run_as_code(name):
    allowed = {"re"} if name == "compile" else set()
    strays = [
        f"{module}, line {call.lineno}"
        for module, call in calls(name)
        if getattr(getattr(call.func, "value", None), "id", "") not in allowed
    ]
    assert strays == []


def test_nothing_is_shown_as_html_but_constants():
    strays = [
        f"{module}, line {call.lineno}"
        for module, tree in TREES.items()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _shows_html(call)
        if not (call.args and isinstance(call.args[0], ast.Constant))
    ]
    assert strays == []


def _shows_html(call: ast.Call) -> bool:
    of_streamlit = getattr(getattr(call.func, "value", None), "id", "") == "st"
    return (of_streamlit and _called(call) == "html") or any(
        keyword.arg == "unsafe_allow_html" for keyword in call.keywords
    )


def test_the_reader_of_imports_sees_every_way_to_import():
    source = """
import a.b, c
from d.e import f
def late():
    from g import h
    import_module("i.j")
    importlib.import_module("k")
    to_thread(import_module, "l")
    to_thread(importlib.import_module, "m")
    __import__("n")
"""
    assert set(imported(ast.parse(source))) == {
        "a.b", "c", "d.e.f", "g.h", "i.j", "k", "l", "m", "n",
    }  # fmt: skip
