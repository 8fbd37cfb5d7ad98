"""The server: TLS 1.3, one login, a few pages, and nothing that changes anything."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import socket
import ssl
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO

from operations.front.handed import Header
from operations.front.page import policy

from . import pages
from .looks import Looks
from .settings import FILES, PORT

# Connections at a time; the load balancer opens fewer. Seconds for which one may be silent.
CONNECTIONS, SILENCE = 24, 20.0
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Of pages that were handed over: they look as they like, and run, load, send and lead nowhere by themselves.
SHUT = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; sandbox"
)
# Browsers show no page with this header in a sandbox.
NOT_IN_SANDBOX = "Cross-Origin-Opener-Policy"


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "aidc", ""
    timeout = SILENCE

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self._answer(HTTPStatus.OK, "text/plain; charset=utf-8", b"ok\n")
        elif not opens(self.headers.get("Authorization", "")):
            self._answer(HTTPStatus.UNAUTHORIZED, "text/plain; charset=utf-8", b"log in\n")
        elif path == "/":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.looks.newest().page)
        elif path == "/status.json":
            self._answer(HTTPStatus.OK, "application/json", self.server.looks.newest().document)
        elif opened := pages.open_page(path.removeprefix("/")):
            self._hand(*opened)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"there is no such page\n")

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        headers = {**HEADERS, "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'"}
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Basic realm="monitoring", charset="UTF-8"'
        self._begin(status, kind, len(body), headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _hand(self, about: Header, file: BinaryIO) -> None:
        """A page as it was handed over, piece by piece: many at a time would not fit into memory."""
        headers = {name: value for name, value in HEADERS.items() if name != NOT_IN_SANDBOX}
        headers["Content-Security-Policy"] = SHUT
        with file:
            self._begin(HTTPStatus.OK, "text/html; charset=utf-8", about.size, headers)
            if self.command != "HEAD":
                shutil.copyfileobj(file, self.wfile, pages.PIECE)

    def _begin(self, status: HTTPStatus, kind: str, size: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(size), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the balancer counts requests, and a log of each would only fill the disk."""


def opens(header: str) -> bool:
    """Whether it is the login, of which this service knows the hash alone."""
    known = (FILES / "login").read_text(encoding="utf-8").strip()
    return hmac.compare_digest(hashlib.sha256(header.encode("utf-8", "replace")).hexdigest(), known)


class Server(ThreadingHTTPServer):
    """Each connection has a thread, in which also its handshake is made: a slow one keeps nobody waiting."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self) -> None:
        self.looks = Looks()
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self._shown: tuple[float, ...] = ()
        super().__init__(("", PORT), Handler)

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        try:
            request.settimeout(SILENCE)
            try:
                safe = self._renewed().wrap_socket(request, server_side=True)
            except OSError:
                self.shutdown_request(request)
                return
            super().process_request_thread(safe, client_address)
        finally:
            self._free.release()

    def _renewed(self) -> ssl.SSLContext:
        """The context, with the certificate that the files hold now."""
        paths = (FILES / "tls.crt", FILES / "tls.key")
        stamps = tuple(path.stat().st_mtime for path in paths)
        if stamps != self._shown:
            # Files are written one after another: with a pair that does not match, the former one stays.
            try:
                self._tls.load_cert_chain(*paths)
                self._shown = stamps
            except (OSError, ssl.SSLError):
                if not self._shown:
                    raise
        return self._tls

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that end early are none of ours."""


def main() -> None:
    Server().serve_forever()
