"""The body of every error over HTTP."""

from __future__ import annotations

from typing import Any


def problem(kind: str, message: str, action: str) -> dict[str, Any]:
    """The body of an answer: a kind for programs, one sentence, and one thing to do."""
    error = {"kind": kind, "message": message, "action": action}
    return {"status": "error", "run_id": None, "error": error, "attempts": [], "skipped": []}


NOT_FOUND = problem(
    "not_found", "There is nothing at this address.", "See /autonomous/docs for what there is."
)
NOT_ALLOWED = problem(
    "method_not_allowed",
    "This address does not take that method.",
    "Use the method that the Allow header names.",
)
OURS = problem("internal", "Manyways itself failed.", "Try again; look into the log if it stays.")
