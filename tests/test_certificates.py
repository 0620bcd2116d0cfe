"""Certificates: which are trusted, what a person is told of those that are not, and stale files."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.config.certificates import faults
from core.config.settings import read_settings
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS
from tests.process import ROOT, STREAMLIT, Console
from tests.standin import HELLO, PLAN, SEATS, StandIn, Yard, answer, eventually

# Asks each provider that the environment sets up, and says how that ended.
ASK_ALL = """
import asyncio, json, os
from core.values.errors import ProviderError
from core.providers.connect import connect
from core.values.calls import Message, Request

async def ask(provider):
    try:
        return [None, (await provider.complete(Request((Message("user", "hi"),)))).content]
    except ProviderError as error:
        return [error.kind, error.message]

async def ask_all():
    return {name: await ask(provider) for name, provider in connect(os.environ).items()}

print(json.dumps(asyncio.run(ask_all())))
"""


def ends(environ: dict[str, str], **more: str) -> dict[str, list[str | None]]:
    """In a process of its own, for certificates are read once."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SSL_")}
    done = subprocess.run(
        [sys.executable, "-c", ASK_ALL],
        cwd=ROOT,
        env={**inherited, **environ, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    ended: dict[str, list[str | None]] = json.loads(done.stdout)
    return ended


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> Path:
    """A file with a certificate that has signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    named = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    begin = datetime.now(UTC) - timedelta(days=5)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([named]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def speaking_tls(name: str, path: Path) -> StandIn:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return StandIn(SEATS[name].wire, answer(HELLO), tls=context)


def environment(name: str, vendor: StandIn) -> dict[str, str]:
    seat = SEATS[name]
    key = {seat.key_env: "sk-some-key"} if seat.key_env else {}
    return {seat.base_url_env: vendor.base_url, "CONSOLE_PRACTICE": "off", **key}


@pytest.mark.parametrize("name", ["anthropic", "openai", "google"])
def test_a_certificate_is_trusted_where_its_file_is_named_and_else_told_as_such(name, tmp_path):
    path = certificate(tmp_path)
    with speaking_tls(name, path) as vendor:
        environ = environment(name, vendor)
        by_file = ends(environ, SSL_CERT_FILE=str(path))
        untrusted = ends(environ)

    assert by_file == {name: [None, HELLO]}
    kind, words = untrusted[name]
    assert kind == ErrorKind.CONNECTION
    assert "certificate" in words
    assert "SSL_CERT_FILE" in words


@pytest.mark.parametrize(
    ("made", "words"),
    [({"host": "elsewhere.example"}, "another host name"), ({"days": -1}, "has expired")],
)
def test_what_is_wrong_with_a_certificate_is_told(made, words, tmp_path):
    path = certificate(tmp_path, **made)
    with speaking_tls("openai", path) as vendor:
        kind, said = ends(environment("openai", vendor), SSL_CERT_FILE=str(path))["openai"]

    assert kind == ErrorKind.CONNECTION
    assert words in said


def test_a_vendor_that_speaks_no_tls_is_told_as_that():
    with StandIn("openai") as vendor:
        environ = environment("openai", vendor)
        environ["OPENAI_BASE_URL"] = vendor.base_url.replace("http:", "https:")
        kind, said = ends(environ)["openai"]

    assert kind == ErrorKind.CONNECTION
    assert "TLS" in said


def test_certificates_that_are_not_there_break_nothing(tmp_path):
    gone = str(tmp_path / "gone")
    with Yard() as yard:
        ended = ends(yard.env(), SSL_CERT_FILE=gone, SSL_CERT_DIR=gone)

    assert ended == {name: [None, HELLO] for name in PROVIDERS}


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_certificates_that_are_not_there_are_named_among_the_problems(variable, tmp_path):
    stale = {variable: str(tmp_path / "gone")}

    (problem,) = read_settings(stale, None).problems
    assert problem.variable == variable
    assert "There is no such" in problem.sentence


@pytest.mark.parametrize("content", [b"", b"not a certificate", b"\x00\xff"])
def test_a_file_that_holds_no_certificate_is_named_and_not_used(content, tmp_path):
    path = tmp_path / "cacert.pem"
    path.write_bytes(content)

    assert set(faults({"SSL_CERT_FILE": str(path)})) == {"SSL_CERT_FILE"}
    assert set(faults({"SSL_CERT_FILE": str(tmp_path)})) == {"SSL_CERT_FILE"}
    assert set(faults({"SSL_CERT_DIR": str(path)})) == {"SSL_CERT_DIR"}
    assert set(faults({"REQUESTS_CA_BUNDLE": str(path)})) == {"REQUESTS_CA_BUNDLE"}


def test_certificates_that_can_be_used_are_no_problem(tmp_path):
    path = certificate(tmp_path)

    assert faults({}) == {}
    assert faults({"SSL_CERT_FILE": "", "SSL_CERT_DIR": " "}) == {}
    assert faults({"SSL_CERT_FILE": str(path), "SSL_CERT_DIR": str(tmp_path)}) == {}
    assert faults({"REQUESTS_CA_BUNDLE": str(path)}) == {}
    assert faults({"SSL_CERT_DIR": f"{tmp_path}{os.pathsep}{tmp_path}"}) == {}


def test_a_console_with_stale_certificates_plans_and_sees_a_server_on_this_computer(tmp_path):
    with StandIn("openai", answer(PLAN)) as server:
        environ = {
            "SSL_CERT_FILE": str(tmp_path / "gone.pem"),
            "BITNET_BASE_URL": server.base_url,
            "CONSOLE_PRACTICE": "off",
        }
        with Console(tmp_path, environ, command=STREAMLIT) as console:
            client = console.client

            def seen() -> bool:
                known = client.get("/autonomous/status").json()["llm_providers"]
                return "bitnet" in known["available_providers"]

            assert eventually(seen, within=10)
            answered = client.post("/autonomous/plan", json={"goal": "Tidy the cellar"})

        assert answered.status_code == 200, answered.text
        assert answered.json()["provider_used"] == "bitnet"


def test_a_provider_whose_sdk_is_broken_fails_as_itself_and_the_next_answers(tmp_path):
    broken = tmp_path / "openai"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise OSError('half an installation')")
    with Yard() as yard:
        ended = ends(yard.env("openai", "anthropic"), PYTHONPATH=str(tmp_path))

    assert ended["anthropic"] == [None, HELLO]
    kind, words = ended["openai"]
    assert kind == ErrorKind.CONNECTION
    assert "It was not asked" in words
