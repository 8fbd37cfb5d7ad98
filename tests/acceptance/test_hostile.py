"""Hostile clients at every published endpoint: refused with the right status, and no service suffers.

Bounded: a few dozen connections, and one flood of at most FLOOD requests, which ends at the first refusal.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from components.load_balancer import CONNECTIONS, SILENCE
from components.planning.inventory import Inventory
from tests.acceptance.http_by_hand import PATIENCE, everything, status, tls
from tests.acceptance.s3_requests import REFUSED, Store
from tests.acceptance.waiting import eventually, settle

FLOOD = 30_000
BATCH = 250
MORE = 5
# What would tell an attacker about the inside.
LEAKS = (b"Traceback", b"/opt/", b'File "', b"site-packages")


@pytest.fixture(scope="module", autouse=True)
def restarts(inventory: Inventory, settled: None) -> Iterator[None]:
    """Whatever these tests send, no service restarts, and all are healthy afterwards."""
    before = starts(inventory)
    yield
    settle(inventory)
    assert starts(inventory) == before


def starts(inventory: Inventory) -> dict[str, tuple[int, str]]:
    """How often the engine has started a container again, and since when it runs."""
    names = [service.container for service in inventory.services]
    described = json.loads(subprocess.check_output(["docker", "inspect", *names]))
    return {found["Name"]: (found["RestartCount"], found["State"]["StartedAt"]) for found in described}


def exchange(endpoint: str, ca_file: str, sent: bytes) -> bytes:
    """Send raw bytes, and return what comes back until the end of the headers."""
    with tls(endpoint, ca_file) as connection:
        connection.sendall(sent)
        answer = connection.recv(65536)
        while b"\r\n\r\n" not in answer:
            more = connection.recv(65536)
            if not more:
                break
            answer += more
    return answer


MALFORMED = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "another protocol": b"GET / RTSP/1.0\r\nHost: a\r\n\r\n",
    "control character in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    "header without a name": b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length that is no number": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ten\r\n\r\n",
    "header of 64 KiB": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 65536 + b"\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_is_refused(endpoint: str, ca_file: str, sent: bytes) -> None:
    assert status(exchange(endpoint, ca_file, sent)) == 400


def test_request_smuggling_is_refused(endpoint: str, ca_file: str) -> None:
    """Length and chunks together: whichever counts, nothing of the body is taken for a second request."""
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    # Where it is a request, it gets an answer.
    ordinary = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n" + smuggled
    assert everything(endpoint, ca_file, ordinary, pause=PATIENCE).count(b"HTTP/1.1 ") == 2
    # By its length all of it is one body, by its chunks an empty one and a request.
    body = b"0\r\n\r\n" + smuggled
    lines = (b"POST / HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
    answer = everything(endpoint, ca_file, b"\r\n".join((*lines, b"", body)), pause=3)
    assert status(answer) >= 400
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(("name", "limit"), [("inference", 2**21), ("s3", 5 * 2**30), ("ray", 2**29)])
def test_oversized_is_refused_before_it_is_sent(
    inventory: Inventory, access: dict[str, Any], ca_file: str, name: str, limit: int
) -> None:
    head = (
        f"POST /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {access['inference_token']}\r\n"
        f"Content-Length: {limit + 1}\r\n\r\n"
    )
    endpoint = inventory.endpoints[name]
    assert endpoint is not None
    assert status(exchange(endpoint, ca_file, head.encode())) == 413


def test_inference_of_unknown_length_is_refused(
    inventory: Inventory, access: dict[str, Any], ca_file: str
) -> None:
    headers = {"Authorization": f"Bearer {access['inference_token']}"}
    url = f"{inventory.endpoints['inference']}/v1/models/mlp:predict"
    answer = requests.post(url, data=iter([b"{}"]), headers=headers, verify=ca_file, timeout=30)
    assert answer.status_code == 411


PROTECTED = {"inference": "/v1/models", "s3": "/models/", "ray": "/api/jobs/", "tracking": "/"}


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic YTpi", "Bearer"])
@pytest.mark.parametrize("name", PROTECTED)
def test_without_the_right_credentials_nothing_is_served(
    inventory: Inventory, ca_file: str, name: str, header: str | None
) -> None:
    url = f"{inventory.endpoints[name]}{PROTECTED[name]}"
    headers = {"Authorization": header} if header else {}
    answer = requests.get(url, headers=headers, verify=ca_file, timeout=30)
    assert answer.status_code in (400, 401, 403)
    assert not [leak for leak in LEAKS if leak in answer.content]


def login(access: dict[str, Any], store: Store, name: str, path: str) -> dict[str, str]:
    """Headers with which the endpoint `name` takes a GET of `path`."""
    if name == "s3":
        return store.signed("GET", path)
    if name == "tracking":
        known = base64.b64encode(f"admin:{access['tracking']['admin']}".encode()).decode()
        return {"Authorization": f"Basic {known}"}
    return {"Authorization": f"Bearer {access[f'{name}_token']}"}


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/static/..%2f..%2fetc/passwd"]
)
@pytest.mark.parametrize("name", PROTECTED)
def test_paths_do_not_lead_out(
    inventory: Inventory, access: dict[str, Any], store: Store, name: str, path: str
) -> None:
    """Not for somebody with the right login either: without it no path is looked at."""
    endpoint = inventory.endpoints[name]
    assert endpoint is not None
    place = urlsplit(endpoint).netloc

    def asked(target: str) -> bytes:
        headers = {"Host": place, **login(access, store, name, target), "Connection": "close"}
        lines = (f"GET {target} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items()), "", "")
        return everything(endpoint, store.ca_file, "\r\n".join(lines).encode(), pause=PATIENCE)

    assert status(asked(PROTECTED[name])) not in (0, 401, 403)
    answer = asked(path)
    assert REFUSED not in answer
    assert b"root:" not in answer
    assert status(answer) >= 400
    assert not [leak for leak in LEAKS if leak in answer]


def test_a_slow_client_is_given_up(inventory: Inventory, ca_file: str) -> None:
    """Headers that never end: the connection is closed with 408."""
    endpoint = inventory.endpoints["inference"]
    assert endpoint is not None
    answer = exchange(endpoint, ca_file, b"GET / HTTP/1.1\r\nHost: a\r\n")
    assert status(answer) == 408


# The first bytes of a TLS handshake that goes no further.
HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
SILENT = ("nothing", "half a hello", "http/1.1", "h2")


@pytest.fixture(scope="module")
def silent(inventory: Inventory, ca_file: str) -> Iterator[dict[tuple[str, str], socket.socket]]:
    """Connections that say nothing before TLS or after it, at each endpoint: all begun at once."""

    def connect(endpoint: str, how: str) -> socket.socket:
        if how not in ("nothing", "half a hello"):
            return tls(endpoint, ca_file, how)
        parts = urlsplit(endpoint)
        connection = socket.create_connection((parts.hostname, parts.port))
        connection.sendall(HALF_A_HELLO if how == "half a hello" else b"")
        return connection

    urls = filter(None, inventory.endpoints.values())
    with ExitStack() as stack:
        yield {(url, how): stack.enter_context(connect(url, how)) for url in urls for how in SILENT}


@pytest.mark.parametrize("how", SILENT)
def test_who_says_nothing_is_cut(
    endpoint: str, silent: dict[tuple[str, str], socket.socket], how: str
) -> None:
    connection = silent[endpoint, how]
    connection.settimeout(5 * SILENCE)
    while connection.recv(65536):
        pass


def test_silent_connections_do_not_shut_others_out(endpoint: str, ca_file: str) -> None:
    """As many as one address may hold: a moment later they are gone."""
    parts = urlsplit(endpoint)
    silent = [
        socket.create_connection((parts.hostname, parts.port), timeout=30) for _ in range(CONNECTIONS + 20)
    ]

    def answered() -> bool:
        try:
            answer = exchange(endpoint, ca_file, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        except OSError:
            return False
        return status(answer) in (200, 401, 403, 404)

    try:
        assert eventually(answered, 60)
    finally:
        for connection in silent:
            connection.close()


# Method and status: at inference the load balancer itself refuses the method, once it has taken the token,
# whether or not a model is served.
TAKEN = {"inference": ("PUT", 405), "ray": ("GET", 200)}


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer", "Bearer "])
@pytest.mark.parametrize("name", TAKEN)
def test_the_scheme_of_a_token_has_no_case(
    inventory: Inventory, access: dict[str, Any], ca_file: str, name: str, scheme: str
) -> None:
    method, expected = TAKEN[name]
    headers = {"Authorization": f"{scheme} {access[f'{name}_token']}"}
    url = f"{inventory.endpoints[name]}{PROTECTED[name]}"
    answer = requests.request(method, url, headers=headers, verify=ca_file, timeout=30)
    assert answer.status_code == expected


TOKEN = "Authorization: Bearer {inference_token}\r\n"
REFUSALS = {
    401: ("inference", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    405: ("inference", f"PUT / HTTP/1.1\r\nHost: a\r\n{TOKEN}\r\n"),
    413: ("inference", f"POST / HTTP/1.1\r\nHost: a\r\n{TOKEN}Content-Length: 5000000\r\n\r\n"),
    403: ("s3", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    411: ("s3", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
    400: ("ray", "GET / HTTP/1.1\r\n\r\n"),
}


@pytest.mark.parametrize("expected", REFUSALS)
def test_refusals_too_say_that_only_https_will_do(
    inventory: Inventory, access: dict[str, Any], ca_file: str, expected: int
) -> None:
    name, sent = REFUSALS[expected]
    endpoint = inventory.endpoints[name]
    assert endpoint is not None
    answer = exchange(endpoint, ca_file, sent.format(**access).encode())
    assert status(answer) == expected
    assert b"\r\nstrict-transport-security: max-age=" in answer


def test_a_flood_is_refused_and_then_forgiven(
    inventory: Inventory, access: dict[str, Any], ca_file: str
) -> None:
    endpoint = inventory.endpoints["ray"]
    assert endpoint is not None
    batch = b"GET /api/version HTTP/1.1\r\nHost: a\r\n\r\n" * BATCH
    headers = {"Authorization": f"Bearer {access['ray_token']}"}

    def asked() -> int:
        url = f"{endpoint}/api/version"
        return requests.get(url, headers=headers, verify=ca_file, timeout=30).status_code

    with tls(endpoint, ca_file) as connection:
        sent, refused = 0, 0
        # Some more beyond the first refusal: what was sent long ago counts less with every moment.
        while refused < MORE and sent < FLOOD:
            connection.sendall(batch)
            answer = b""
            while answer.count(b"HTTP/1.1 ") < BATCH and (more := connection.recv(2**20)):
                answer += more
            sent, refused = sent + BATCH, refused + (b" 429 " in answer)
        assert refused == MORE, f"{sent} requests, {refused} batches with a refusal"
        assert asked() == 429
    assert eventually(lambda: asked() == 200, 60)
