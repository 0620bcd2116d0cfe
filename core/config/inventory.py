"""Every setting as it is in force, and where its value comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.config import limits
from core.config.limits import LIMITS, Limit
from core.config.settings import VARIABLES, Origin, Settings
from core.routing.strategies import STRATEGIES
from core.values.ports import Choices
from core.values.registry import PROVIDERS, label_of

Section = Literal["Keys", "Models", "Addresses", "Asking", "This computer"]


@dataclass(frozen=True, slots=True)
class Line:
    """One setting. `value` is in words; a secret's never says more than that it is set."""

    section: Section
    name: str  # the variable
    value: str
    origin: Origin | Literal["chosen here"]
    meaning: str


def inventory(settings: Settings, choices: Choices) -> list[Line]:
    """One line for each row of VARIABLES, in their order."""
    chosen = {name: value for name, value in _chosen(settings, choices) if value}
    lines = []
    for row in VARIABLES:
        here = chosen.get(row.name)
        value = here or _IN_FORCE[row.name](settings)
        origin = "chosen here" if here else settings.origin[row.name]
        meaning = row.meaning.replace("`", "")
        lines.append(Line(_section(row.name), row.name, value, origin, meaning))
    return lines


def _chosen(settings: Settings, choices: Choices) -> Iterator[tuple[str, str | None]]:
    """By variable, what was chosen in the console instead."""
    strategy = choices.get("strategy")
    yield "LLM_STRATEGY", STRATEGIES[strategy].label if strategy in STRATEGIES else None
    yield "LLM_PRIORITY", _names(choices.get("priority"))
    models = choices.get("models")
    for name, spec in PROVIDERS.items():
        yield spec.model_env, models.get(name) if isinstance(models, Mapping) else None
    for key, row in LIMITS.items():
        set_here = limits.chosen(settings, choices, key) is not None
        value = limits.in_force(settings, choices, key)
        yield row.variable, _number(value, row.unit) if set_here else None


def _section(variable: str) -> Section:
    for spec in PROVIDERS.values():
        if variable in spec.key_env:
            return "Keys"
        if variable == spec.model_env:
            return "Models"
        if variable == spec.base_url_env:
            return "Addresses"
    return "Asking" if variable.startswith(("LLM_", "DEFAULT_")) else "This computer"


def _names(value: Any) -> str | None:
    known = [name for name in value or () if name in PROVIDERS]
    return ", ".join(map(label_of, known)) or None


def _number(value: float, unit: str) -> str:
    return f"{value:g} {unit}"


def _key(variable: str) -> Callable[[Settings], str]:
    # Whether this variable is set, not whether it is the one that is used.
    return lambda settings: "set" if settings.origin[variable] != "default" else "not set"


def _model(name: str) -> Callable[[Settings], str]:
    return lambda settings: settings.models[name]


def _address(name: str) -> Callable[[Settings], str]:
    return lambda settings: settings.base_urls[name] or PROVIDERS[name].base_url


def _limit(row: Limit) -> Callable[[Settings], str]:
    return lambda settings: _number(getattr(settings, row.setting), row.unit)


def _in_force() -> Iterator[tuple[str, Callable[[Settings], str]]]:
    for name, spec in PROVIDERS.items():
        for variable in spec.key_env:
            yield variable, _key(variable)
        yield spec.model_env, _model(name)
        yield spec.base_url_env, _address(name)
    for row in LIMITS.values():
        yield row.variable, _limit(row)
    yield "BITNET_MODEL_PATH", lambda settings: str(settings.bitnet_model_path or "not set")
    yield (
        "DEFAULT_LLM_PROVIDER",
        lambda settings: (
            label_of(settings.priority[0])
            if settings.origin["DEFAULT_LLM_PROVIDER"] != "default"
            else "not set"
        ),
    )
    yield "LLM_STRATEGY", lambda settings: STRATEGIES[settings.strategy].label
    yield "LLM_PRIORITY", lambda settings: str(_names(settings.priority))
    yield "DATABASE_URL", lambda settings: str(settings.database_path)
    yield "LOG_LEVEL", lambda settings: settings.log_level
    yield "CONSOLE_PRACTICE", lambda settings: settings.practice
    yield "CONSOLE_PASSWORD", lambda settings: "set" if settings.password else "not set"
    yield "CONSOLE_ALLOWED_HOSTS", lambda settings: ", ".join(settings.allowed_hosts)


_IN_FORCE: dict[str, Callable[[Settings], str]] = dict(_in_force())
