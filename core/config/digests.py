"""Short digests of keys and addresses: they tell that one has changed, and not what it is."""

from __future__ import annotations

import hashlib

from core.config.settings import Settings
from core.values.registry import PROVIDERS


def digest(*parts: str) -> str:
    """Four bytes, in hexadecimal."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=4).hexdigest()


def access(settings: Settings) -> dict[str, str]:
    """Per provider with a key the digest of its address and key."""
    return {
        name: digest(settings.base_urls.get(name) or PROVIDERS[name].base_url, key.reveal())
        for name, key in sorted(settings.keys.items())
    }
