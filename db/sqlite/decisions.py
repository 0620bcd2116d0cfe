"""A run's decisions as short JSON: what is as usual or as before is left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, get_args

from core.values.calls import Decision, Skip, SkipReason
from core.values.outcomes import ErrorKind

_encode = json.JSONEncoder(separators=(",", ":")).encode


def decisions_text(decisions: Sequence[Decision], *, strategy: str) -> str | None:
    """Of a run of that strategy; None for none."""
    before: tuple[Skip, ...] = ()
    told = []
    for decision in decisions:
        told.append(_told(decision, strategy, before))
        before = decision.skipped
    return _encode(told) if told else None


def decisions_from(text: str | None, *, strategy: str) -> tuple[Decision, ...]:
    """What `decisions_text` has made; none where nothing, or nothing that can be read, was kept."""
    found: list[Decision] = []
    try:
        for told in json.loads(text or "[]"):
            found.append(_read(told, strategy, found[-1].skipped if found else ()))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return ()
    return tuple(found)


def spelt_out(text: str | None, *, strategy: str) -> list[dict[str, Any]] | None:
    """The same as JSON values with every name, as an export has them; None: not recorded."""
    return [asdict(each) for each in decisions_from(text, strategy=strategy)] or None


def _told(decision: Decision, strategy: str, before: tuple[Skip, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {"order": decision.order}
    if decision.step is not None:
        told["step"] = decision.step
    if decision.strategy != strategy:
        told["strategy"] = decision.strategy
    if decision.drawn:
        told["probability"] = decision.probability
    if decision.chosen:
        told["chosen"] = True
    if decision.skipped != before:
        told["skipped"] = [_skip_told(skip) for skip in decision.skipped]
    return told


def _skip_told(skip: Skip) -> list[Any]:
    told = [skip.provider, skip.reason, skip.error_kind, skip.until]
    while told[-1] is None:
        told.pop()
    return told


def _read(told: dict[str, Any], strategy: str, before: tuple[Skip, ...]) -> Decision:
    return Decision(
        told.get("strategy", strategy),
        tuple(told["order"]),
        tuple(_skip(*skip) for skip in told["skipped"]) if "skipped" in told else before,
        step=told.get("step"),
        drawn="probability" in told,
        probability=told.get("probability"),
        chosen=told.get("chosen", False),
    )


def _skip(provider: str, reason: Any, kind: str | None = None, until: float | None = None) -> Skip:
    if reason not in get_args(SkipReason):
        raise ValueError(reason)
    return Skip(provider, reason, ErrorKind(kind) if kind else None, until)
