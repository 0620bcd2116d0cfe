"""Who can be asked: the vendors' SDKs behind one protocol, and what their failures mean."""

from core.providers.connect import connect

__all__ = ["connect"]
