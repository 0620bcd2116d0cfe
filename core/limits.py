"""The limits that a person may set in the console: a table, and the Policy that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from core.breaker import Policy
from core.settings import Settings
from core.types import Choices


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


def chosen(choices: Choices, key: str) -> float | None:
    """What was set in the console; None where nothing was, or nothing that can be used."""
    value, row = choices.get(key), LIMITS[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if row.least <= value <= row.most else None


def in_force(settings: Settings, choices: Choices, key: str) -> float:
    value = chosen(choices, key)
    default: float = getattr(settings, LIMITS[key].setting)
    return default if value is None else value


def policy(settings: Settings, choices: Choices) -> Policy:
    """How patient the engine is, by the console's word or else by the environment's."""
    return Policy(
        threshold=int(in_force(settings, choices, "failure_threshold")),
        cooldown=in_force(settings, choices, "cooldown"),
        attempt_timeout=in_force(settings, choices, "attempt_timeout"),
        run_timeout=in_force(settings, choices, "run_timeout"),
    )
