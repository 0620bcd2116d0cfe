"""Can this GGUF file run in this process? Told from its header, without loading it."""

from __future__ import annotations

import stat
import struct
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

_LIMIT = 32 * 1024 * 1024  # bytes of header; the largest vocabularies take about 20 MB
_MOST_KEYS = 10_000
_MOST_TENSORS = 100_000
_MOST_DIMENSIONS = 4
_VERSIONS = (2, 3)

_TEXT, _ARRAY = 8, 9
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes by type

# Tensor types that only bitnet.cpp has: I2_S, I8_S and TL1. Its fourth, TL2, shares its number
# with upstream's MXFP4 and comes with an architecture of its own.
_BITNET_CPP_TENSORS = {36, 37, 38}
# What Microsoft's converters write; upstream knows "bitnet" and nothing else of that name.
_BITNET_CPP_ARCHITECTURES = ("bitnet-", "bitnet_")


def check(path: Path) -> str | None:
    """None if llama.cpp as it comes from upstream can run this file, else a sentence that says why.

    Reads at most 32 MB, and an unchanged file only once.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return f"{path.name} is not a file; point BITNET_MODEL_PATH at a GGUF file."
        return _verdict(path, found.st_size, found.st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return f"There is no file {path.name}; point BITNET_MODEL_PATH at a GGUF file."
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return f"{path.name} cannot be read; check its permissions."


@lru_cache(maxsize=8)
def _verdict(path: Path, size: int, modified: int) -> str | None:
    with path.open("rb") as file:
        header = _Header(file, min(size, _LIMIT))
        try:
            return _fault(header, path.name, size)
        except _Damaged:
            return f"{path.name} is damaged or incomplete; download it again."


def _fault(header: _Header, name: str, size: int) -> str | None:
    if header.take(4) != b"GGUF":
        return f"{name} is not a GGUF file; download the model in that format."
    version = header.number("I")
    if version & 0xFFFF == 0:
        return f"{name} is a GGUF file for big-endian machines; download the little-endian one."
    if version not in _VERSIONS:
        return f"{name} is a GGUF file of version {version}; download one of version 3."
    tensor_count, key_count = header.number("Q"), header.number("Q")
    if not 0 < tensor_count <= _MOST_TENSORS or key_count > _MOST_KEYS:
        raise _Damaged
    architecture = _architecture(header, key_count)
    tensors = [header.tensor() for _ in range(tensor_count)]
    if architecture.startswith(_BITNET_CPP_ARCHITECTURES) or any(
        kind in _BITNET_CPP_TENSORS for kind, _ in tensors
    ):
        return (
            f"{name} runs only in bitnet.cpp; start bitnet.cpp's server with it, set "
            "BITNET_BASE_URL to the server's address and remove BITNET_MODEL_PATH."
        )
    if max(offset for _, offset in tensors) >= size:
        raise _Damaged
    return None


def _architecture(header: _Header, key_count: int) -> str:
    found = ""
    for _ in range(key_count):
        key, kind = header.text(), header.number("I")
        if key == b"general.architecture" and kind == _TEXT:
            found = header.text().decode(errors="replace")
        else:
            header.skip_value(kind)
    if not found:
        raise _Damaged
    return found


class _Damaged(Exception):
    """The header does not hold what it promises."""


class _Header:
    """Little-endian values off the front of a file, and never more than `room` bytes of it."""

    def __init__(self, file: BinaryIO, room: int) -> None:
        self._file = file
        self._room = room

    def take(self, count: int) -> bytes:
        self._spend(count)
        data = self._file.read(count)
        if len(data) != count:
            raise _Damaged
        return data

    def number(self, form: str) -> int:
        value: int = struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))[0]
        return value

    def text(self) -> bytes:
        return self.take(self.number("Q"))

    def skip_value(self, kind: int) -> None:
        if kind == _TEXT:
            self._skip(self.number("Q"))
        elif kind == _ARRAY:
            self._skip_array(self.number("I"), self.number("Q"))
        else:
            self._skip(_width(kind))

    def tensor(self) -> tuple[int, int]:
        """Type, and where its data begin after the header."""
        self._skip(self.number("Q"))
        dimensions = self.number("I")
        if dimensions > _MOST_DIMENSIONS:
            raise _Damaged
        self._skip(8 * dimensions)
        return self.number("I"), self.number("Q")

    def _skip_array(self, kind: int, count: int) -> None:
        if kind != _TEXT:
            self._skip(_width(kind) * count)
            return
        for _ in range(count):
            self._skip(self.number("Q"))

    def _skip(self, count: int) -> None:
        self._spend(count)
        self._file.seek(count, 1)

    def _spend(self, count: int) -> None:
        self._room -= count
        if self._room < 0:
            raise _Damaged


def _width(kind: int) -> int:
    if kind not in _WIDTHS:
        raise _Damaged
    return _WIDTHS[kind]
