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
    path = Path(named)
    wanted = "folder" if variable == FOLDER else "file"
    try:
        if path.is_dir() and variable != FILE:
            found = any(path.iterdir())
        else:
            found = variable != FOLDER and bool(_read(path))
    except FileNotFoundError:
        return f"There is no such {wanted}; the usual certificates are used."
    except OSError:  # what holds no certificate is one of these as well
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


def _read(path: Path) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=os.fspath(path))
    return len(context.get_ca_certs()) or len(path.read_bytes())
