"""The README tells the truth."""

import re
from pathlib import Path

from tests.readme import README, TABLES, written

ROOT = Path(__file__).parent.parent


def test_the_tables_are_those_of_the_code():
    text = README.read_text()
    for name in TABLES:
        assert f"<!-- {name} -->" in text
    assert written(text) == text, "run python -m tests.readme"


def test_the_map_names_every_file_and_no_other():
    text = README.read_text()
    named = set(re.findall(r"^\| `([\w./-]+)` \|", text, re.MULTILINE))
    mapped = {name for name in named if "/" in name or name.endswith(".py")}
    there = {
        str(path.relative_to(ROOT))
        for folder in ("core", "db")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py" or path.parent.name in ("providers", "practice", "migrations")
    } | {"console_app.py"}
    assert mapped == there
