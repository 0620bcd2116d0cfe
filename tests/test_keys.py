"""What looks like a key is neither sent nor kept until somebody says that it is none."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.keys import keys_in, without_keys
from core.config.settings import read_settings
from core.running.engine import Engine
from core.values.errors import KeyFound
from core.values.runs import RunRequest
from db.choices import Choices
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory

R = "Zx81Qw7Lk3Vb9Tn2Mh6P"  # nobody's
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{R}\n{R}==\n-----END RSA PRIVATE KEY-----"
KEYS = [
    f"sk-ant-api03-{R}",
    f"sk-proj-{R}_{R}",
    f"sk-{R}{R}",
    "sk-0123456789abcdef0123456789abcdef",
    "sk-abcdefghijklmnopqrstuvwx",
    "sk-canary-openai-0123456789abcdef",
    f"AIzaSy{R}-{R}",
    f"nvapi-{R}{R}",
    f"ghp_{R}{R}",
    f"github_pat_{R}_{R}",
    f"glpat-{R}",
    "AKIAIOSFODNN7ABCDEFG",
    f"aws_secret_access_key = {R}/{R}",
    f"xoxb-12345678901-{R}",
    f"hf_{R}abc",
    f"gsk_{R}abcdef",
    f"sk_live_{R}",
    f"xai-{R}{R}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{R}",
    f"Authorization: Bearer {R}{R}",
    f'"api_key": "{R}{R}"',
    PEM,
    PEM.replace("RSA ", "OPENSSH "),
    PEM.partition("\n-----END")[0],
]
NONE = [
    "Plan a weekend in Lisbon",
    "Ask-me-anything, task-0123456789abcdef, risk-abcdefghijklmnopqrstuvwxyz and disk-12345678abc",
    "revert 3f2a9c1d4e5b6a7f8c9d0e1f2a3b4c5d6e7f8a9b and sha256:" + "0f" * 32,
    "5f0c1d2e-3a4b-5c6d-7e8f-9a0b1c2d3e4f",
    "sk-learn-pipelines-for-beginners and sk-1",
    "Write OPENAI_API_KEY=sk-... or sk-ant-your-key-here or sk-xxxxxxxxxxxxxxxxxxxxxxxx",
    "api_key: your-api-key-goes-here-please",
    "The bearer of this letter, and the API key: how to rotate it",
    "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
    "AIza, nvapi-, ghp_ and AKIA are how keys begin",
    "the secret key to happiness is understanding",
    "Send [key] to 192.0.2.1",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_found_and_taken_out(key):
    text = f"Deploy with {key}\nby Friday."
    assert keys_in(text)
    without = without_keys(text)
    assert "[key]" in without
    assert R not in without
    assert without.startswith("Deploy with ")
    assert not keys_in(without)


@pytest.mark.parametrize("text", NONE)
def test_words_placeholders_and_digests_are_no_keys(text):
    assert keys_in(text) == frozenset()
    assert without_keys(text) == text


@given(st.text())
def test_what_is_taken_out_once_is_gone(text):
    assert without_keys(without_keys(text)) == without_keys(text)


@pytest.mark.parametrize(
    "piece", ["sk-", "sk-a1", "api_key", "api_key=", "eyJ", "-----BEGIN PRIVATE KEY-----", "a-",
              "bearer ", "sk-ant-", "a.", "=1a"]
)  # fmt: skip
def test_a_long_text_takes_no_longer_than_its_length(piece):
    text = piece * (1_000_000 // len(piece))
    begun = time.process_time()
    keys_in(text)
    assert time.process_time() - begun < 3


@pytest.fixture
def engine(tmp_path, yard):
    path = tmp_path / "console.db"
    history = SqliteHistory.open(path)
    archive = Archive(path)
    engine = Engine(read_settings(yard.env("openai"), None), history, archive, Choices(history))
    yield engine
    engine.close()
    archive.close()
    history.close()


def on_disk(engine):
    folder = engine.history.path.parent
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def sent(yard):
    return json.dumps([str(request) for request in yard["openai"].requests])


@pytest.mark.parametrize("key", KEYS)
def test_it_is_neither_sent_nor_kept(engine, yard, key):
    for goal, more in ((f"Deploy with {key}", {}), ("Deploy", {"context": f"Use {key}"})):
        with pytest.raises(KeyFound) as refused:
            engine.submit(RunRequest(goal, source="api", **more))
        assert "Take the key out" in str(refused.value)
        assert R not in str(refused.value)
    assert engine.runs.active() == []
    assert yard["openai"].requests == []
    assert R.encode() not in on_disk(engine)


def test_it_goes_without_the_key_or_as_it_is_when_somebody_says_so(engine, yard):
    key = KEYS[0]
    request = RunRequest(f"Deploy with {key}", context=key)
    without = engine.submit(request, keys="remove")
    assert engine.runs.get(without).done.wait(30)
    assert engine.runs.get(without).record.goal == "Deploy with [key]"
    assert engine.runs.get(without).record.request.context == "[key]"
    assert key not in sent(yard)
    assert key.encode() not in on_disk(engine)
    kept = engine.submit(RunRequest(f"Explain {key}", source="ui"), keys="keep")
    assert engine.runs.get(kept).done.wait(30)
    assert key in engine.runs.get(kept).record.goal


def test_a_changed_goal_and_an_edited_plan_are_looked_at_too(engine, yard):
    from tests.standin import PLAN, answer

    yard["openai"].script = lambda received: answer(PLAN)
    run_id = engine.submit(RunRequest("Plan a picnic", source="ui", approve=True))
    assert engine.runs.get(run_id).done.wait(30)
    plan = engine.runs.get(run_id).plan
    step = plan.steps[0].model_copy(update={"description": f"Use {KEYS[0]}"})
    edited = plan.model_copy(update={"steps": [step, *plan.steps[1:]]})
    with pytest.raises(KeyFound):
        engine.save_plan(run_id, edited)
    with pytest.raises(KeyFound):
        engine.carry_on(run_id, plan=edited)
    with pytest.raises(KeyFound):
        engine.replan(run_id, f"Plan with {KEYS[0]}")
    assert KEYS[0].encode() not in on_disk(engine)
