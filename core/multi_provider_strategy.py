"""The door to the router by the name that the system was first described with."""

from core.routing.router import Answer, Ask, MultiProviderStrategy

__all__ = ["Answer", "Ask", "MultiProviderStrategy"]
