"""A history of its own for each test, and who reads it."""

import pytest

from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory


@pytest.fixture
def history(tmp_path):
    opened = SqliteHistory.open(tmp_path / "console.db")
    yield opened
    opened.close()


@pytest.fixture
def archive(history):
    opened = Archive(history.path)
    yield opened
    opened.close()
