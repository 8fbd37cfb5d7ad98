"""HTTP on a bare TLS connection: what no library would send."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, DATA = 4, 1, 0
END_HEADERS, END_STREAM = 4, 1
PIECE = b"a" * 2**14


def tls(endpoint: str, ca_file: str, protocol: str | None = None) -> ssl.SSLSocket:
    """A TLS connection, with `protocol` agreed upon by ALPN."""
    parts = urlsplit(endpoint)
    context = ssl.create_default_context(cafile=ca_file)
    if protocol:
        context.set_alpn_protocols([protocol])
    raw = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)
    return context.wrap_socket(raw, server_hostname=parts.hostname)


# So long an answer may take on a slow machine. Seconds.
PATIENCE = 30


def everything(endpoint: str, ca_file: str, sent: bytes, pause: float = 1) -> bytes:
    """Send raw bytes, and return what comes back until the end, or a pause of `pause` seconds after some."""
    answer = b""
    with tls(endpoint, ca_file) as connection:
        try:
            connection.sendall(sent)
            while more := connection.recv(65536):
                answer += more
                connection.settimeout(pause)
        except (TimeoutError, ConnectionError, ssl.SSLError):
            pass
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0


def swallowed(
    endpoint: str, ca_file: str, head: str, pieces: Iterable[bytes], first: float = 0.05
) -> tuple[int, bytes]:
    """How many bytes of a body could be sent before an answer or the end came, and the answer.

    After the head an answer is waited for `first` seconds: long, where it must come before the body.
    """
    sent, answer, wait = 0, b"", first
    with tls(endpoint, ca_file) as connection:
        connection.sendall(head.encode())
        try:
            for piece in pieces:
                connection.settimeout(wait)
                wait = 0.05
                try:
                    answer = connection.recv(65536)
                    break
                except TimeoutError:
                    pass
                connection.settimeout(PATIENCE)
                connection.sendall(piece)
                sent += len(piece)
        except (TimeoutError, ConnectionError, ssl.SSLError):
            pass
    return sent, answer


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def http2(endpoint: str, ca_file: str, fields: list[tuple[str, str]], body: bytes | None) -> bytes:
    """The header block that answers one request over HTTP/2. A status that is not in the protocol's table of
    common ones stands in it as text."""
    block = b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields
    )
    flags = END_HEADERS | (END_STREAM if body is None else 0)
    sent = PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, flags, 1, block)
    received = b""
    with tls(endpoint, ca_file, "h2") as connection:
        connection.sendall(sent + (frame(DATA, 0, 1, body) if body else b""))
        while True:
            while len(received) < 9 or len(received) < 9 + int.from_bytes(received[:3], "big"):
                more = connection.recv(65536)
                if not more:
                    return b""
                received += more
            end = 9 + int.from_bytes(received[:3], "big")
            if received[3] == HEADERS:
                return received[9:end]
            received = received[end:]
