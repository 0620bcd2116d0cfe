"""Who reads a page goes before who writes, for a few milliseconds.

Both need Python's interpreter, which they would otherwise share: then a page takes twice as long
beside a busy engine, while a call that takes seconds gains nothing by being recorded sooner.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

_AT_MOST = 0.02  # seconds that a writer waits, and seconds after which a reader counts no more

_changed = Condition()
_begun: list[float] = []


@contextmanager
def reading() -> Iterator[None]:
    """Whoever writes waits meanwhile."""
    began = monotonic()
    with _changed:
        _begun.append(began)
    try:
        yield
    finally:
        with _changed:
            _begun.remove(began)
            _changed.notify_all()


def give_way() -> None:
    """Wait until nobody reads, but not for long."""
    if not _begun:
        return
    patience = monotonic() + _AT_MOST
    with _changed:
        while _begun and (left := min(max(_begun) + _AT_MOST, patience) - monotonic()) > 0:
            _changed.wait(left)
