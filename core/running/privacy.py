"""Private runs: only a model on this computer may be asked."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from core.config.settings import Settings
from core.values.registry import PROVIDERS

PRIVATE = tuple(name for name, spec in PROVIDERS.items() if spec.runs_here)


def why_not_private(settings: Settings, *, able: Sequence[str], practising: bool) -> str | None:
    """Why a private run cannot be had, in a sentence; None if it can. `able` may be asked now."""
    if not set(PRIVATE) & set(able):
        return (
            "A private run asks BitNet on this computer and nobody else, and BitNet is not set up."
            " Start its server, or point BITNET_MODEL_PATH at a model file."
        )
    if practising or settings.bitnet_model_path is not None:
        return None
    for name in PRIVATE:
        address = settings.base_urls.get(name) or PROVIDERS[name].base_url
        if not _on_this_computer(address):
            return (
                f"A private run stays on this computer, and {PROVIDERS[name].base_url_env} points"
                " at another one."
            )
    return None


def _on_this_computer(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
