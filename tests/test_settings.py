"""Whatever stands in the environment and in `.env`, there are settings, and a sentence for it."""

import os
import pickle
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.settings import ROOT, VARIABLES, Secret, read_settings
from core.values.registry import PROVIDERS
from db.sqlite.ours import why_not

DEFAULTS = read_settings({}, None)
NAMES = [row.name for row in VARIABLES]


def read(**environ):
    return read_settings(environ, None)


def written(tmp_path, content):
    path = tmp_path / ".env"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_settings({}, path)


def complaints(settings):
    return [(problem.variable, problem.line) for problem in settings.problems]


# -- defaults


def test_an_empty_environment_is_fine():
    assert DEFAULTS.problems == ()
    assert DEFAULTS.keys == {}
    assert DEFAULTS.priority == tuple(PROVIDERS)
    assert DEFAULTS.models == {name: spec.model for name, spec in PROVIDERS.items()}
    assert set(DEFAULTS.base_urls.values()) == {None}
    assert DEFAULTS.database_path == ROOT / "data" / "console.db"
    assert (DEFAULTS.run_timeout, DEFAULTS.attempt_timeout) == (120, 45)
    assert (DEFAULTS.failure_threshold, DEFAULTS.cooldown) == (3, 60)
    assert (DEFAULTS.strategy, DEFAULTS.practice) == ("round_robin", "auto")
    assert (DEFAULTS.log_level, DEFAULTS.password_text) == ("INFO", None)
    assert DEFAULTS.allowed_hosts == ("localhost", "127.0.0.1")
    assert set(DEFAULTS.origin) == set(NAMES)
    assert set(DEFAULTS.origin.values()) == {"default"}


@pytest.mark.parametrize("row", VARIABLES, ids=lambda row: row.name)
def test_every_default_is_a_value_that_its_own_variable_takes(row):
    settings = read(**{row.name: f"  {row.default} "})
    assert settings.problems == ()
    assert settings.origin[row.name] == ("environment" if row.default else "default")


def test_no_variable_stands_twice_and_each_has_a_meaning():
    assert len(set(NAMES)) == len(NAMES)
    assert all(row.meaning for row in VARIABLES)


def test_a_whole_number_is_whole():
    assert isinstance(DEFAULTS.failure_threshold, int)


# -- keys


@pytest.mark.parametrize(
    "text",
    ["sk-1234567", " sk-1234567\n", "Bearer sk-1234567", "bearer  sk-1234567", '"sk-1234567"',
     "'Bearer sk-1234567'", "\tsk-1234567\r\n"],
)  # fmt: skip
def test_a_key_is_freed_of_what_copying_adds(text):
    settings = read(OPENAI_API_KEY=text)
    assert settings.keys["openai"].reveal() == "sk-1234567"
    assert settings.problems == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [("sk-\u201cabc", 4), ("sk-abc\ndef", 7), ("sk abc", 3), ("sk-\x00abc", 4), ("'sk-é'", 4),
     ("sk-\udcff", 4)],
)  # fmt: skip
def test_a_key_with_a_foreign_character_is_named_and_not_used(text, place):
    settings = read(OPENAI_API_KEY=text)
    assert "openai" not in settings.keys
    (problem,) = settings.problems
    assert f"key for OpenAI contains an invalid character at position {place};" in problem.sentence
    assert text not in str(problem)


def test_the_second_name_of_a_key_stands_in_for_the_first():
    assert read(MOONSHOT_API_KEY="second").keys["kimi"].reveal() == "second"
    both = read(MOONSHOT_API_KEY="second", KIMI_K2_API_KEY="first!")
    assert both.keys["kimi"].reveal() == "first!"
    bad = read(MOONSHOT_API_KEY="second", KIMI_K2_API_KEY="bröken")
    assert bad.keys["kimi"].reveal() == "second"


def test_an_empty_key_is_no_key():
    assert read(OPENAI_API_KEY="  ").keys == {}
    assert read(OPENAI_API_KEY="''").keys == {}


def test_a_secret_shows_itself_only_when_asked():
    settings = read(OPENAI_API_KEY="sk-canary-1", CONSOLE_PASSWORD="canary-2")
    shown = f"{settings!r} {settings} {settings.keys} {settings.keys['openai']}"
    assert "canary" not in shown
    assert set(settings.secrets) == {"sk-canary-1", "canary-2"}
    assert settings.password_text == "canary-2"
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1


@given(st.sampled_from(NAMES), st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_no_value_stops_the_start_or_shows_up_in_its_complaint(name, text):
    canary = f"{text}canary\x07"
    settings = read(**{name: canary})
    assert "canary" not in " ".join(map(str, settings.problems))
    assert settings.problems


# -- the rest, value by value


@pytest.mark.parametrize("text", ["abc", "-1", "0", "1e99", "nan", "inf", "", "1,5", "9" * 5000])
@pytest.mark.parametrize(
    ("name", "field"),
    [("LLM_RUN_TIMEOUT", "run_timeout"), ("LLM_ATTEMPT_TIMEOUT", "attempt_timeout"),
     ("LLM_FAILURE_THRESHOLD", "failure_threshold"), ("LLM_COOLDOWN", "cooldown")],
)  # fmt: skip
def test_a_senseless_number_gives_the_default_and_a_sentence(name, field, text):
    settings = read(**{name: text})
    assert getattr(settings, field) == getattr(DEFAULTS, field)
    assert settings.origin[name] == "default"
    assert complaints(settings) == ([(name, None)] if text else [])


def test_a_sensible_number_is_used():
    settings = read(LLM_COOLDOWN="1.5", LLM_FAILURE_THRESHOLD=" 7 ", LLM_ATTEMPT_TIMEOUT="0.5")
    assert (settings.cooldown, settings.failure_threshold) == (1.5, 7)
    assert settings.attempt_timeout == 0.5
    assert settings.problems == ()


@pytest.mark.parametrize(
    "text",
    ["ftp://host/", "host:8080", "http://", "https://user:canary@host/", "http://host\r\nX: y",
     "http://host:99999/", "http://[::1", "http://ho st/", "https://host/?key=canary",
     "javascript:x", "http://host:0", "http://höst"],
)  # fmt: skip
def test_a_bad_address_gives_the_vendors_own(text):
    settings = read(OPENAI_BASE_URL=text)
    assert settings.base_urls["openai"] is None
    assert complaints(settings) == [("OPENAI_BASE_URL", None)]
    assert "canary" not in repr(settings)


@pytest.mark.parametrize("text", ["http://127.0.0.1:9/v1", "https://host/", "http://[::1]:80/v1"])
def test_a_good_address_is_used(text):
    assert read(OPENAI_BASE_URL=text).base_urls["openai"] == text.rstrip("/")


@pytest.mark.parametrize(
    ("text", "front", "problems"),
    [
        ("nvidia,kimi", ["nvidia", "kimi"], 0),
        (" NVIDIA , Kimi ,,", ["nvidia", "kimi"], 0),
        ("kimi,kimi,nvidia,kimi", ["kimi", "nvidia"], 0),
        ("kimi,nobody,nvidia", ["kimi", "nvidia"], 1),
        ("nobody", [], 1),
        (",,,", [], 0),
        ("x," * 2000, [], 1),
    ],
)
def test_the_priority_list_forgives(text, front, problems):
    settings = read(LLM_PRIORITY=text)
    rest = [name for name in PROVIDERS if name not in front]
    assert settings.priority == (*front, *rest)
    assert len(settings.problems) == problems


def test_the_default_provider_goes_to_the_front_of_the_default_order():
    assert read(DEFAULT_LLM_PROVIDER=" Google ").priority[0] == "google"
    both = read(DEFAULT_LLM_PROVIDER="google", LLM_PRIORITY="kimi,openai")
    assert both.priority[:3] == ("kimi", "openai", "google")
    unknown = read(DEFAULT_LLM_PROVIDER="nobody")
    assert unknown.priority == DEFAULTS.priority
    assert complaints(unknown) == [("DEFAULT_LLM_PROVIDER", None)]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///x/y.db", ROOT / "x" / "y.db"),
        ("sqlite:////var/y.db", Path("/var/y.db")),
        ("postgresql://me:canary@host/db", None),
        ("sqlite://", None),
        ("sqlite:///", None),
        ("sqlite:///:memory:", None),
        ("sqlite:////tmp", Path("/tmp")),  # a folder, which the history then refuses
        (f"sqlite:///{'x' * 5000}", None),
        ("data/x.db", None),
    ],
)
def test_the_database_is_a_file(text, path):
    settings = read(DATABASE_URL=text)
    assert settings.database_path == (path or DEFAULTS.database_path)
    assert bool(settings.problems) == (path is None)
    assert "canary" not in repr(settings)


def test_choices_forgive_case_and_refuse_what_is_unknown():
    good = read(LLM_STRATEGY=" Best-Performance", CONSOLE_PRACTICE="OFF", LOG_LEVEL="debug")
    assert (good.strategy, good.practice, good.log_level) == ("best_performance", "off", "DEBUG")
    bad = read(LLM_STRATEGY="fastest", CONSOLE_PRACTICE="maybe", LOG_LEVEL="loud")
    assert (bad.strategy, bad.practice, bad.log_level) == ("round_robin", "auto", "INFO")
    assert len(bad.problems) == 3


@pytest.mark.parametrize(
    ("text", "hosts", "problems"),
    [
        ("Console.Example.com, [::1]", ("console.example.com", "::1"), 0),
        ("localhost,http://evil", ("localhost",), 1),
        ("host:8000", DEFAULTS.allowed_hosts, 1),
        ("*", DEFAULTS.allowed_hosts, 1),
        (",", (), 1),
    ],
)
def test_hosts_are_names(text, hosts, problems):
    settings = read(CONSOLE_ALLOWED_HOSTS=text)
    assert settings.allowed_hosts == (hosts or DEFAULTS.allowed_hosts)
    assert len(settings.problems) == problems


def test_a_model_file_has_to_be_there(tmp_path):
    model = tmp_path / "model.gguf"
    assert read(BITNET_MODEL_PATH=str(model)).bitnet_model_path is None
    assert read(BITNET_MODEL_PATH=str(tmp_path)).problems
    model.touch()
    assert read(BITNET_MODEL_PATH=str(model)).bitnet_model_path == model


# -- the file


def test_the_environment_wins_over_the_file(tmp_path):
    path = tmp_path / ".env"
    path.write_text("OPENAI_API_KEY=from-the-file\nKIMI_MODEL=from-the-file\nLLM_COOLDOWN=5\n")
    settings = read_settings({"OPENAI_API_KEY": "from-outside", "LLM_COOLDOWN": ""}, path)
    assert settings.keys["openai"].reveal() == "from-outside"
    assert settings.models["kimi"] == "from-the-file"
    assert settings.cooldown == 60
    assert settings.origin["OPENAI_API_KEY"] == "environment"
    assert settings.origin["KIMI_MODEL"] == ".env"
    assert settings.origin["LLM_COOLDOWN"] == "default"


def test_the_usual_ways_to_write_a_line(tmp_path):
    settings = written(
        tmp_path,
        "# a comment\n\nexport OPENAI_API_KEY='one-two'\nGOOGLE_API_KEY = \"three-four\" # said\n"
        "  KIMI_K2_API_KEY=five#six\nNVIDIA_API_KEY=seven # not this\nDEEPSEEK_API_KEY=\n",
    )
    keys = {name: secret.reveal() for name, secret in settings.keys.items()}
    assert keys == {
        "openai": "one-two", "google": "three-four", "kimi": "five#six", "nvidia": "seven",
    }  # fmt: skip
    assert settings.problems == ()


def test_an_open_quote_costs_its_own_line_and_nothing_else(tmp_path):
    settings = written(
        tmp_path, 'OPENAI_API_KEY="canary-open\nGOOGLE_API_KEY=good-one\nKIMI_K2_API_KEY="x"\n'
    )
    assert set(settings.keys) == {"google", "kimi"}
    assert complaints(settings) == [("OPENAI_API_KEY", 1)]
    assert "line 1" in str(settings.problems[0])
    assert "canary" not in str(settings.problems)


@pytest.mark.parametrize(
    ("bad", "about"),
    [
        (b"LLM_STRATEGY", "LLM_STRATEGY"),
        (b"canary and nothing else", ".env"),
        (b"canary=\x00", ".env"),
        (b"OPENAI_API_KEY=can\xe9ry", "OPENAI_API_KEY"),
        (b"=canary", ".env"),
        (b"OPENAI_API_KEY='canary' and more", "OPENAI_API_KEY"),
        (b"LLM_COOLDOWN=canary", "LLM_COOLDOWN"),
    ],
)
def test_a_bad_line_is_named_by_its_number_never_by_its_value(tmp_path, bad, about):
    settings = written(tmp_path, b"# caf\xc3\xa9\n" + bad + b"\nGOOGLE_API_KEY=good-one\n")
    assert settings.keys["google"].reveal() == "good-one"
    assert complaints(settings) == [(about, 2)]
    assert "canary" not in str(settings.problems)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"]
)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_editors_file_is_read(tmp_path, encoding, ending):
    text = ending.join(["OPENAI_API_KEY=good-one", "# größer", "KIMI_MODEL=k2", ""])
    settings = written(tmp_path, text.encode(encoding))
    assert settings.keys["openai"].reveal() == "good-one"
    assert settings.models["kimi"] == "k2"
    assert settings.problems == ()


def test_a_huge_file_is_read_from_its_beginning(tmp_path):
    settings = written(tmp_path, b"OPENAI_API_KEY=good-one\n" + b"X=yyyyyyyy\n" * 1_000_000)
    assert settings.keys["openai"].reveal() == "good-one"
    assert complaints(settings) == [(".env", None)]


def test_a_file_of_nonsense_is_named_in_few_sentences(tmp_path):
    assert len(written(tmp_path, b"nonsense\n" * 10_000).problems) == 21


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b'A="\n', b"A='b\\'\n", b": = ", b'=" ', b"x", b"A=${B}\n", b"'a'= "]
)
def test_a_large_file_of_nonsense_does_not_hold_the_start_up(tmp_path, line):
    begun = time.process_time()
    written(tmp_path, line * (1_000_000 // len(line)))
    assert time.process_time() - begun < 10  # it took minutes


def test_many_variables_are_read_in_time_and_the_last_word_holds(tmp_path):
    lines = [f"N{number}=${{N{number - 1}}}" for number in range(1, 3_000)]
    settings = written(tmp_path, "\n".join(["N0=good-one", *lines, "OPENAI_API_KEY=${N2999}"]))
    assert settings.keys["openai"].reveal() == "good-one"


def test_a_quoted_value_of_several_lines_ends_at_its_own_quote(tmp_path):
    settings = written(
        tmp_path, 'A="one\nLLM_COOLDOWN=5 \\"\nthree" # so\nLLM_RUN_TIMEOUT=33\nB="x\ny"\n'
    )
    assert (settings.cooldown, settings.run_timeout) == (60, 33)
    assert settings.problems == ()


def test_a_file_that_is_not_there_is_no_problem(tmp_path):
    assert read_settings({}, tmp_path / ".env").problems == ()


def _loop(path):
    path.symlink_to(path)


@pytest.mark.parametrize("make", [Path.mkdir, _loop, os.mkfifo])
def test_what_is_no_file_is_named(tmp_path, make):
    make(tmp_path / ".env")
    settings = read_settings({}, tmp_path / ".env")
    assert complaints(settings) == [(".env", None)]
    assert str(tmp_path) not in str(settings.problems)


def test_a_file_that_may_not_be_read_is_named():
    class Forbidden:
        def stat(self):
            raise PermissionError(13, "Permission denied")

    settings = read_settings({}, Forbidden())
    assert [str(problem) for problem in settings.problems] == [
        ".env: The file could not be read: permission denied."
    ]


@given(st.binary(max_size=300))
def test_no_file_stops_the_start(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("env") / ".env"
    path.write_bytes(b"OPENAI_API_KEY=good-one\n" + content)
    assert read_settings({}, path).priority


def test_a_value_is_filled_in_with_what_stands_above_and_outside(tmp_path):
    path = tmp_path / ".env"
    path.write_text(
        "TEAM_KEY=sk-team-abcdef\nOPENAI_API_KEY=${TEAM_KEY}\n"
        "OPENAI_BASE_URL=http://${HOST}:4000/v1\n"
        "KIMI_BASE_URL=http://${NOWHERE:-127.0.0.1}:1/v1\n"
        "KIMI_MODEL='${HOST}-model'\n"
    )
    settings = read_settings({"HOST": "10.0.0.7"}, path)
    assert settings.keys["openai"].reveal() == "sk-team-abcdef"
    assert settings.base_urls["openai"] == "http://10.0.0.7:4000/v1"
    assert settings.base_urls["kimi"] == "http://127.0.0.1:1/v1"
    assert settings.models["kimi"] == "10.0.0.7-model"
    assert settings.problems == ()


def test_a_variable_that_is_set_nowhere_is_named_with_its_line(tmp_path):
    settings = written(
        tmp_path,
        "# mine\nOPENAI_API_KEY=${TEAM_KEY}\nOPENAI_BASE_URL=http://${HOST}:4000/v1\n"
        "TEAM_KEY=sk-canary\nCONSOLE_PASSWORD=${SECRET}\n",
    )
    assert settings.keys == {}
    assert settings.base_urls["openai"] is None
    assert complaints(settings)[:2] == [("OPENAI_API_KEY", 2), ("OPENAI_BASE_URL", 3)]
    assert "TEAM_KEY" in str(settings.problems[0])
    assert "set neither above it nor in the environment" in str(settings.problems[0])
    assert len(settings.password_text) > 30  # locked, not open


@pytest.mark.parametrize("quote", "\"'")
def test_a_value_of_several_lines_is_one_value(tmp_path, quote):
    settings = written(
        tmp_path,
        f"NOTE={quote}first\nOPENAI_API_KEY=not-a-setting\nlast{quote}\n"
        f"PEM={quote}-----BEGIN X-----\nabc=\n-----END X-----{quote} # mine\n"
        "GOOGLE_API_KEY=good-one\nnonsense\n",
    )
    assert set(settings.keys) == {"google"}
    assert complaints(settings) == [(".env", 8)]


def test_an_open_quote_is_told_from_text_after_a_closed_one(tmp_path):
    settings = written(
        tmp_path, "LLM_STRATEGY=\"random\nKIMI_MODEL='a' b\nLLM_COOLDOWN: 5\nGOOGLE_MODEL g\n"
    )
    said = {problem.variable: str(problem) for problem in settings.problems}
    assert "a quote that is never closed" in said["LLM_STRATEGY"]
    assert "goes on after its closing quote" in said["KIMI_MODEL"]
    assert "is not of the form NAME=value" in said["GOOGLE_MODEL"]
    assert settings.cooldown == 5


@pytest.mark.parametrize(
    "line",
    [
        "OPENAI_API_KEY: sk-abc",
        'OPENAI_API_KEY: "sk-abc"',
        "OPENAI_API_KEY:sk-abc",
        "set OPENAI_API_KEY=sk-abc",
        "SET OPENAI_API_KEY=sk-abc",
        'set "OPENAI_API_KEY=sk-abc"',
        "export OPENAI_API_KEY=sk-abc",
        "export OPENAI_API_KEY='sk-abc'",
        "  export\tOPENAI_API_KEY=sk-abc",
        '$env:OPENAI_API_KEY = "sk-abc"',
        "$Env:OPENAI_API_KEY='sk-abc'",
        "$env:OPENAI_API_KEY=sk-abc",
        "OPENAI_API_KEY = sk-abc",
        "'OPENAI_API_KEY'='sk-abc'",
        '"OPENAI_API_KEY"="sk-abc"',
        '"OPENAI_API_KEY": "sk-abc",',
        "- OPENAI_API_KEY=sk-abc",
        "ENV OPENAI_API_KEY=sk-abc",
        "declare -x OPENAI_API_KEY=sk-abc",
        "setx OPENAI_API_KEY sk-abc",
        'setx OPENAI_API_KEY "sk-abc"',
        "openai_api_key=sk-abc",
        "\ufeffOPENAI_API_KEY=sk-abc",
    ],
)
def test_what_other_programs_write_is_read_as_it_was_meant(tmp_path, line):
    settings = written(tmp_path, f"# first\n{line}\nGOOGLE_API_KEY=good-one\n")
    assert settings.problems == ()
    assert settings.keys["openai"].reveal() == "sk-abc"
    assert settings.keys["google"].reveal() == "good-one"


def test_a_line_that_is_written_again_is_named_and_the_last_one_holds(tmp_path):
    settings = written(
        tmp_path,
        "OPENAI_API_KEY=sk-canary-1\nKIMI_MODEL=same\nKIMI_MODEL=same\nOPENAI_API_KEY=sk-canary-2\n",
    )
    assert settings.keys["openai"].reveal() == "sk-canary-2"
    assert complaints(settings) == [("OPENAI_API_KEY", 1)]
    assert "line 4" in str(settings.problems[0])
    assert settings.problems[0].used
    assert "canary" not in str(settings.problems)


@pytest.mark.parametrize("quote", "\"'")
def test_quotes_that_docker_leaves_are_taken_off_every_value(quote, tmp_path):
    model = tmp_path / "model.gguf"
    model.touch()
    environ = {
        "OPENAI_API_KEY": "sk-abc-123",
        "OPENAI_MODEL": "gpt",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "BITNET_MODEL_PATH": str(model),
        "LLM_STRATEGY": "random",
        "LLM_PRIORITY": "kimi,google",
        "LLM_RUN_TIMEOUT": "99",
        "LLM_FAILURE_THRESHOLD": "5",
        "DATABASE_URL": "sqlite:////var/y.db",
        "LOG_LEVEL": "debug",
        "CONSOLE_PRACTICE": "off",
        "CONSOLE_PASSWORD": "Tr0ub4dor&3-zebra",
        "CONSOLE_ALLOWED_HOSTS": "console.example.com",
    }
    plain = read(**environ)
    assert plain.problems == ()
    assert read(**{name: f"{quote}{text}{quote}" for name, text in environ.items()}) == plain


@pytest.mark.parametrize(
    "text",
    [
        "your-api-key-here", "your_api_key", "YOUR_API_KEY", "YOUR-KEY-HERE", "your key here",
        "<your key>", "<your-key>", "<OPENAI_API_KEY>", "[your key]", "{{ OPENAI_API_KEY }}",
        "${OPENAI_API_KEY}", "$OPENAI_API_KEY", "%OPENAI_API_KEY%", "sk-...", "sk-…", "sk-ant-...",
        "sk-ant-api03-...", "AIza...", "nvapi-...", "...", "xxx", "XXXX", "sk-xxxxxxxx",
        "sk-proj-XXXXXXXX", "AIzaXXXXXXXXXXXX", "nvapi-xxxxxxxxxx", "xxxx-xxxx-xxxx", "********",
        "sk-********", "changeme", "change-me", "CHANGE_ME", "replace-me", "replace_with_your_key",
        "insert-your-key-here", "paste_key_here", "put-your-api-key-here", "enter your key",
        "add_your_key_here", "api-key", "API_KEY", "my-api-key", "yourkey", "todo", "TBD",
        "placeholder", "sk-your-key", "sk-your-openai-api-key-here", "your-anthropic-key",
        "sk-placeholder", "key-goes-here", "[key]", "'your-api-key-here'", "Bearer <token>",
        "••••••••",
    ],
)  # fmt: skip
def test_a_placeholder_is_no_key_and_is_named(text):
    settings = read(OPENAI_API_KEY=text, KIMI_K2_API_KEY=text, MOONSHOT_API_KEY="sk-kimi-1")
    assert set(settings.keys) == {"kimi"}
    assert settings.keys["kimi"].reveal() == "sk-kimi-1"
    assert complaints(settings)[0] == ("OPENAI_API_KEY", None)
    assert "a placeholder, not a key" in settings.problems[0].sentence
    assert not settings.problems[0].used


@pytest.mark.parametrize(
    "text",
    ["unused", "none", "dummy", "EMPTY", "not-needed", "sk-no-key-required", "local", "ollama",
     "lm-studio", "openai", "secret", "token-abc123", "test", "research", "sk-xxy-1", "x",
     "sk-here-is-9f3a", "anything", "sk-0"],
)  # fmt: skip
def test_what_a_local_server_takes_for_a_key_is_one(text):
    settings = read(OPENAI_API_KEY=text)
    assert settings.keys["openai"].reveal() == text
    assert settings.problems == ()


def test_the_home_folder_is_meant_by_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    home = read(DATABASE_URL="sqlite:///~/sw/console.db")
    assert home.database_path == tmp_path / "sw" / "console.db"
    assert home.problems == ()


@pytest.mark.parametrize("key", ["sk-ant-api03-Ab12Cd34Ef56Gh78Ij90", "nvapi-abcdefgh12345678"])
def test_a_key_in_the_place_of_a_model_is_named_and_not_used(key):
    settings = read(OPENAI_MODEL=key)
    assert settings.models == DEFAULTS.models
    assert complaints(settings) == [("OPENAI_MODEL", None)]
    assert "looks like a key" in settings.problems[0].sentence
    assert key not in repr(settings)


@pytest.mark.parametrize("path", ["~", ".", "..", "/", "/tmp"])
def test_a_folder_is_not_replaced_by_another_history(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = read(DATABASE_URL=f"sqlite:///{path}")
    assert settings.problems == ()
    fault = why_not(settings.database_path)  # why the console does not start
    assert fault
    assert "is a folder" in fault
    assert "DATABASE_URL" in fault


@pytest.mark.parametrize(
    "path", ["~nobody-of-that-name/x.db", "$HOME/x.db", "${HOME}/x.db", "%APPDATA%/x.db"]
)
def test_a_path_with_something_that_nobody_filled_in_is_named(path):
    settings = read(DATABASE_URL=f"sqlite:///{path}")
    assert settings.database_path == DEFAULTS.database_path
    assert complaints(settings) == [("DATABASE_URL", None)]


def test_an_attempt_longer_than_its_run_is_named_and_what_is_used_instead(tmp_path):
    settings = written(tmp_path, "LLM_RUN_TIMEOUT=30\nLLM_ATTEMPT_TIMEOUT=300\n")
    assert (settings.run_timeout, settings.attempt_timeout) == (30, 30)
    assert complaints(settings) == [("LLM_ATTEMPT_TIMEOUT", 2)]
    assert "30 s is used" in settings.problems[0].sentence
    only = read(LLM_ATTEMPT_TIMEOUT="300")
    assert (only.attempt_timeout, complaints(only)) == (120, [("LLM_ATTEMPT_TIMEOUT", None)])
    short = read(LLM_RUN_TIMEOUT="20")  # a default that gives way was nobody's wish
    assert (short.attempt_timeout, short.problems) == (20, ())


@pytest.mark.parametrize(
    "text",
    ["secret", "description", "research", "unused", "changeme", "letmein1", "12345678", "Passwort",
     "admin-2024", "a1!B"],
)  # fmt: skip
def test_a_weak_password_is_named_and_used(text):
    settings = read(CONSOLE_PASSWORD=text)
    assert settings.password_text == text
    (problem,) = settings.problems
    assert (problem.variable, problem.used) == ("CONSOLE_PASSWORD", True)
    assert "easy to guess" in problem.sentence
    assert text not in problem.sentence


@pytest.mark.parametrize(
    "text", ["correct horse battery staple", "Tr0ub4dor&3", "hunter2-Zebra_99x!", "größer&kälter7"]
)
def test_a_password_that_is_no_word_is_fine(text):
    assert read(CONSOLE_PASSWORD=text).problems == ()


# -- the password


@pytest.mark.parametrize(
    "content", ['CONSOLE_PASSWORD="open', "CONSOLE_PASSWORD=a\x07b", b"CONSOLE_PASSWORD=\xe9"]
)
def test_a_password_that_cannot_be_read_locks_the_console(tmp_path, content):
    settings = written(tmp_path, content)
    assert len(settings.password_text) > 30
    assert any("stays locked" in problem.sentence for problem in settings.problems)


def test_settings_hold_nothing_that_changes():
    with pytest.raises(AttributeError):
        DEFAULTS.strategy = "random"
    assert pickle.loads(pickle.dumps(DEFAULTS.problems)) == ()
