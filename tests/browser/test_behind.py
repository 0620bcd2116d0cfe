"""The console below a path of its own, and behind a proxy that takes a part of the path away."""

import socket
import threading
from contextlib import closing, suppress

import pytest
from playwright.sync_api import expect

from tests.browser.window import IN_CHROMIUM, settled
from tests.process import STREAMLIT, Console

pytestmark = IN_CHROMIUM
PREFIX = "/tools/manyways"


def pump(source, sink):
    with suppress(OSError):
        while some := source.recv(1 << 16):
            sink.sendall(some)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def passed_on(client, port):
    """One request, whose path loses the prefix; and, after an upgrade, all that follows."""
    with closing(client), closing(socket.create_connection(("127.0.0.1", port))) as server:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (some := client.recv(1 << 16)):
                return
            head += some
        first, _, rest = head.partition(b"\r\n")
        if b"upgrade: websocket" not in rest.lower():
            rest = b"Connection: close\r\n" + rest.replace(b"Connection: keep-alive\r\n", b"")
        server.sendall(first.replace(PREFIX.encode(), b"", 1) + b"\r\n" + rest)
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()


@pytest.fixture
def proxy(console):
    """The address under which a proxy serves the console, whose port it takes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve():
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(
                        target=passed_on, args=(client, console.port), daemon=True
                    ).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{PREFIX}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    command = (*STREAMLIT, "--server.baseUrlPath", "manyways")
    with Console(tmp_path_factory.mktemp("below"), command=command) as console:
        yield console


@pytest.mark.parametrize("path", ["/manyways/", "/manyways", "/"])
def test_below_a_base_path_the_page_opens(below, page, path):
    page.goto(f"{below.url}{path}")
    expect(page.get_by_role("heading", name="Run plan").first).to_be_visible(timeout=30_000)
    assert page.url.startswith(f"{below.url}/manyways")


def address_of(page, name):
    link = page.get_by_role("link", name=name).first
    expect(link).to_be_visible()
    return link.evaluate("each => each.href")


def links_of(page, root):
    """The addresses of all downloads, from the pages on which they are."""
    page.goto(f"{root}/history")
    settled(page)
    page.get_by_role("button", name="Export").click()
    found = [address_of(page, name) for name in ("CSV", "JSON")]
    page.goto(f"{root}/settings")
    settled(page)
    page.get_by_role("tab", name="History").click()
    return [*found, address_of(page, "Download a copy")]


@pytest.mark.parametrize("where", ["below", "proxy"])
def test_a_page_opens_by_its_own_address_and_its_links_lead_to_files(
    where, below, proxy, console, page
):
    of, root = (below, f"{below.url}/manyways") if where == "below" else (console, proxy)
    of.plan("Plan a picnic")
    for link in links_of(page, root):
        assert link.startswith(f"{root}/autonomous/")
        assert of.client.get(link, headers={"Connection": "close"}).status_code == 200
    assert page.said == []
