"""The adapters over the vendors' own SDKs."""
