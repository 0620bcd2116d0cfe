"""Whose certificates are trusted: those that the environment names, where they can be read."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx2

FILE, FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"
# Of another library's, but set for the same purpose: it is checked, and not used.
_CHECKED = (FILE, FOLDER, "REQUESTS_CA_BUNDLE")


def fault(variable: str, environ: Mapping[str, str]) -> str | None:
    """Why the certificates that `variable` names cannot be used; None where they can."""
    named = environ.get(variable, "").strip()
    if not named:
        return None
    wanted = "folder" if variable == FOLDER else "file"
    try:
        if variable == FOLDER or (variable != FILE and Path(named).is_dir()):
            found = any(map(_holds_something, named.split(os.pathsep)))
        else:
            found = _holds_certificates(Path(named))
    except FileNotFoundError:
        return f"There is no such {wanted}; the usual certificates are used."
    except OSError:  # what is no certificate is an ssl.SSLError, which is one as well
        return f"This {wanted} of certificates cannot be read; the usual ones are used."
    return None if found else f"There is no certificate in this {wanted}; the usual ones are used."


def faults(environ: Mapping[str, str]) -> dict[str, str]:
    """By variable, in a sentence: certificates that cannot be used."""
    found = {variable: fault(variable, environ) for variable in _CHECKED}
    return {variable: sentence for variable, sentence in found.items() if sentence}


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """What connections are checked by. A file wins over a folder."""
    for variable in (FILE, FOLDER):
        named = environ.get(variable, "").strip()
        if named and fault(variable, environ) is None:
            return ssl.create_default_context(
                cafile=named if variable == FILE else None,
                capath=named if variable == FOLDER else None,
            )
    return httpx2.create_ssl_context(trust_env=False)


def _holds_something(folder: str) -> bool:
    return any(Path(folder).iterdir())


def _holds_certificates(file: Path) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=file)
    return context.cert_store_stats()["x509"] > 0
