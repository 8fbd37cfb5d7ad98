"""A websocket as far as a test needs one (RFC 6455): text in, text out, no compression."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Websocket:
    """An open connection on `wire`, a socket that is connected and speaks TLS where it has to."""

    def __init__(self, wire: socket.socket, host: str, path: str, headers: Mapping[str, str]) -> None:
        """Raises AssertionError with the answer where the server does not change to the protocol."""
        self._wire, self._rest = wire, b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        wire.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        while b"\r\n\r\n" not in self._rest:
            piece = wire.recv(65536)
            if not piece:
                break
            self._rest += piece
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head.decode("latin-1")

    def send(self, message: object) -> None:
        """`message` as JSON."""
        self._frame(TEXT, json.dumps(message).encode())

    def receive(self) -> Any:
        """The next message, from JSON. Raises ConnectionError when the server closes."""
        whole = b""
        while True:
            first, second = self._take(2)
            length = second & 127
            if length > 125:
                kind, size = (">H", 2) if length == 126 else (">Q", 8)
                (length,) = struct.unpack(kind, self._take(size))
            content, opcode = self._take(length), first & 15
            if opcode == PING:
                self._frame(PONG, content)
            elif opcode == CLOSE:
                raise ConnectionError(f"closed by the server: {content!r}")
            elif opcode != PONG:
                whole += content
                if first & 128:
                    return json.loads(whole)

    def _frame(self, opcode: int, content: bytes) -> None:
        size = len(content)
        if size < 126:
            head = struct.pack(">BB", 128 | opcode, 128 | size)
        elif size < 65536:
            head = struct.pack(">BBH", 128 | opcode, 128 | 126, size)
        else:
            head = struct.pack(">BBQ", 128 | opcode, 128 | 127, size)
        # Masked with zeros: the content as it is.
        self._wire.sendall(head + bytes(4) + content)

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size:
            piece = self._wire.recv(65536)
            if not piece:
                raise ConnectionError("the server ended the connection")
            self._rest += piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
