"""The services that the composition root gives to the pages."""

from __future__ import annotations

from dataclasses import dataclass

from core.running.engine import Engine
from core.values.ports import Performance, Records, Upkeep


@dataclass(frozen=True, slots=True)
class Services:
    engine: Engine
    records: Records
    performance: Performance
    notices: tuple[str, ...] = ()
    upkeep: Upkeep | None = None  # None: there is nobody to do it


_provided: list[Services] = []


def provide(services: Services | None) -> None:
    """Called once at start by the composition root (and by tests), and with None at the end."""
    _provided[:] = [services] if services else []


def services() -> Services:
    return _provided[0]
