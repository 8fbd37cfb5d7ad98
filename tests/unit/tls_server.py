"""A server on the loopback that shows a certificate, for tests of whatever asks for one."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server, socket

from components.planning import pki


@contextmanager
def serving(folder: Path, leaf: pki.Certificate | None, answer: bytes = b"") -> Iterator[int]:
    """The port of a server with this certificate; without one it does not speak TLS.

    It sends `answer` once it has read something, if there is any.
    """
    context = None
    if leaf:
        (folder / "pem").write_text(leaf.bundle)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "pem")
    with create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, context, answer), daemon=True).start()
        yield server.getsockname()[1]


def _serve(server: socket, context: ssl.SSLContext | None, answer: bytes) -> None:
    while True:
        try:
            raw, _ = server.accept()
        except OSError:
            return
        try:
            if context is None:
                raw.sendall(b"HTTP/1.1 400\r\n\r\n")
            else:
                with context.wrap_socket(raw, server_side=True) as tls:
                    if answer and tls.recv(2**16):
                        tls.sendall(answer)
        except OSError:
            pass
        raw.close()
