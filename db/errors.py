"""Why the history cannot be opened. Each message is a sentence for a person."""

from __future__ import annotations

from pathlib import Path

from core.errors import SwitchyardError


class HistoryInUse(SwitchyardError):
    """Another process writes to this history."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name} is already open in another Switchyard; "
            "close that one, or set DATABASE_URL to another file."
        )


class HistoryTooNew(SwitchyardError):
    """The history was written by a later version; it is left untouched."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"This history was written by a newer Switchyard (format {found}; this one knows "
            f"{known}); update Switchyard, or set DATABASE_URL to another file."
        )
