"""The limits that a person may set in the console: a table, and the Policy that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from core.config.settings import Settings
from core.routing.breaker import Policy
from core.values.errors import BadRequest
from core.values.ports import Choices


@dataclass(frozen=True, slots=True)
class Limit:
    """One number. The range is narrower than the environment's: nobody locks himself out."""

    label: str
    help: str
    unit: str
    variable: str  # where its default comes from
    setting: str  # the field of Settings
    least: float
    most: float
    whole: bool = False


LIMITS: dict[str, Limit] = {
    "attempt_timeout": Limit(
        "Time for one attempt",
        "How long one provider may take before the next one is asked. The last one that is left "
        "gets all the time that remains.",
        "s",
        "LLM_ATTEMPT_TIMEOUT",
        "attempt_timeout",
        2,
        600,
    ),
    "run_timeout": Limit(
        "Time for a run",
        "How long a run may take as a whole, whoever is asked in it.",
        "s",
        "LLM_RUN_TIMEOUT",
        "run_timeout",
        5,
        3600,
    ),
    "failure_threshold": Limit(
        "Failures before a rest",
        "After so many failures in a row a provider is left alone for a while.",
        "in a row",
        "LLM_FAILURE_THRESHOLD",
        "failure_threshold",
        1,
        20,
        whole=True,
    ),
    "cooldown": Limit(
        "Length of a rest",
        "How long a resting provider is left alone before one request tries it again.",
        "s",
        "LLM_COOLDOWN",
        "cooldown",
        1,
        3600,
    ),
}


def span(settings: Settings, key: str) -> tuple[float, float]:
    """What may be set: a default from outside of the usual range belongs to it, too."""
    row = LIMITS[key]
    default: float = getattr(settings, row.setting)
    return min(row.least, default), max(row.most, default)


def chosen(settings: Settings, choices: Choices, key: str) -> float | None:
    """What was set in the console; None where nothing was, or nothing that can be used."""
    value = choices.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    least, most = span(settings, key)
    return value if least <= value <= most else None


def in_force(settings: Settings, choices: Choices, key: str) -> float:
    value = _wanted(settings, choices, key)
    # An older version let an attempt be longer than its run.
    return min(value, _wanted(settings, choices, _WITHIN[key])) if key in _WITHIN else value


def check(settings: Settings, choices: Choices, key: str, value: float | None) -> None:
    """Whether the choice `key` may become `value` (None: the default) beside the others.

    Raises:
        BadRequest: an attempt would be longer than its run.
    """
    if key not in (*_WITHIN, *_WITHIN.values()):
        return
    new = getattr(settings, LIMITS[key].setting) if value is None else value
    attempt, run = (
        new if key == name else _wanted(settings, choices, name)
        for name in ("attempt_timeout", "run_timeout")
    )
    if attempt <= run:
        return
    if key in _WITHIN:
        raise BadRequest(
            f"An attempt cannot take {attempt:g} s in a run that may take {run:g} s. "
            f"Choose {run:g} s or less, or allow the run more time first."
        )
    raise BadRequest(
        f"A run of {run:g} s has no room for an attempt of {attempt:g} s. "
        f"Choose {attempt:g} s or more, or allow an attempt less time first."
    )


def policy(settings: Settings, choices: Choices) -> Policy:
    """How patient the engine is, by the console's word or else by the environment's."""
    return Policy(
        threshold=int(in_force(settings, choices, "failure_threshold")),
        cooldown=in_force(settings, choices, "cooldown"),
        attempt_timeout=in_force(settings, choices, "attempt_timeout"),
        run_timeout=in_force(settings, choices, "run_timeout"),
    )


def _wanted(settings: Settings, choices: Choices, key: str) -> float:
    value = chosen(settings, choices, key)
    default: float = getattr(settings, LIMITS[key].setting)
    return default if value is None else value


_WITHIN = {"attempt_timeout": "run_timeout"}  # no longer than what it is a part of
