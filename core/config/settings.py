"""The environment and `.env` become frozen Settings: every bad value is named, none is fatal."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from core.config import certificates
from core.config.env_file import Problem, Written, read_env_file
from core.config.keys import is_placeholder, keys_in
from core.routing.strategies import STRATEGIES
from core.values.redaction import Redactor, could_be_a_word
from core.values.registry import PROVIDERS

ROOT = Path(__file__).resolve().parent.parent.parent  # the folder of console_app.py

Origin = Literal["default", "environment", ".env"]

_VALUE_LIMIT = 8_000  # characters
_MODEL_LIMIT = 200  # characters
_SHORTEST_PASSWORD = 8  # characters; a shorter one is named


class Secret:
    """A key or a password that no repr, log line or traceback shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process was started with. Made by `read_settings`."""

    keys: Mapping[str, Secret]  # by provider; those that have one
    models: Mapping[str, str]  # by provider, all of them
    base_urls: Mapping[str, str | None]  # by provider, all of them; None: the vendor's own
    bitnet_model_path: Path | None
    strategy: str
    priority: tuple[str, ...]  # every provider, once
    run_timeout: float  # seconds
    attempt_timeout: float  # seconds
    failure_threshold: int
    cooldown: float  # seconds
    database_path: Path  # absolute
    log_level: str
    practice: Literal["auto", "on", "off"]
    password: Secret | None
    allowed_hosts: tuple[str, ...]
    problems: tuple[Problem, ...]
    origin: Mapping[str, Origin]  # by variable: where the value in use comes from

    @property
    def password_text(self) -> str | None:
        return self.password.reveal() if self.password else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be seen, in clear, for the Redactor."""
        held = [*self.keys.values(), *([self.password] if self.password else [])]
        return tuple(secret.reveal() for secret in held)


class _Unusable(ValueError):
    """A value that cannot be used; the message is a sentence. `instead` is what is left of it.

    `whole`: nothing is missing from that, but somebody should know.
    """

    def __init__(self, sentence: str, instead: Any = None, *, whole: bool = False) -> None:
        super().__init__(sentence)
        self.instead = instead
        self.whole = whole


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the environment. `parse` takes stripped text that is not empty."""

    name: str
    default: str  # as it would be written; empty: none
    meaning: str
    parse: Callable[[str], Any]  # raises _Unusable


def _key(text: str, *, label: str) -> Secret:
    if is_placeholder(text):
        raise _Unusable(
            f"This is a placeholder, not a key; put the key for {label} there, or nothing."
        )
    key = re.sub(r"(?i)\Abearer\s+", "", text.strip("\"'").strip()).strip()
    if bad := re.search(r"[^\x21-\x7e]", key):
        place = text.index(key) + bad.start() + 1
        raise _Unusable(
            f"The key for {label} contains an invalid character at position {place}; "
            "copy the key again."
        )
    if not key:
        raise _Unusable(f"The key for {label} is empty; copy the key again.")
    return Secret(key)


def _password(text: str) -> Secret:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise _Unusable("The password contains a character that nobody can type.")
    if len(text) < _SHORTEST_PASSWORD or could_be_a_word(text):
        raise _Unusable(
            "This password is easy to guess, being short or a word. It is used all the same; "
            "choose one of several words, or of letters, digits and signs.",
            Secret(text),
            whole=True,
        )
    return Secret(text)


def why_no_model(text: str, secrets: Iterable[str] = ()) -> str | None:
    """Why `text` cannot be meant as the name of a model. `secrets` are keys that are known."""
    if not text.isprintable() or len(text) > _MODEL_LIMIT:
        return "This is not the name of a model"
    is_key = keys_in(text) or Redactor(secrets)(text) != text
    return "This looks like a key, not like the name of a model" if is_key else None


def _model(text: str) -> str:
    if fault := why_no_model(text):
        raise _Unusable(f"{fault}; the default is used.")
    return text


def _base_url(text: str) -> str:
    form = "an address like https://host/path, without a user name, spaces or ?"
    if not text.isascii() or re.search(r"[\x00-\x20\x7f?#\\]", text):
        raise _Unusable(f"This must be {form}; the default is used.")
    try:
        parts = urlsplit(text)
        whole = bool(parts.scheme in ("http", "https") and parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that make no sense
        whole = False
    if not whole or "@" in parts.netloc:
        raise _Unusable(f"This must be {form}; the default is used.")
    return text.rstrip("/")


def _file(text: str) -> Path:
    try:
        path = ROOT / Path(text).expanduser()
        if path.is_file():
            return path
    except (OSError, RuntimeError, ValueError):  # too long, no home, a NUL in it
        pass
    raise _Unusable("There is no such file; it is not used.")


def _choice(text: str, *, among: tuple[str, ...]) -> str:
    name = text.lower().replace("-", "_")
    if name not in among:
        raise _Unusable(f"This must be one of {', '.join(among)}; the default is used.")
    return name


def _names(text: str) -> tuple[str, ...]:
    given = [name.strip().lower() for name in text.split(",") if name.strip()]
    known = tuple(dict.fromkeys(name for name in given if name in PROVIDERS))
    unknown = [str(place) for place, name in enumerate(given, 1) if name not in PROVIDERS]
    if unknown:
        places = ", ".join(unknown[:5]) + (" and more" if len(unknown) > 5 else "")
        raise _Unusable(
            f"No provider is called what stands at place {places}; it is ignored. "
            f"The names are {', '.join(PROVIDERS)}.",
            known,
        )
    return known


def _number(text: str, *, least: float, most: float, whole: bool = False) -> float:
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        kind = "whole number" if whole else "number of seconds"
        raise _Unusable(f"This must be a {kind} from {least:g} to {most:g}; the default is used.")
    return number


def _database(text: str) -> Path:
    scheme, mark, path = text.partition("sqlite:///")
    if scheme or not mark or not path or "?" in path or ":memory:" in path or "\0" in path:
        raise _Unusable(
            "This must be sqlite:/// and the path of a file; other databases are not "
            "supported, and the default is used."
        )
    if re.search(r"\$\{?\w|%\w+%", path):
        raise _Unusable(
            "The path refers to a variable that nobody fills in here; write the path out. "
            "The default is used."
        )
    try:
        file = ROOT / Path(path).expanduser()
        file.exists()
    except (OSError, RuntimeError):  # too long; there is no such user's home folder
        raise _Unusable("This path cannot be used; the default is used.") from None
    return file


def _hosts(text: str) -> tuple[str, ...]:
    given = [host.strip().lower().strip("[]") for host in text.split(",") if host.strip()]
    # Letters, digits, dots and dashes; or an IPv6 address, which has two colons at least.
    fitting = re.compile(r"[a-z0-9_.-]+|[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*")
    hosts = tuple(dict.fromkeys(host for host in given if fitting.fullmatch(host)))
    if not hosts or len(hosts) < len(set(given)):
        raise _Unusable(
            "These must be host names without http:// and port; others are ignored.", hosts or None
        )
    return hosts


_LEVELS = ("debug", "info", "warning", "error", "critical")
_run_seconds = partial(_number, least=0.1, most=86_400)
_seconds = partial(_number, least=0.1, most=3_600)


def _provider_rows() -> Iterator[Variable]:
    for spec in PROVIDERS.values():
        for place, name in enumerate(spec.key_env):
            other = f"; used when `{spec.key_env[0]}` is not set" if place else ""
            meaning = f"key for {spec.label}; without one it is never asked{other}"
            yield Variable(name, "", meaning, partial(_key, label=spec.label))
    for spec in PROVIDERS.values():
        yield Variable(spec.model_env, spec.model, f"default model of {spec.label}", _model)
    for spec in PROVIDERS.values():
        meaning = f"where requests to {spec.label} go, as its SDK takes it"
        yield Variable(spec.base_url_env, spec.base_url, meaning, _base_url)


VARIABLES: tuple[Variable, ...] = (
    *_provider_rows(),
    Variable(
        "BITNET_MODEL_PATH", "",
        "a GGUF file: BitNet then runs inside this process, without a server", _file,
    ),
    Variable(
        "DEFAULT_LLM_PROVIDER", "", "moved to the front of the default priority order",
        partial(_choice, among=tuple(PROVIDERS)),
    ),
    Variable(
        "LLM_STRATEGY", "round_robin", ", ".join(f"`{name}`" for name in STRATEGIES),
        partial(_choice, among=tuple(STRATEGIES)),
    ),
    Variable(
        "LLM_PRIORITY", ",".join(PROVIDERS),
        "first to last; providers that are not named come after", _names,
    ),
    Variable("LLM_RUN_TIMEOUT", "120", "seconds a whole run may take", _run_seconds),
    Variable(
        "LLM_ATTEMPT_TIMEOUT", "45",
        "seconds one attempt may take; the last eligible provider gets all that remains", _seconds,
    ),
    Variable(
        "LLM_FAILURE_THRESHOLD", "3", "consecutive failures that open a circuit",
        partial(_number, least=1, most=1_000, whole=True),
    ),
    Variable("LLM_COOLDOWN", "60", "seconds a circuit stays open", _seconds),
    Variable(
        "DATABASE_URL", "sqlite:///data/console.db",
        "the history; a relative path starts at the folder of `console_app.py`, "
        "`~` is the home folder", _database,
    ),
    Variable("LOG_LEVEL", "INFO", "what goes to standard error", partial(_choice, among=_LEVELS)),
    Variable(
        "CONSOLE_PRACTICE", "auto",
        "practice providers: `auto` (on while no provider is set up), `on`, `off`",
        partial(_choice, among=("auto", "on", "off")),
    ),
    Variable(
        "CONSOLE_PASSWORD", "",
        "asked of every browser and, as `Authorization: Bearer`, of every API caller; without it "
        "only this computer is served. One that cannot be read locks the console", _password,
    ),
    Variable("CONSOLE_ALLOWED_HOSTS", "localhost,127.0.0.1", "Host headers served", _hosts),
)  # fmt: skip


def read_settings(environ: Mapping[str, str], env_file: Path | None) -> Settings:
    """Read `environ` and, for what it does not name, `env_file`. Never raises on bad input."""
    problems: list[Problem] = []
    known = {row.name for row in VARIABLES}
    written = read_env_file(env_file, environ, known, problems) if env_file else {}
    values: dict[str, Any] = {}
    origin: dict[str, Origin] = {}
    for row in VARIABLES:
        values[row.name], origin[row.name] = _value(row, environ, written, problems)

    named = values["LLM_PRIORITY"] if origin["LLM_PRIORITY"] != "default" else ()
    default = [values["DEFAULT_LLM_PROVIDER"]] if values["DEFAULT_LLM_PROVIDER"] else []
    password = values["CONSOLE_PASSWORD"]
    if password is None and any(problem.variable == "CONSOLE_PASSWORD" for problem in problems):
        # Somebody wanted a password: an open console would be the worse surprise.
        password = Secret(secrets.token_urlsafe(32))
        problems.append(
            Problem("CONSOLE_PASSWORD", "The console stays locked until the password is mended.")
        )
    stale = certificates.faults(environ)
    problems.extend(Problem(name, sentence) for name, sentence in stale.items())
    attempt_timeout = _within_a_run(values, origin, written, problems)
    keys = {name: _first(values, spec.key_env) for name, spec in PROVIDERS.items()}
    return Settings(
        keys={name: key for name, key in keys.items() if key},
        models={name: values[spec.model_env] for name, spec in PROVIDERS.items()},
        base_urls={
            name: None if origin[spec.base_url_env] == "default" else values[spec.base_url_env]
            for name, spec in PROVIDERS.items()
        },
        bitnet_model_path=values["BITNET_MODEL_PATH"],
        strategy=values["LLM_STRATEGY"],
        priority=tuple(dict.fromkeys([*named, *default, *PROVIDERS])),
        run_timeout=values["LLM_RUN_TIMEOUT"],
        attempt_timeout=attempt_timeout,
        failure_threshold=values["LLM_FAILURE_THRESHOLD"],
        cooldown=values["LLM_COOLDOWN"],
        database_path=values["DATABASE_URL"],
        log_level=values["LOG_LEVEL"].upper(),
        practice=values["CONSOLE_PRACTICE"],
        password=password,
        allowed_hosts=values["CONSOLE_ALLOWED_HOSTS"],
        problems=tuple(problems),
        origin=origin,
    )


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Secret | None:
    return next((values[name] for name in names if values[name]), None)


def _within_a_run(
    values: Mapping[str, Any],
    origin: Mapping[str, Origin],
    written: Mapping[str, Written],
    problems: list[Problem],
) -> float:
    """Seconds for an attempt, which can be no longer than the run that it is a part of."""
    attempt, run = values["LLM_ATTEMPT_TIMEOUT"], values["LLM_RUN_TIMEOUT"]
    source = origin["LLM_ATTEMPT_TIMEOUT"]
    if attempt > run and source != "default":
        sentence = (
            f"An attempt cannot take longer than its run, which may take {run:g} s; "
            f"{run:g} s is used."
        )
        line = written["LLM_ATTEMPT_TIMEOUT"].line if source == ".env" else None
        problems.append(Problem("LLM_ATTEMPT_TIMEOUT", sentence, line))
    return float(min(attempt, run))


def _value(
    row: Variable,
    environ: Mapping[str, str],
    written: Mapping[str, Written],
    problems: list[Problem],
) -> tuple[Any, Origin]:
    source: Origin = "environment" if row.name in environ else ".env"
    if source == "environment":
        said = Written(_unquoted(environ[row.name].strip()), 0)
    else:
        said = written.get(row.name, Written("", 0))
    text = said.text.strip()
    if said.fault:
        problems.append(Problem(row.name, f"{said.fault} It is not used.", said.line))
        text = ""
    try:
        if text:
            return row.parse(_of_sane_length(text)), source
    except _Unusable as fault:
        problems.append(Problem(row.name, str(fault), said.line or None, used=fault.whole))
        if fault.instead:
            return fault.instead, source
    return row.parse(row.default) if row.default else None, "default"


def _unquoted(text: str) -> str:
    """Without the quotes that `docker --env-file` and the like leave around a value."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _of_sane_length(text: str) -> str:
    if len(text) > _VALUE_LIMIT:
        raise _Unusable("This is far too long; it is not used.")
    return text
