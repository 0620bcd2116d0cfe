"""Which models a vendor serves: its own list, which costs nothing and proves the key as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from core.values.errors import ProviderError
from core.values.outcomes import ErrorKind
from core.values.ports import Provider
from core.values.registry import PROVIDERS
from core.values.texts import vendors_words
from core.values.wording import count

FRESH_FOR = 3600.0  # seconds a list of models is believed
PATIENCE = 15.0  # seconds a vendor has to tell


@dataclass(frozen=True, slots=True)
class Found:
    """What a test found. `models` are in the vendor's order, empty after a failure."""

    provider: str
    model: str  # the one that was set when it was tested
    at: float  # UTC seconds since the epoch
    seconds: float  # that it took
    models: tuple[str, ...] = ()
    error_kind: ErrorKind | None = None  # None: the vendor told
    message: str | None = None  # the failure in the vendor's words

    @property
    def ok(self) -> bool:
        return self.error_kind is None

    @property
    def served(self) -> bool:
        """Does the list have the model that was set?"""
        return self.model in self.models


async def look(
    name: str,
    provider: Provider,
    *,
    wall: Callable[[], float],
    redact: Callable[[str], str],
    patience: float = PATIENCE,
) -> Found:
    """Ask a vendor for its list. Never raises for what the vendor does."""
    begun, clock = wall(), asyncio.get_running_loop().time
    start = clock()
    try:
        async with asyncio.timeout(patience):
            models = await provider.models()
    except TimeoutError:
        failure = ProviderError(ErrorKind.TIMEOUT, f"No list within {patience:g} s.")
    except ProviderError as error:
        failure = error
    else:
        offered = tuple(dict.fromkeys(redact(model) for model in models if model))
        return Found(name, provider.model, begun, clock() - start, offered)
    said = vendors_words(failure.message, redact)
    return Found(name, provider.model, begun, clock() - start, (), failure.kind, said)


def found_in_words(found: Found) -> str:
    """What a test found: `The key works; claude-sonnet-5-5 is one of 14 models on offer.`"""
    spec = PROVIDERS[found.provider]
    if found.error_kind is not None:
        outcome = found.error_kind.outcome
        return f"{spec.label} {outcome.said}. {outcome.action}"
    works = "It can be reached" if spec.runs_here or spec.open_list else "The key works"
    number = count(len(found.models), "model")
    if not found.models:
        said = f"{works}, but no model is on offer."
    elif found.served:
        said = f"{works}; {found.model} is one of {number} on offer."
    else:
        said = f"{works}, but {found.model} is not among the {number} on offer."
    if spec.open_list:
        said += " Its list needs no key, so only Try now proves the key."
    return said
