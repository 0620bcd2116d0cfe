"""The parser of a plan that is still being streamed: what the JSON so far holds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

# An escape that has not arrived in full is left for the next time.
_TEXT = re.compile(
    r'"(reasoning|agent_type|description)"\s*:\s*"((?:[^"\\]|\\[^u]|\\u[0-9a-fA-F]{4})*)',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """`steps` are (who, what), the last one perhaps in part."""

    reasoning: str = ""
    steps: tuple[tuple[str, str], ...] = ()


def draft(text: str) -> Draft | None:
    """What stands in `text` by now; None while it does not look like a plan."""
    reasoning, steps = "", list[tuple[str, str]]()
    for name, raw in _TEXT.findall(text):
        said = _unescaped(raw)
        if name == "reasoning":
            reasoning = reasoning or said
        elif name == "agent_type":
            steps.append((said, ""))
        elif steps and not steps[-1][1]:
            steps[-1] = (steps[-1][0], said)
        else:
            steps.append(("", said))
    return Draft(reasoning, tuple(steps)) if reasoning or steps else None


def _unescaped(raw: str) -> str:
    try:
        said = str(json.loads(f'"{raw}"', strict=False))
    except json.JSONDecodeError:
        said = raw
    return said.encode("utf-8", "ignore").decode()  # half of a pair cannot be sent to a browser
