"""No form of a secret leaves by any way out."""

import asyncio
import base64
import io
import json
import logging
import os
import re
import subprocess
import sys
import timeit
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.config.settings import read_settings
from core.providers.connect import connect
from core.routing.router import Ask, MultiProviderStrategy
from core.running.engine import Engine
from core.running.run_json import run_as_json
from core.values.calls import Message, Request
from core.values.errors import AllProvidersFailed
from core.values.redaction import InPieces, Redactor, could_be_a_word, install
from core.values.runs import RunRequest
from core.web.run_documents import as_html, as_markdown
from db.choices import Choices
from db.lists.export import export_jsonl
from db.lists.queries import Archive
from db.sqlite.rows import storable_json
from db.sqlite.writer import SqliteHistory
from tests import standin
from tests.standin import CANARIES

ROOT = Path(__file__).parent.parent.parent
KEY = "sk-ant-api03-Kanarienvogel/with+signs=and-40-more"
SECRETS = [KEY, *(f"sk-{vendor}-{'x1Y2z3' * 8}" for vendor in ("a", "b", "c", "d", "e", "f"))]
redact = Redactor(SECRETS)


@pytest.fixture
def log():
    """Everything that is logged, through a handler that was there before the redactor."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    logger = logging.getLogger("tests.redaction")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    undo = install(redact)
    yield logger, stream.getvalue
    undo()
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        KEY[:20],
        quote(KEY, safe=""),
        quote(KEY),
        quote(KEY, safe="").lower().replace(KEY.lower()[:21], KEY[:21]),
        base64.b64encode(KEY.encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
        json.dumps(KEY),
        repr(f"Bearer {KEY}".encode()),
    ],
)
def test_every_form_of_a_key_is_replaced(form):
    said = redact(f"before {form} after")

    assert "[key]" in said
    assert said.startswith("before ")
    assert said.endswith(" after")
    assert KEY[:20] not in said


def test_what_is_url_encoded_is_found_in_either_case():
    secret = "Zq/7+x=Pk9w?Lm&2"
    redact = Redactor([secret])
    for encoded in (quote(secret, safe=""), quote_plus(secret)):
        lower = re.sub("%..", lambda code: code[0].lower(), encoded)
        assert lower != encoded
        assert [redact(f"at {form}.") for form in (encoded, lower)] == ["at [key]."] * 2


def test_a_password_with_quotes_and_umlauts_is_found_in_json():
    password = 'grün"\\käse'
    hide = Redactor([password])
    for ascii_only in (True, False):
        assert hide(json.dumps({"a": password}, ensure_ascii=ascii_only)) == '{"a": "[key]"}'


def test_the_longest_form_goes_first():
    assert Redactor(["s3cr3t-one", "s3cr3t-one-longer"])("s3cr3t-one-longer") == "[key]"


def test_short_secrets_and_none_leave_text_alone():
    assert Redactor(["abc", ""])("abcdef") == "abcdef"
    assert Redactor([])("anything") == "anything"


@given(st.text(), st.text(min_size=6), st.text())
def test_no_text_around_it_hides_a_secret(before, secret, after):
    assume(not could_be_a_word(secret))
    said = Redactor([secret])(before + secret + after)
    assert secret not in said.replace("[key]", "")


@given(st.text(alphabet="abc ", max_size=200))
def test_text_without_a_secret_is_untouched(text):
    assert redact(text) == text


def test_text_without_a_secret_costs_next_to_nothing():
    text = ("The plan has seven steps, sk-ant is only how a key begins, and so on. " * 80)[:5000]
    best = min(timeit.repeat(lambda: redact(text), number=50, repeat=40)) / 50
    assert best < 20e-6


def in_pieces(hide, pieces):
    """What is given out at each piece, and at the end."""
    redacted = InPieces(hide)
    return [*map(redacted, pieces), redacted("", last=True)]


@given(st.lists(st.text("&b", min_size=6), max_size=3), st.lists(st.text("&bc", max_size=9)))
def test_a_text_in_pieces_is_redacted_as_it_is_whole(secrets, pieces):
    hide = Redactor(secrets)
    assert "".join(in_pieces(hide, pieces)) == hide("".join(pieces))


@pytest.mark.parametrize("cut", range(1, len(KEY)))
def test_a_key_in_two_pieces_is_replaced(cut):
    said = in_pieces(redact, [f"before {KEY[:cut]}", f"{KEY[cut:]} after"])
    assert said == ["before ", "[key] after", ""]


def test_only_what_a_key_could_begin_with_waits_and_no_longer_than_that():
    pieces = ["Ask the sk", "ate, ask-", "ant: sk-an", "t-ap"]
    assert in_pieces(redact, pieces) == ["Ask the ", "skate, a", "sk-ant: ", "", "sk-ant-ap"]


def test_without_secrets_nothing_waits():
    assert in_pieces(Redactor([]), ["sk-", "ant"]) == ["sk-", "ant", ""]
    assert in_pieces(str.upper, ["sk-", "ant"]) == ["SK-", "ANT", ""]


WORDS = ["unused", "research", "description", "Research", "agent_type", "not-needed", "OpenAI",
         "password1", "12345678", "größer", "gpt-4o mini"]  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_a_secret_that_could_be_a_word_rewrites_no_text(word):
    hide = Redactor([word, KEY])
    for text in (f"{word}", f"Do {word} first, {word}.", f'{{"{word}": "{word}"}}', word * 3):
        assert hide(text) == text
    assert hide(f"{word} {KEY}") == f"{word} [key]"
    assert "".join(in_pieces(hide, [word[:3], word[3:]])) == word


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    "said",
    [
        "Incorrect API key provided: {}. You can find yours elsewhere.",
        "Illegal header value b'Bearer {}'",
        "authorization: bearer {}",
        "Authorization: Basic {}",
        '{{"api_key": "{}"}}',
        "{{'x-api-key': '{}'}}",
        "GET /v1/models?key={}&page=2",
        "GET /v1/models?api_key={}",
        "http://user:{}@host/",
        "Invalid token '{}'",
        "password={}",
        "CONSOLE_PASSWORD='{}'",
        "('x-goog-api-key', '{}')",
    ],
)
def test_where_it_stands_as_a_credential_a_word_is_replaced_too(word, said):
    hide = Redactor([word])
    assert hide.strictly(said.format(word)) == said.format("[key]")
    assert hide.strictly(said.format(f"{word}x")) == said.format(f"{word}x")


def test_a_complaint_keeps_its_words_where_none_of_them_is_a_credential():
    hide = Redactor(["research", "unused"])
    text = "The research tool is unused; 400 from /research/unused."
    assert hide.strictly(text) == text


@pytest.mark.parametrize("word", ["research", "description", "agent_type", "unused", "Lisbon"])
def test_a_run_is_kept_and_told_as_it_was_whatever_word_is_a_secret(word, tmp_path, yard):
    plan = json.loads(standin.PLAN)
    plan["reasoning"] = f"{word} comes first"
    plan["steps"][0] |= {
        "agent_type": word,
        "description": f"Do {word}",
        "parameters": {word: word},
    }
    yard["openai"].script = lambda received: standin.answer(json.dumps(plan))
    environment = {**yard.env("openai"), "OPENAI_API_KEY": word, "CONSOLE_PASSWORD": word}
    settings = read_settings(environment, None)
    hide = Redactor(settings.secrets)
    path = tmp_path / "console.db"
    history = SqliteHistory.open(path, redact=hide)
    archive = Archive(path)
    engine = Engine(settings, history, archive, Choices(history), redact=hide)
    goal, context = f"Plan {word} in Lisbon", f"{word} is unused"
    run_id = engine.submit(RunRequest(goal, source="api", context=context, execute=True))
    assert engine.runs.get(run_id).done.wait(30)
    told, kept = engine.runs.get(run_id), engine.runs.stored(run_id)
    lines = "".join(export_jsonl(path, {}))
    engine.close()
    archive.close()
    history.close()
    for run in (told, kept):
        assert run.record.goal == goal
        assert run.record.request.context == context
        assert run.plan.steps[0].agent_type == word
        assert run.plan.steps[0].parameters == {word: word}
        assert run.plan.reasoning == f"{word} comes first"
    assert "[key]" not in json.dumps(run_as_json(told)) + as_markdown(kept) + as_html(kept) + lines
    assert b"[key]" not in path.read_bytes()


@pytest.mark.parametrize("word", ["research", "description"])
def test_a_word_in_base64_is_no_word(word):
    assert Redactor([word])(base64.b64encode(word.encode()).decode()) == "[key]"


@pytest.mark.parametrize(
    "secret", ["Tr0ub4dor&3", "correct horse battery staple", "kJhQwErTzUi", "sk-team-abcdef", KEY]
)
def test_what_is_no_word_is_replaced_everywhere(secret):
    assert Redactor([secret])(f"Use {secret} here.") == "Use [key] here."


@pytest.mark.parametrize("secret", ['": [{"', '"}, {"a', 'grün"\\käse&1', "[1, 2, 3]"])
def test_json_stays_json_whatever_the_secret_is(secret):
    value = {"steps": [{"a": 1, "say": f"x{secret}y"}], "list": [1, 2, 3]}
    hide = Redactor([secret])
    for ascii_only in (True, False):
        said = json.loads(storable_json(json.dumps(value, ensure_ascii=ascii_only), hide))
        assert said == {"steps": [{"a": 1, "say": "x[key]y"}], "list": [1, 2, 3]}


def test_what_is_no_json_is_redacted_as_text():
    assert storable_json(f"not json {KEY}", redact) == "not json [key]"
    assert storable_json("[" * 100_000 + KEY, redact).endswith("[key]")


class Watches:
    """Keeps what it is shown."""

    def __init__(self):
        self.tokens = []

    def attempt_started(self, attempt):
        pass

    def token(self, ordinal, text):
        self.tokens.append(text)

    def attempt_ended(self, attempt):
        pass


def put(yard, *names, watcher=None):
    """An answer, or the error that there is none, from these providers."""

    async def once():
        providers = connect(yard.env(*names))
        router = MultiProviderStrategy(providers, redact=Redactor(CANARIES.values()))
        ask = Ask(Request((Message("user", "hi"),)), "priority", watcher=watcher)
        try:
            return await router.ask(ask)
        except AllProvidersFailed as error:
            return error
        finally:
            for provider in providers.values():
                await provider.aclose()

    return asyncio.run(once())


@pytest.mark.parametrize("name", ["anthropic", "openai", "google"])
def test_a_key_that_a_provider_says_in_two_pieces_is_not_shown(name, yard):
    yard[name].script = standin.answer(f"Your key is {CANARIES[name]}, and mine is sk-can")
    watcher = Watches()

    answer = put(yard, name, watcher=watcher)

    assert answer.reply.content == "".join(watcher.tokens)
    assert answer.reply.content == "Your key is [key], and mine is sk-can"


def test_what_waited_is_shown_when_the_answer_breaks_off(yard):
    yard["openai"].script = standin.stream_without_finish("Many keys begin with sk-can")
    watcher = Watches()

    put(yard, "openai", watcher=watcher)

    assert "".join(watcher.tokens) == "Many keys begin with sk-can"


@pytest.mark.parametrize("room", range(12, 45, 3))
def test_a_key_where_a_long_complaint_is_cut_is_not_kept_in_part(room, yard):
    for name in ("openai", "deepseek"):
        words = "x" * (499 - room) + " " + CANARIES[name]
        yard[name].script = standin.status(400, message=words)

    error = put(yard, "openai", "deepseek")

    for said in (error.message, *(attempt.message for attempt in error.attempts)):
        assert "sk-canary" not in said
        assert "1234" not in said
        assert len(said) <= 500


def test_a_message_and_its_arguments_are_scrubbed(log):
    logger, said = log
    logger.info("plain %s", KEY)
    logger.info(f"in the text {KEY}")
    logger.info("by name %(key)s", {"key": KEY})
    logger.info("an object %s", ValueError(KEY))
    assert said().count("[key]") == 4
    assert KEY[:20] not in said()


def test_a_record_without_a_secret_keeps_its_arguments(log):
    logger, _ = log
    record = logger.makeRecord("n", logging.INFO, "f", 1, "%s - %d", ("GET /", 200), None)
    assert record.args == ("GET /", 200)


def test_an_access_log_keeps_the_number_of_its_arguments(log):
    logger, _ = log
    record = logger.makeRecord("n", 20, "f", 1, "%s %s %d", ("GET", f"/?key={KEY}", 200), None)
    assert record.args == ("GET", "/?key=[key]", 200)


def test_a_log_call_with_the_wrong_arguments_shows_no_key(log, capsys):
    logger, said = log
    logger.info("two %s %s", KEY)
    assert "[key]" in said()
    assert KEY[:20] not in said() + capsys.readouterr().err


def test_a_traceback_with_a_chain_of_causes_is_scrubbed(log):
    logger, said = log
    cause = ValueError(f"Illegal header value b'Bearer {KEY}\\n'")
    error = RuntimeError("the call failed")
    error.__cause__ = cause
    logger.error("it broke", exc_info=error)
    assert "Illegal header value b'Bearer [key]" in said()
    assert "RuntimeError: the call failed" in said()
    assert KEY[:20] not in said()


def test_a_stack_is_scrubbed(log):
    logger, said = log
    logger.info("here", stack_info=True)
    assert "Stack (most recent call last)" in said()


def test_a_real_client_that_quotes_the_key_is_scrubbed(log):
    import httpx2

    logger, said = log
    try:
        httpx2.get("http://127.0.0.1:1/", headers={"authorization": f"Bearer {KEY}\n"})
    except (httpx2.HTTPError, ValueError):
        logger.exception("refused")
    assert "Traceback" in said()
    assert KEY[:20] not in said()


def test_undo_puts_everything_back():
    before = logging.getLogRecordFactory(), sys.excepthook, sys.unraisablehook
    install(redact)()
    assert (logging.getLogRecordFactory(), sys.excepthook, sys.unraisablehook) == before


UNCAUGHT = {
    "the main thread": "raise ValueError(KEY)",
    "another thread": """
import threading
def fail(): raise ValueError(KEY)
thread = threading.Thread(target=fail); thread.start(); thread.join()
""",
    "a finaliser": """
class Dying:
    def __del__(self): raise ValueError(KEY)
Dying()
""",
    "a task nobody awaits": """
import asyncio, gc
async def fail(): raise ValueError(KEY)
async def main():
    task = asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
asyncio.run(main())
""",
}


@pytest.mark.parametrize("code", UNCAUGHT.values(), ids=UNCAUGHT)
def test_what_nobody_catches_is_printed_without_the_key(code):
    head = (
        "from core.values.redaction import Redactor, install\n"
        "import os; KEY = os.environ['KEY']\n"
        "install(Redactor([KEY]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + code],
        cwd=ROOT, env={**os.environ, "KEY": KEY}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "ValueError: [key]" in done.stderr
    assert KEY[:20] not in done.stderr
