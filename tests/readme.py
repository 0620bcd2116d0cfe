"""Writes the README's tables from the code: `python -m tests.readme`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from core.config.settings import VARIABLES
from core.routing.strategies import STRATEGIES
from core.values.errors import RATED
from core.values.outcomes import OUTCOMES
from core.values.registry import PROVIDERS

README = Path(__file__).parent.parent / "README.md"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def providers() -> str:
    return _table(
        ("Provider", "Best for", "Key", "Default model"),
        (
            (
                spec.label,
                spec.best_for,
                " or ".join(f"`{name}`" for name in spec.key_env) or "none needed",
                f"`{spec.model}`",
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
    return _table(
        ("Variable", "Default", "Meaning"),
        (
            (f"`{row.name}`", f"`{row.default}`" if row.default else "none", row.meaning)
            for row in VARIABLES
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
                f"the provider {row.said}",
                row.next_provider,
                _CIRCUIT[row.circuit],
                "yes" if kind.value in RATED else "no",
            )
            for kind, row in OUTCOMES.items()
        ),
    )


def files() -> str:
    """Every module, with the first line of its docstring."""
    root = README.parent
    modules = [root / "console_app.py"]
    modules += sorted(path for folder in ("core", "db") for path in (root / folder).rglob("*.py"))
    rows = []
    for path in modules:
        said = ast.get_docstring(ast.parse(path.read_text())) or ""
        rows.append((f"`{path.relative_to(root)}`", said.splitlines()[0].rstrip(".")))
    return _table(("File", "What it is for"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "providers": providers,
    "strategies": strategies,
    "variables": variables,
    "outcomes": outcomes,
    "files": files,
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
