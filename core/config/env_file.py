"""The parser of `.env`: python-dotenv's rules, line by line, so that a bad line spoils no other."""

from __future__ import annotations

import io
import re
import stat
from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

_FILE_LIMIT = 100_000  # bytes; what comes after is not read
_NAMED_LINES = 20  # unreadable lines that are named one by one
_VALUE_LINES = 200  # lines that a quoted value may have


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the environment that wants a look. Never holds the value itself."""

    variable: str
    sentence: str
    line: int | None = None  # in `.env`, from 1
    used: bool = False  # all the same

    def __str__(self) -> str:
        where = f" (.env, line {self.line})" if self.line else ""
        return f"{self.variable}{where}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Written:
    """The value of one variable, with what it refers to filled in."""

    text: str
    line: int
    fault: str | None = None  # why it cannot be used, in a sentence


def read_env_file(
    path: Path, environ: Mapping[str, str], known: Collection[str], problems: list[Problem]
) -> dict[str, Written]:
    """What `path` says of each variable, the last word of several. `known` are the names of ours.

    `${NAME}` is filled in from `environ`, or else from the lines above.
    """
    found: dict[str, Written] = {}
    above: dict[str, str] = {}
    values = ChainMap(dict(environ), above)
    for name, text, line in _bindings(_text_of(path, problems), known, problems):
        written = _filled_in(text, line, values)
        before = found.get(name)
        if before and before.text != written.text and name in known:
            again = f"It is written again in line {line}, and that one holds."
            problems.append(Problem(name, again, before.line, used=True))
        found[name] = written
        above[name] = written.text
    return found


def _filled_in(text: str, line: int, values: Mapping[str, str]) -> Written:
    atoms = list(parse_variables(text))
    for atom in atoms:
        if isinstance(atom, Variable) and atom.default is None and atom.name not in values:
            # What is no usual name may be a part of a password.
            what = atom.name if re.fullmatch(r"[A-Z_][A-Z0-9_]*", atom.name) else "a variable"
            fault = f"It refers to {what}, which is set neither above it nor in the environment."
            return Written(text, line, fault)
    return Written("".join(atom.resolve(values) for atom in atoms), line)


def _bindings(
    text: str, known: Collection[str], problems: list[Problem]
) -> Iterator[tuple[str, str, int]]:
    """Name, value as it is written, and line; lines that cannot be read become `problems`."""
    lines = [line.removeprefix("\ufeff") for line in re.split(r"\r\n|\n|\r", text)]
    unread: list[Problem] = []
    place = unnamed = 0
    while place < len(lines):
        line, number = lines[place], place + 1
        place += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        fault = _unreadable(line)
        if fault is None:
            if binding := _one_line(line, known):
                yield *binding, number
                continue
            rest = lines[number - 1 : number - 1 + _VALUE_LINES]
            # A file of nonsense shall not be read again from each of its lines.
            if len(unread) < _NAMED_LINES and (several := _several_lines(rest, known)):
                name, value, many = several
                place += many - 1
                yield name, value, number
                continue
            fault = _fault_of(line)
        if len(unread) == _NAMED_LINES:
            unnamed += 1
            continue
        unread.append(
            Problem(_name_in(line, known), f"Line {number} {fault}; it is not used.", number)
        )
    problems.extend(unread)
    if unnamed:
        problems.append(Problem(".env", f"{unnamed} more lines could not be read."))


# How other programs write what is NAME=value here.
_OTHER_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"""\s*(?:set|export|-)\s+(["'])(?P<name>\w+)=(?P<value>.*)\1\s*""",
        r"""\s*setx\s+(["']?)(?P<name>\w+)\1\s+(?P<value>.*)""",
        r"""\s*(?:(?:export|set|env|declare\s+-x|-)\s+|\$env:)?(["']?)(?P<name>[a-z_]\w*)\1"""
        r"""\s*[:=]\s*(?P<value>.*?(?:(?<=["'])(?=[,;]))?)(?:(?<=["'])[,;])?\s*""",
    )
)


_PLAIN = re.compile(r"([A-Za-z_]\w*)=([\w./:@%+,-]*)", re.ASCII)  # read alike by everybody


def _one_line(line: str, known: Collection[str]) -> tuple[str, str] | None:
    if plain := _PLAIN.fullmatch(line):
        return _our_name(plain[1], known), plain[2]
    if not re.search("[=:]|setx", line, re.IGNORECASE):
        return None
    if binding := _understood(line, known):
        return binding.key or "", binding.value or ""
    for form in _OTHER_FORMS:
        match = form.fullmatch(line)
        if match and (match["name"].isupper() or match["name"].upper() in known):
            again = _understood(f"{match['name']}={match['value']}", known)
            return (again.key or "", again.value or "") if again else None
    return None


def _several_lines(lines: Sequence[str], known: Collection[str]) -> tuple[str, str, int] | None:
    """A quoted value that goes on, and over how many lines."""
    opened = re.search(r"""=\s*(["'])""", lines[0])
    if opened is None:
        return None
    closes = re.compile(rf"(?<!\\){opened[1]}")
    last = next((place for place, line in enumerate(lines[1:], 2) if closes.search(line)), None)
    binding = _understood("\n".join(lines[:last]), known)
    if binding is None or _unreadable(binding.original.string):
        return None
    return (
        binding.key or "",
        binding.value or "",
        len(binding.original.string.rstrip("\n").split("\n")),
    )


def _understood(text: str, known: Collection[str]) -> Binding | None:
    """What python-dotenv makes of the beginning of `text`, if that is a name with a value."""
    binding = next(iter(parse_stream(io.StringIO(text))))
    if binding.error or binding.value is None:
        return None
    key = binding.key or ""
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", key):
        return None
    return binding._replace(key=_our_name(key, known))


def _our_name(name: str, known: Collection[str]) -> str:
    return name.upper() if name.upper() in known else name


def _unreadable(text: str) -> str | None:
    if "\0" in text:
        return "contains a NUL character"
    if re.search(r"[\ud800-\udfff\ufffd]", text):
        return "is not written in UTF-8"
    return None


def _fault_of(line: str) -> str:
    if quoted := re.search(r"""[:=]\s*(["'])(.*)""", line):
        if quoted[1] in quoted[2]:
            return "goes on after its closing quote"
        return "has a quote that is never closed"
    return "is not of the form NAME=value"


def _name_in(line: str, known: Collection[str]) -> str:
    """The variable that a bad line is about, if it is one of ours; else the file."""
    names = (name.upper() for name in re.findall(r"\w+", line))
    return next((name for name in names if name in known), ".env")


def _text_of(path: Path, problems: list[Problem]) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            problems.append(Problem(".env", "This is not a file; it is not read."))
            return ""
        with path.open("rb") as file:
            data = file.read(_FILE_LIMIT + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        reason = (error.strerror or "it cannot be opened").lower()
        problems.append(Problem(".env", f"The file could not be read: {reason}."))
        return ""
    if len(data) > _FILE_LIMIT:
        problems.append(Problem(".env", "The file is too large; only its first 100 KB is read."))
        data = data[:_FILE_LIMIT].rpartition(b"\n")[0]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if data[1:2] == b"\0" or data[:1] == b"\0":  # Windows tools leave the mark out at times
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "replace")
    return data.decode("utf-8-sig", "surrogateescape")
