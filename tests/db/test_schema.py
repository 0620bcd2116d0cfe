"""The schema: of a new file, and of one of each earlier version that can be read."""

import hashlib
import re
import sqlite3
from contextlib import closing

import pytest

import db.schema
from core.values.history.filters import CallFilter, RunFilter
from core.values.periods import Period
from db.choices import Choices
from db.figures.performance import Performance
from db.lists.queries import Archive
from db.sqlite import files, schema_versions
from db.sqlite.ours import APPLICATION_ID
from db.sqlite.refusals import HistoryTooNew, HistoryTooOld
from db.sqlite.writer import SqliteHistory
from tests.db.old_files import old_file

OLD = range(schema_versions.OLDEST, schema_versions.CURRENT)


def of(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def shape(path):
    """All that is in it, whoever wrote its statements and how."""
    with closing(sqlite3.connect(path)) as connection:
        found = {}
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
            if kind == "table" and "_words" not in name:
                columns = 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)'
                list_of = "SELECT type, wr FROM pragma_table_list(?)"
                found[name] = [
                    connection.execute(asked, (name,)).fetchall() for asked in (columns, list_of)
                ]
            else:
                found[name] = re.sub(r'[\s()"]+|IF NOT EXISTS', "", sql or "")
        return found


def digest(path):
    return hashlib.sha256(path.read_bytes()).digest()


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    path = tmp_path_factory.mktemp("new") / "console.db"
    files.connect(path, busy_timeout=1.0).close()
    return path


def test_a_new_file_is_made_of_the_models(new):
    found = shape(new)
    tables = [table.name for table in db.schema.SQLModel.metadata.sorted_tables]
    assert set(tables) == {name for name, what in found.items() if isinstance(what, list)}
    assert found["call_rollup"][1] == [("table", 1)]  # without row ids
    assert of(new, "PRAGMA user_version") == [(schema_versions.CURRENT,)]


@pytest.fixture(params=OLD)
def old(request, tmp_path):
    return old_file(tmp_path / "console.db", request.param)


def test_a_file_of_an_earlier_version_comes_to_be_as_a_new_one_is(old, new):
    SqliteHistory.open(old).close()
    assert shape(old) == shape(new)
    assert int.from_bytes(old.read_bytes()[68:72], "big") == APPLICATION_ID


def test_a_file_of_an_earlier_version_keeps_every_row_figure_and_choice(old):
    with closing(SqliteHistory.open(old)) as history:
        assert (history.notice, history.degraded) == (None, None)
        assert history.next_call_id() == 4
        with closing(Choices(history)) as choices:
            assert choices.get("strategy") == "random"
            assert [change.new for change in choices.changes()] == ["random"]
    with closing(Archive(old)) as archive:
        assert archive.page_of_calls(limit=25)["status"].tolist() == ["interrupted", "ok", "failed"]
        assert archive.run("cut").status == "interrupted"
        assert (archive.run("old").goal, archive.run("old").decisions) == ("An old goal", ())
        assert archive.call_text(2)[1] == "a pot of tea"
        assert archive.page_of_calls(limit=25, wanted=CallFilter(text="pot"))["id"].tolist() == [2]
        for asked, runs in (("kimi", ["old"]), ("openai", ["cut", "old"]), ("nobody", [])):
            found = archive.page_of_runs(limit=25, wanted=RunFilter(provider=(asked,)))
            assert found["id"].tolist() == runs
        found = Performance(archive).summary(Period(0, 2e9), simulated=False)
        assert found.unpriced == 2  # the one that timed out, and the one that was cut off
    # One call was cut off just now, and counts from now on.
    assert (found.calls, found.ok, found.cost_usd, found.runs_saved) == (3, 1, 0.5, 1)


def test_a_file_of_an_earlier_version_whose_clock_was_set_back_is_known_as_such(old):
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE call SET started_at = started_at + 1e8 WHERE id = 2")
    SqliteHistory.open(old).close()
    assert of(old, "SELECT * FROM unordered") == [("call",)]


def test_a_file_of_an_earlier_version_is_copied_first_for_its_owner_alone(old):
    (version,) = of(old, "PRAGMA user_version")
    before = of(old, "SELECT * FROM call"), of(old, "SELECT * FROM run")
    SqliteHistory.open(old).close()
    copy = old.with_name("console.db.before-12")
    assert of(copy, "PRAGMA user_version") == [version]
    assert (of(copy, "SELECT * FROM call"), of(copy, "SELECT * FROM run")) == before
    assert copy.stat().st_mode & 0o777 == 0o600
    was = copy.stat().st_mtime_ns
    SqliteHistory.open(old).close()
    assert copy.stat().st_mtime_ns == was  # once


def test_where_the_copy_cannot_be_made_the_file_stays_as_it_is(tmp_path):
    old = old_file(tmp_path / "console.db", 11)
    before = digest(old)
    old.with_name("console.db.before-12").mkdir()
    with closing(SqliteHistory.open(old)) as history:
        assert "no new run can start" in history.degraded
    assert digest(old) == before


def test_a_step_that_fails_leaves_the_version_before_it_whole(tmp_path):
    old = old_file(tmp_path / "console.db", 9)
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("DROP TABLE run_stretch")  # the last step drops it
    before = shape(old)
    SqliteHistory.open(old).close()
    assert of(old, "PRAGMA user_version") == [(9,)]
    assert shape(old) == before


@pytest.mark.parametrize(
    ("version", "error", "says"),
    [
        (schema_versions.CURRENT + 1, HistoryTooNew, "newer Manyways"),
        (schema_versions.OLDEST - 1, HistoryTooOld, "open it once with Manyways 1.0"),
        (1, HistoryTooOld, "set DATABASE_URL to another file"),
    ],
)
@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_history_of_any_other_version_is_refused_and_untouched(
    version, error, says, journal, tmp_path
):
    path = old_file(tmp_path / "console.db", version)
    of(path, f"PRAGMA journal_mode = {journal}")
    before = digest(path)
    for _ in range(2):  # its lock was let go
        with pytest.raises(error, match=says):
            SqliteHistory.open(path)
    assert digest(path) == before
    assert sorted(each.name for each in tmp_path.iterdir() if "before" in each.name) == []
