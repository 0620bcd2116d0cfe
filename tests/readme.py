"""Writes the README's tables from the code: `python -m tests.readme`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from core.config.settings import VARIABLES
from core.routing.strategies import STRATEGIES
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS
from tests.test_imports import ROOMS

README = Path(__file__).parent.parent / "README.md"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def providers() -> str:
    return _table(
        ("Provider", "Best for", "Key", "Model, and its default", "Address"),
        (
            (
                spec.label,
                spec.best_for,
                " or ".join(f"`{name}`" for name in spec.key_env) or "none needed",
                f"`{spec.model_env}`: `{spec.model}`",
                f"`{spec.base_url_env}`",
            )
            for spec in PROVIDERS.values()
        ),
    )


def strategies() -> str:
    return _table(
        ("Strategy", "In the console", "What it does"),
        ((f"`{name}`", row.label, row.help) for name, row in STRATEGIES.items()),
    )


def variables() -> str:
    """Without those that stand in the table of providers."""
    listed = {
        name
        for spec in PROVIDERS.values()
        for name in (*spec.key_env, spec.model_env, spec.base_url_env)
    }
    return _table(
        ("Variable", "Default", "Meaning"),
        (
            (f"`{row.name}`", f"`{row.default}`" if row.default else "none", row.meaning)
            for row in VARIABLES
            if row.name not in listed
        ),
    )


_CIRCUIT = {
    "counts": "counts; the third in a row opens it",
    "rests": "rests as long as the vendor asks, else counts",
    "opens": "opens at once, needs you",
    "neutral": "does not move",
}


def outcomes() -> str:
    return _table(
        ("Reason", "In words", "Next provider", "Circuit", "Counts in the success rate"),
        (
            (
                f"`{kind.value}`",
                f"the provider {kind.outcome.said}",
                kind.outcome.next_provider,
                _CIRCUIT[kind.outcome.circuit],
                "yes" if kind.outcome.rated else "no",
            )
            for kind in ErrorKind
        ),
    )


def rooms() -> str:
    """Each room, with the first line of its docstring; in the order of the arrows."""
    root = README.parent
    found = [path.parent for path in (root / "core").glob("*/__init__.py")]
    rows = []
    for folder in [*sorted(found, key=_place), root / "db"]:
        said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
        rows.append((f"`{folder.relative_to(root)}`", said.splitlines()[0].rstrip(".")))
    return _table(("Room", "What it holds"), rows)


def _place(folder: Path) -> int:
    return ROOMS.index(f"core.{folder.name}")


TABLES: dict[str, Callable[[], str]] = {
    "providers": providers,
    "strategies": strategies,
    "variables": variables,
    "outcomes": outcomes,
    "rooms": rooms,
}


def written(text: str) -> str:
    for name, table in TABLES.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)",
            lambda match, table=table: f"{match[1]}{table()}{match[2]}",
            text,
            flags=re.DOTALL,
        )
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
