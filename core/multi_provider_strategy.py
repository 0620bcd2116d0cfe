"""The door to the router by the name that the system was first described with."""

from core.routing.ask import Answer, Ask
from core.routing.router import MultiProviderStrategy

__all__ = ["Answer", "Ask", "MultiProviderStrategy"]
