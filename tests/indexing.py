"""The index of words, brought up to date at once."""

from db import search
from db.history import SqliteHistory


def indexed(history: SqliteHistory) -> None:
    history.submit(lambda connection: search.index_new(connection, 100_000)).result()
