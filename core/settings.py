"""The environment and `.env` become frozen Settings: every bad value is named, none is fatal."""

from __future__ import annotations

import io
import math
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dotenv.parser import parse_stream

from core.providers import PROVIDERS, certificates
from core.strategies import STRATEGIES

ROOT = Path(__file__).resolve().parent.parent  # the folder of console_app.py

Origin = Literal["default", "environment", ".env"]

_ENV_FILE_LIMIT = 1_000_000  # bytes; what comes after is not read
_VALUE_LIMIT = 8_000  # characters
_NAMED_LINES = 20  # unreadable lines of `.env` that are named one by one


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
class Problem:
    """Something in the environment that could not be used. Never holds the value itself."""

    variable: str
    sentence: str
    line: int | None = None  # in `.env`, from 1

    def __str__(self) -> str:
        where = f" (.env, line {self.line})" if self.line else ""
        return f"{self.variable}{where}: {self.sentence}"


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
    """A value that cannot be used; the message is a sentence. `instead` is what is left of it."""

    def __init__(self, sentence: str, instead: Any = None) -> None:
        super().__init__(sentence)
        self.instead = instead


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the environment. `parse` takes stripped text that is not empty."""

    name: str
    default: str  # as it would be written; empty: none
    meaning: str
    parse: Callable[[str], Any]  # raises _Unusable


def _key(text: str, *, label: str) -> Secret:
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
    return Secret(text)


def _model(text: str) -> str:
    if not text.isprintable() or len(text) > 200:
        raise _Unusable("This is not the name of a model; the default is used.")
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
    try:
        if (ROOT / path).is_dir():
            raise _Unusable("This is a folder, not a file; the default is used.")
    except OSError:
        raise _Unusable("This path cannot be used; the default is used.") from None
    return ROOT / path


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
        "BITNET_MODEL_PATH",
        "",
        "a GGUF file: BitNet then runs inside this process, without a server",
        _file,
    ),
    Variable(
        "DEFAULT_LLM_PROVIDER",
        "",
        "moved to the front of the default priority order",
        partial(_choice, among=tuple(PROVIDERS)),
    ),
    Variable(
        "LLM_STRATEGY",
        "round_robin",
        ", ".join(f"`{name}`" for name in STRATEGIES),
        partial(_choice, among=tuple(STRATEGIES)),
    ),
    Variable(
        "LLM_PRIORITY",
        ",".join(PROVIDERS),
        "first to last; providers that are not named come after",
        _names,
    ),
    Variable("LLM_RUN_TIMEOUT", "120", "seconds a whole run may take", _run_seconds),
    Variable(
        "LLM_ATTEMPT_TIMEOUT",
        "45",
        "seconds one attempt may take; the last eligible provider gets all that remains",
        _seconds,
    ),
    Variable(
        "LLM_FAILURE_THRESHOLD",
        "3",
        "consecutive failures that open a circuit",
        partial(_number, least=1, most=1_000, whole=True),
    ),
    Variable("LLM_COOLDOWN", "60", "seconds a circuit stays open", _seconds),
    Variable(
        "DATABASE_URL",
        "sqlite:///data/console.db",
        "the history; a relative path starts at the folder of `console_app.py`",
        _database,
    ),
    Variable("LOG_LEVEL", "INFO", "what goes to standard error", partial(_choice, among=_LEVELS)),
    Variable(
        "CONSOLE_PRACTICE",
        "auto",
        "practice providers: `auto` (on while no provider is set up), `on`, `off`",
        partial(_choice, among=("auto", "on", "off")),
    ),
    Variable(
        "CONSOLE_PASSWORD",
        "",
        "asked of every browser and, as `Authorization: Bearer`, of every API caller; without it "
        "only this computer is served. One that cannot be read locks the console",
        _password,
    ),
    Variable("CONSOLE_ALLOWED_HOSTS", "localhost,127.0.0.1", "Host headers served", _hosts),
)


def read_settings(environ: Mapping[str, str], env_file: Path | None) -> Settings:
    """Read `environ` and, for what it does not name, `env_file`. Never raises on bad input."""
    problems: list[Problem] = []
    written = _read_env_file(env_file, problems) if env_file else {}
    values: dict[str, Any] = {}
    origin: dict[str, Origin] = {}
    for row in VARIABLES:
        values[row.name], origin[row.name] = _value(row, environ, written, problems)

    named = values["LLM_PRIORITY"] if origin["LLM_PRIORITY"] != "default" else ()
    default = values["DEFAULT_LLM_PROVIDER"]
    password = values["CONSOLE_PASSWORD"]
    if password is None and any(problem.variable == "CONSOLE_PASSWORD" for problem in problems):
        # Somebody wanted a password: an open console would be the worse surprise.
        password = Secret(secrets.token_urlsafe(32))
        problems.append(
            Problem("CONSOLE_PASSWORD", "The console stays locked until the password is mended.")
        )
    stale = certificates.faults(environ)
    problems.extend(Problem(name, sentence) for name, sentence in stale.items())
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
        priority=tuple(dict.fromkeys([*named, *([default] if default else []), *PROVIDERS])),
        run_timeout=values["LLM_RUN_TIMEOUT"],
        attempt_timeout=values["LLM_ATTEMPT_TIMEOUT"],
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


def _value(
    row: Variable,
    environ: Mapping[str, str],
    written: Mapping[str, tuple[str, int]],
    problems: list[Problem],
) -> tuple[Any, Origin]:
    source: Origin = "environment" if row.name in environ else ".env"
    text, line = written.get(row.name, ("", 0))
    if source == "environment":
        text, line = environ[row.name], 0
    text = text.strip()
    try:
        if text:
            return row.parse(_of_sane_length(text)), source
    except _Unusable as fault:
        problems.append(Problem(row.name, str(fault), line or None))
        if fault.instead:
            return fault.instead, source
    return row.parse(row.default) if row.default else None, "default"


def _of_sane_length(text: str) -> str:
    if len(text) > _VALUE_LIMIT:
        raise _Unusable("This is far too long; it is not used.")
    return text


def _read_env_file(path: Path, problems: list[Problem]) -> dict[str, tuple[str, int]]:
    """Each variable's text and line. A line that cannot be read loses itself and nothing else."""
    found: dict[str, tuple[str, int]] = {}
    unread: list[Problem] = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", _text_of(path, problems)), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        fault = _fault_of(line)
        if fault is None:
            binding = next(iter(parse_stream(io.StringIO(line))))
            if binding.key and binding.value is not None:
                found[binding.key] = (binding.value, number)
                continue
            fault = "has an open quote" if binding.error else "is not of the form NAME=value"
        unread.append(Problem(_name_in(line), f"Line {number} {fault}; it is not used.", number))
    problems.extend(unread[:_NAMED_LINES])
    if unnamed := unread[_NAMED_LINES:]:
        problems.append(Problem(".env", f"{len(unnamed)} more lines could not be read."))
    return found


def _text_of(path: Path, problems: list[Problem]) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            problems.append(Problem(".env", "This is not a file; it is not read."))
            return ""
        with path.open("rb") as file:
            data = file.read(_ENV_FILE_LIMIT + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        reason = (error.strerror or "it cannot be opened").lower()
        problems.append(Problem(".env", f"The file could not be read: {reason}."))
        return ""
    if len(data) > _ENV_FILE_LIMIT:
        problems.append(Problem(".env", "The file is too large; only its first 1 MB is read."))
        data = data[:_ENV_FILE_LIMIT].rpartition(b"\n")[0]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if data[1:2] == b"\0" or data[:1] == b"\0":  # Windows tools leave the mark out at times
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "replace")
    return data.decode("utf-8-sig", "surrogateescape")


def _fault_of(line: str) -> str | None:
    if "\0" in line:
        return "contains a NUL character"
    if re.search(r"[\ud800-\udfff\ufffd]", line):
        return "is not written in UTF-8"
    return None


def _name_in(line: str) -> str:
    """The variable that a bad line is about, if it is one of ours; else the file."""
    match = re.match(r"\s*(?:export\s+)?(\w+)", line)
    known = {row.name for row in VARIABLES}
    return match[1] if match and match[1] in known else ".env"
