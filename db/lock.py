"""One process at a time writes to a history."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from db.errors import HistoryInUse

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def hold(path: Path) -> int:
    """Lock `<path>.lock` until the descriptor that is returned is closed or the process ends.

    Raises:
        HistoryInUse: another process has it.
        OSError: the file cannot be made.
    """
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor)
    except OSError as error:
        os.close(descriptor)
        raise HistoryInUse(path) from error
    return descriptor
