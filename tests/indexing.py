"""The index of words, brought up to date at once."""

from db.lists import search
from db.sqlite.writer import SqliteHistory


def indexed(history: SqliteHistory) -> None:
    history.submit(lambda connection: search.index_new(connection, 100_000)).result()
