"""The versions of everything that runs here, for a report to support."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = {
    "Manyways": "manyways",
    "Streamlit": "streamlit",
    "Anthropic SDK": "anthropic",
    "OpenAI SDK": "openai",
    "Google SDK": "google-genai",
    "Prices": "genai-prices",
    "xllamacpp (BitNet)": "xllamacpp",
}


def versions() -> dict[str, str]:
    """By what people call it; `not installed` where it is not, or is only a clone."""
    found = {"Python": platform.python_version()}
    for label, package in _PACKAGES.items():
        try:
            found[label] = version(package)
        except PackageNotFoundError:
            found[label] = "not installed"
    return found
