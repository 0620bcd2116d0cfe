"""Words are found whatever was typed, in any script, and marked where they stand."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.values.calls import Attempt, Message
from core.values.history import marks
from core.values.history.filters import CallFilter, RunFilter
from core.values.history.marks import END, HIT
from core.values.history.words import Term, terms_of
from core.values.runs import RunRecord, RunRequest
from db.lists import lists, search
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory
from tests.indexing import indexed
from tests.standin import eventually

ROOT = Path(__file__).resolve().parents[2]
START = 1_790_000_000.0


def say_only(history, *texts):
    """A call for each: what was asked, or that and the answer."""

    async def write():
        for number, text in enumerate(texts):
            asked, said = (text, None) if isinstance(text, str) else text
            begun = Attempt(
                history.next_call_id(), number, "openai", "gpt-4o", "random", START + number
            )
            await history.begin(begun, (Message("system", "Boilerplate"), Message("user", asked)))
            await history.end(replace(begun, status="ok", latency_ms=1.0), said)

    asyncio.run(write())


def say(history, *texts):
    say_only(history, *texts)
    indexed(history)


def found(archive, text, **wanted):
    frame = archive.page_of_calls(limit=100, wanted=CallFilter(text=text, **wanted))
    return frame["id"].tolist()


# -- what is asked for


@pytest.mark.parametrize(
    ("asked", "terms"),
    [
        ("tea", [Term(("tea",))]),
        ("Tea KETTLE", [Term(("Tea",)), Term(("KETTLE",))]),
        ('"tea kettle"', [Term(("tea", "kettle"))]),
        ("“tea kettle” now", [Term(("tea", "kettle")), Term(("now",))]),
        ("kett*", [Term(("kett",), begins=True)]),
        ('"tea kett"*', [Term(("tea", "kett"), begins=True)]),
        ('"never closed', [Term(("never", "closed"))]),
        ("self-test", [Term(("self", "test"))]),
        ("a.b*", [Term(("a", "b"), begins=True)]),
        ("北京", [Term(("北", "京"))]),
        ("", []),
        ('""', []),
        ("*", []),
        ('" * " - ( ) ^ : + {}', []),
    ],
)
def test_what_is_typed_becomes_words(asked, terms):
    assert list(terms_of(asked)) == terms


HOSTILE = [
    *('"', '""', '"""', "'", "*", "**", "tea*tea", "tea AND", "AND", "OR", "NOT", "NEAR(tea, 2)"),
    *("tea OR kettle", "NOT tea", "asked: tea", "asked : tea", "^tea", "tea + kettle", "-tea"),
    *("(tea", "tea)", "{asked answered} : tea", "tea\0kettle", "\0", "\ud800", "\ud800tea"),
    *("%", "_", "te_", "%tea%", "100%", "\\", "'; DROP TABLE call; --", "tea\n\tkettle", "🫖"),
    *("\u202etea", "\u0301", "e\u0301", "\ue000tea\ue001", "x" * 1_000, "x " * 500, '"x ' * 300),
    *("ß", "İ", "ﬁ", "Ａ", "\ufeff", "a" * 999 + "*", "rowid:1", "rank", "tea;", "#tea", "@tea"),
]


@pytest.mark.parametrize("typed", HOSTILE)
def test_nothing_that_is_typed_is_an_error(typed, history, archive):
    say(history, ("make tea", "in a kettle"), typed)
    wanted = CallFilter(text=typed)
    for ranked in (False, True):
        frame = archive.page_of_calls(limit=10, wanted=wanted, ranked=ranked)
        assert len(frame) == archive.count_calls(wanted)
    if terms_of(typed):
        assert 2 in found(archive, typed)  # whatever was written is found by what was written


def test_the_words_of_the_query_language_are_words(history, archive):
    say(history, "tea or kettle", "tea and not near", "kettle")
    assert found(archive, "tea OR kettle") == [1]
    assert found(archive, "NOT near") == [2]


# -- what is found


def test_every_word_has_to_be_there_in_question_or_answer(history, archive):
    say(history, ("make tea", "boil water in a kettle"), ("make coffee", "water first"), "tea")
    assert found(archive, "tea") == [3, 1]
    assert found(archive, "tea water") == [1]
    assert found(archive, "TEA Kettle") == [1]
    assert found(archive, "tea coffee") == []
    assert found(archive, "wat") == []
    assert found(archive, "wat*") == [2, 1]


def test_a_phrase_is_found_side_by_side_only(history, archive):
    say(history, "the green tea", "tea that is green", "green, tea!", ("so green", "tea"))
    assert found(archive, '"green tea"') == [3, 1]
    assert found(archive, '"green te"*') == [3, 1]
    assert found(archive, "green tea") == [4, 3, 2, 1]


def test_case_accents_and_width_make_no_difference(history, archive):
    say(history, "Café crème", "CAFE\u0301", "ｃａｆｅ", "STRASSE", "Москва́ ЗИМОЙ", "Ωμέγα")
    assert found(archive, "cafe") == [3, 2, 1]
    assert found(archive, "café") == [3, 2, 1]
    assert found(archive, "straße") == [4]
    assert found(archive, "зимой") == [5]
    assert found(archive, "ωμεγα") == [6]


@pytest.mark.parametrize(
    ("written", "sought", "missed"),
    [
        ("我想去北京旅游", "北京", "京北"),
        ("来週東京へ行きたい", "東京", "京東"),
        ("カレーの作り方", "作り方", "方り"),
        ("วางแผนเที่ยวเชียงใหม่", "เที่ยว", "ยวเที่"),
        ("한국어를 배우다", "한국어", "어국"),
        ("រៀបចំផែនការ", "ផែនការ", "ការផែន"),
        ("हिन्दी में योजना", "योजना", "योज"),
        ("خطة للسفر إلى القاهرة", "القاهرة", "قاهر"),
        ("תכנן טיול לחיפה", "לחיפה", "חיפ"),
        ("Kế hoạch đi Hà Nội", "hoạch", "hoạ"),
        ("plan 🎉 party", "🎉", "🎈"),
        ("the party🎉", "party", "part"),
    ],
)
def test_any_languages_letters_are_found_and_marked(written, sought, missed, history, archive):
    say(history, ("nothing", "else"), written)
    assert found(archive, sought) == [2]
    assert found(archive, missed) == []
    snippet = archive.page_of_calls(limit=1, wanted=CallFilter(text=sought))["snippet"].iloc[0]
    assert "".join(text for text, hit in marks.pieces(snippet) if hit) == sought


def test_what_a_system_message_says_is_not_found(history, archive):
    say(history, "tea")
    assert found(archive, "boilerplate") == []


def test_hits_come_newest_first_page_by_page_and_keep_to_the_other_filters(history, archive):
    say(history, *("tea" if number % 2 else "coffee" for number in range(20)))
    wanted = CallFilter(text="tea")
    pages = [
        archive.page_of_calls(limit=4, page=page, wanted=wanted)["id"].tolist()
        for page in (1, 2, 3, 4)
    ]
    assert pages == [[20, 18, 16, 14], [12, 10, 8, 6], [4, 2], []]
    assert archive.count_calls(wanted) == 10
    by_key = archive.page_of_calls(limit=2, before_id=12, wanted=wanted)
    assert by_key["id"].tolist() == [10, 8]
    assert found(archive, "tea", since=START + 15) == [20, 18, 16]
    assert found(archive, "tea", provider=("google",)) == []


def test_ranked_hits_begin_with_the_best(history, archive, monkeypatch):
    say(history, "tea tea tea", "tea " + "and much else " * 50, "tea and milk", "coffee")
    wanted = CallFilter(text="tea")
    ranked = archive.page_of_calls(limit=10, wanted=wanted, ranked=True)
    assert ranked["id"].tolist() == [1, 3, 2]
    second = archive.page_of_calls(limit=2, page=2, wanted=wanted, ranked=True)
    assert second["id"].tolist() == [2]
    monkeypatch.setattr(lists, "RANKED_AMONG", 2)  # the newest that hold it
    assert archive.page_of_calls(limit=9, wanted=wanted, ranked=True)["id"].tolist() == [3, 2]


def test_a_large_count_stops(history, archive, monkeypatch):
    monkeypatch.setattr(lists, "COUNTED_TO", 3)
    say(history, *("tea" for _ in range(5)))
    assert archive.count_calls(CallFilter(text="tea")) == 3
    assert archive.count_calls() == 5


# -- runs


def run_record(run_id="r", goal="Plan the tea", **changes):
    begun = RunRecord(run_id, RunRequest(goal), "random", False, START)
    return replace(begun, **changes)


def runs_found(archive, text):
    return archive.page_of_runs(limit=10, wanted=RunFilter(text=text))["id"].tolist()


def test_a_run_is_found_by_its_goal_and_by_its_plan_once_it_has_ended(history, archive):
    done = run_record(status="completed", plan=json.dumps({"steps": ["Boil the kettle"]}))

    async def run():
        await history.begin_run(run_record())
        assert runs_found(archive, "tea") == []
        await history.end_run(done)

    asyncio.run(run())
    indexed(history)
    assert runs_found(archive, "tea") == runs_found(archive, "kettle") == ["r"]
    assert archive.count_runs(RunFilter(text="tea")) == 1


def test_a_run_that_goes_on_is_found_by_what_it_says_in_the_end(history, archive):
    async def run():
        await history.begin_run(run_record())
        await history.end_run(run_record(status="completed", plan='"kettle"'))
        await history.begin_run(run_record(plan='"kettle"'))
        await history.end_run(run_record(status="completed", plan='"teapot"'))

    asyncio.run(run())
    indexed(history)
    assert runs_found(archive, "kettle") == []
    assert runs_found(archive, "teapot") == runs_found(archive, "tea") == ["r"]
    assert archive.count_runs(RunFilter(text="tea")) == archive.count_runs() == 1


# -- the index


def test_a_call_that_ends_twice_is_found_once(history, archive):
    begun = Attempt(history.next_call_id(), 0, "openai", "gpt-4o", "random", START)

    async def end():
        await history.begin(begun, (Message("user", "tea"),))
        for said in ("with milk", "with lemon"):
            await history.end(replace(begun, status="ok", latency_ms=1.0), said)

    asyncio.run(end())
    indexed(history)
    assert found(archive, "tea") == found(archive, "lemon") == [1]
    assert found(archive, "milk") == []


def test_what_was_cut_off_is_found_after_the_next_start(tmp_path):
    path = tmp_path / "console.db"
    history = SqliteHistory.open(path)
    begun = Attempt(history.next_call_id(), 0, "openai", "gpt-4o", "random", START)

    async def begin():
        await history.begin(begun, (Message("user", "tea"),))

    asyncio.run(begin())
    history.close()
    with closing(SqliteHistory.open(path)) as history, closing(Archive(path)) as archive:
        indexed(history)
        assert archive.call(1).status == "interrupted"
        assert found(archive, "tea") == [1]


def test_words_are_found_a_moment_after_the_answer(history, archive):
    say_only(history, "tea")
    assert eventually(lambda: found(archive, "tea") == [1])
    assert archive.rows("SELECT * FROM to_index") == []


def test_what_a_crash_left_without_an_index_is_found_after_the_next_start(tmp_path):
    path = tmp_path / "console.db"
    with closing(SqliteHistory.open(path)) as history:
        say(history, "tea", "tea")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO call_words(call_words) VALUES ('delete-all')")
        connection.execute("INSERT INTO to_index VALUES ('call', 1), ('call', 2)")
    with closing(SqliteHistory.open(path)), closing(Archive(path)) as archive:
        assert eventually(lambda: found(archive, "tea") == [2, 1])


def test_texts_from_before_the_index_come_into_it_once_each_from_the_newest_down(history, archive):
    say(history, *(f"tea number{number}" for number in range(10)))

    def as_it_was(connection):
        connection.execute("INSERT INTO call_words(call_words) VALUES ('delete-all')")
        connection.execute("INSERT INTO unindexed VALUES ('call', 11)")

    history.submit(as_it_was).result()
    say(history, "tea from after it")
    assert found(archive, "tea") == [11]

    def index(rows):
        return history.submit(lambda connection: search.index_older(connection, rows)).result()

    assert index(4) == 4
    assert found(archive, "tea") == [11, 10, 9, 8, 7]
    while index(4):
        pass
    assert found(archive, "tea") == list(range(11, 0, -1))
    assert archive.rows("SELECT * FROM unindexed") == []


def test_what_is_forgotten_leaves_nothing_in_the_index(history):
    say(history, "tea in 北京 🎉 café", ("kettle", "answer with \ud800"))

    def forget(connection):
        texts = search.texts_of(connection, search.CALLS, [1, 2], key="call.id")
        assert [text.key for text in texts] == [1, 2]
        search.forget(connection, search.CALLS, texts)
        connection.execute("CREATE VIRTUAL TABLE temp.kept USING fts5vocab(main, call_words, row)")
        return connection.execute("SELECT term FROM temp.kept").fetchall()

    assert history.submit(forget).result() == []


def test_the_words_are_there_after_a_vacuum(history, archive):
    say(history, "tea", "coffee", "tea")
    history.close()
    with closing(sqlite3.connect(history.path)) as connection:
        connection.execute("DELETE FROM call WHERE id = 2")
        connection.commit()
        connection.execute("VACUUM")
    assert found(archive, "tea") == [3, 1]


# -- marks


@pytest.mark.parametrize(
    ("text", "asked", "marked"),
    [
        ("make tea now", "tea", "make [tea] now"),
        ("Tea, TEA; steady", "tea", "[Tea], [TEA]; steady"),
        ("tea kettles", "tea kett*", "[tea] [kettles]"),
        ("green  -  tea, tea green", '"green tea"', "[green  -  tea], tea green"),
        ("le café crème", "cafe creme", "le [café] [crème]"),
        ("nothing here", "tea", "nothing here"),
        ("a <b>tea</b> *tea*", "tea", "a <b>[tea]</b> *[tea]*"),
        (f"{HIT}tea{END} teapot", "tea", "[tea] teapot"),
        ("snake_case", "case", "snake_[case]"),
        ("我想去北京", "北京", "我想去[北京]"),
    ],
)
def test_each_hit_is_marked(text, asked, marked):
    shown = marks.marked(text, terms_of(asked))
    assert shown.replace(HIT, "[").replace(END, "]") == marked
    assert "".join(piece for piece, _ in marks.pieces(shown)) == text.strip(HIT).replace(END, "")


def test_a_snippet_is_short_and_shows_the_first_hit():
    text = "word " * 500 + "the kettle boils " + "word " * 500
    snippet = marks.snippet(["nothing", text], terms_of("kettle"))
    assert f"the {HIT}kettle{END} boils" in snippet
    assert snippet.startswith("…")
    assert snippet.endswith("…")
    assert len(snippet) < 200


def test_a_snippet_of_json_is_without_its_signs():
    plan = json.dumps({"steps": [{"description": "Boil the\nkettle"}]})
    assert marks.snippet([plan], terms_of("kettle")).endswith(f"Boil the {HIT}kettle{END}")


def test_a_snippet_without_a_hit_is_the_beginning():
    assert marks.snippet(["", "the beginning"], terms_of("elsewhere")) == "the beginning"
    assert marks.snippet([], terms_of("elsewhere")) == ""


def test_a_piece_of_a_table_is_marked_in_a_moment():
    """With two ways to read each sign, marking it would take longer than anybody waits."""
    code = """
from core.values.history.marks import END, HIT, marked
from core.values.history.words import terms_of
line = "─" * 60 + "┼" + "─" * 60
text = " ".join([line] * 30)
found = marked(text, terms_of('"' + "─" * 25 + "┼" + '"'))
assert found.count(HIT) == found.count(END) == 30
assert marked("🎉" * 500, terms_of("🎉🎉🎉🎉🎉🎉🎉🎉🔥")) == "🎉" * 500
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
