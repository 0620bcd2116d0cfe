"""What a text is written as where a spreadsheet will read it."""

from __future__ import annotations

import re

# Spreadsheets trim before they look, and some read the wide forms, too.
_FORMULA = re.compile(r"[\s\0\ufeff]*[=+\-@＝＋－＠]|[\t\r\n\0]")


def inert(text: str) -> str:
    """As a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text
