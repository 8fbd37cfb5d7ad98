"""Where a request ends is beyond doubt at every endpoint, before its body is read."""

from __future__ import annotations

from itertools import repeat
from typing import Any
from urllib.parse import urlsplit

import pytest

from components.planning.inventory import Inventory
from tests.acceptance.http_by_hand import PATIENCE, PIECE, everything, http2, status, swallowed
from tests.acceptance.s3_requests import BUCKET, Store, forged_header, unsigned_stream

MIB = 2**20
ENDLESS = f"/{BUCKET}/edge/endless"
METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS", "FOO")
SECOND = b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"


def head(access: dict[str, Any], method: str, *headers: str) -> str:
    lines = (
        f"{method} /x HTTP/1.1",
        "Host: a",
        f"Authorization: Bearer {access['inference_token']}",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, ""))


@pytest.mark.parametrize("method", METHODS)
def test_chunks_are_refused_by_any_method(
    endpoint: str, inventory: Inventory, access: dict[str, Any], ca_file: str, method: str
) -> None:
    """Before the first of them, or at that in tracking, where an upload of none is an empty artefact."""
    chunk = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
    begin = chunk.decode() if endpoint == inventory.endpoints["tracking"] else ""
    sent, answer = swallowed(
        endpoint,
        ca_file,
        head(access, method, "Transfer-Encoding: chunked") + begin,
        repeat(chunk, 2 * MIB // len(chunk)),
        first=PATIENCE,
    )
    assert sent < MIB
    assert status(answer) == 411


LENGTHS = {
    "2^64": f"{2**64}",
    "2^64 - 1": f"{2**64 - 1}",
    "2^64 and the body": f"{2**64 + len(SECOND)}",
    "2^63": f"{2**63}",
    "2^63 - 1": f"{2**63 - 1}",
    "2^128": f"{2**128}",
    "20 digits": "9" * 20,
    "400 digits": "9" * 400,
    "sign": "+5",
    "minus": "-1",
    "hexadecimal": "0x5",
    "exponent": "1e3",
    "space": "5 5",
    "list": "5, 6",
    "empty": "",
}


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS.keys())
def test_a_length_that_is_none_is_refused_and_nothing_behind_it_is_answered(
    endpoint: str, access: dict[str, Any], ca_file: str, length: str, method: str
) -> None:
    sent = head(access, method, f"Content-Length: {length}").encode() + SECOND
    answer = everything(endpoint, ca_file, sent)
    assert status(answer) in (400, 405)
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("length", [2**64 - 1, 2**64, 2**63, 10**17])
def test_a_huge_length_is_refused_before_its_body(
    endpoint: str, access: dict[str, Any], ca_file: str, length: int
) -> None:
    pieces = repeat(PIECE, 2 * MIB // len(PIECE))
    sent, answer = swallowed(
        endpoint, ca_file, head(access, "POST", f"Content-Length: {length}"), pieces, first=PATIENCE
    )
    assert sent < MIB
    assert status(answer) in (400, 413)


def test_zeros_before_a_length_do_not_move_its_end(
    endpoint: str, access: dict[str, Any], ca_file: str
) -> None:
    """They are allowed (RFC 9110, 8.6); the number counts, and goes on without them."""
    sent = head(access, "POST", "Content-Length: " + "0" * 30 + "2").encode() + b"{}"
    closing = SECOND.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    answer = everything(endpoint, ca_file, sent + closing, pause=PATIENCE)
    assert answer.count(b"HTTP/1.1 ") == 2
    # The second answer is to the second request: one that began with the body would be malformed.
    assert not answer.rpartition(b"HTTP/1.1 ")[2].startswith(b"400")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_a_body_where_none_belongs_is_refused(
    endpoint: str, inventory: Inventory, access: dict[str, Any], ca_file: str, method: str
) -> None:
    """MLflow's clients send one with DELETE, which ends at the login instead."""
    sent = head(access, method, "Connection: close", "Content-Length: 2").encode() + b"{}"
    belongs = method == "DELETE" and endpoint == inventory.endpoints["tracking"]
    assert status(everything(endpoint, ca_file, sent)) in ((401,) if belongs else (400, 405))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "FOO", "Post"])
def test_inference_takes_no_other_methods(
    inventory: Inventory, access: dict[str, Any], ca_file: str, method: str
) -> None:
    endpoint = inventory.endpoints["inference"]
    assert endpoint is not None
    answer = everything(endpoint, ca_file, head(access, method, "Connection: close").encode())
    assert status(answer) == 405
    assert b"allow: GET, HEAD, OPTIONS, POST\r\n" in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
def test_a_body_without_a_length_is_refused_over_http2(
    endpoint: str, inventory: Inventory, access: dict[str, Any], ca_file: str, method: str
) -> None:
    """Monitoring and the front door take no body here, so that one that is there already is too large."""
    fields = [
        (":method", method),
        (":scheme", "https"),
        (":path", "/x"),
        (":authority", "a"),
        ("authorization", f"Bearer {access['inference_token']}"),
    ]
    refused = (b"411", b"405") if method in ("PUT", "DELETE") else (b"411",)
    if endpoint in (inventory.endpoints["monitoring"], inventory.endpoints["home"]):
        refused = (*refused, b"413")
    answer = http2(endpoint, ca_file, fields, b"{}")
    assert any(code in answer for code in refused)


def test_http_1_1_without_host_is_refused(endpoint: str, ca_file: str) -> None:
    assert status(everything(endpoint, ca_file, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")) == 400


def test_two_authorization_headers_are_refused(endpoint: str, access: dict[str, Any], ca_file: str) -> None:
    right = f"Authorization: Bearer {access['inference_token']}"
    for other in (right, "Authorization: Bearer wrong", "authorization: Basic YTpi"):
        sent = head(access, "GET", other, "Connection: close")
        assert status(everything(endpoint, ca_file, sent.encode())) == 400


def endless(store: Store, headers: dict[str, str], first: float = 0.05) -> tuple[int, bytes]:
    """How much of a stream that never ends is taken, and the answer, which is waited for before it."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    host = urlsplit(store.endpoint).netloc
    head = f"PUT {ENDLESS} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n{''.join(lines)}\r\n"
    part = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
    return swallowed(
        store.endpoint,
        store.ca_file,
        head,
        repeat(b"%x\r\n%s\r\n" % (len(part), part), 8 * MIB // len(part)),
        first,
    )


def test_a_stream_with_a_made_up_signature_is_refused_early(store: Store) -> None:
    headers, _ = unsigned_stream(b"x")
    names = ";".join(sorted(["host", *headers]))
    sent, answer = endless(store, {**headers, "Authorization": forged_header("root", names)})
    assert sent < 4 * MIB
    assert status(answer) == 403


def test_a_stream_goes_no_further_than_it_declared(store: Store) -> None:
    headers, _ = unsigned_stream(b"x")
    sent, answer = endless(store, store.signed("PUT", ENDLESS, headers))
    # Far less than there is to take; a stream that was taken to its end has no answer either.
    assert sent < 4 * MIB
    assert status(answer) in (0, 400, 403)
    assert store.send("GET", ENDLESS, store.signed("GET", ENDLESS)).status == 404


@pytest.mark.parametrize(
    ("declared", "expected"), [(6 * 2**30, 413), (2**64, 411), ("+5", 411), ("", 411), (None, 411)]
)
def test_a_stream_declares_a_length_within_the_limit(store: Store, declared: object, expected: int) -> None:
    headers, _ = unsigned_stream(b"x")
    headers.pop("x-amz-decoded-content-length")
    if declared is not None:
        headers["x-amz-decoded-content-length"] = f"{declared}"
    sent, answer = endless(store, store.signed("PUT", ENDLESS, headers), first=PATIENCE)
    assert sent < MIB
    assert status(answer) == expected
