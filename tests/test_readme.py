"""The README tells the truth."""

from tests.readme import README, TABLES, written


def test_the_tables_are_those_of_the_code():
    text = README.read_text()
    for name in TABLES:
        assert f"<!-- {name} -->" in text
    assert written(text) == text, "run python -m tests.readme"
