"""A mail server that greets in plain, and writes down what it is told; for test_alert_mail.

It runs by itself in a container, with the standard library alone. How it behaves is in /got/mode, read for
each connection: `good`; `plain` offers no TLS, `broken` does not begin it; `other` and `foreign` show another
certificate.
"""

from __future__ import annotations

import json
import socketserver
import ssl
from pathlib import Path
from typing import Any, BinaryIO, cast

GOT, CERTS = Path("/got"), Path("/certs")
PORT = 587


class Mail(socketserver.BaseRequestHandler):
    """One connection, with as much of RFC 5321 as a sender needs."""

    def handle(self) -> None:
        self.mode, self.tls = (GOT / "mode").read_text(), ""
        self.stream = cast(BinaryIO, self.request.makefile("rwb"))
        self.say("220 mail.outside.test")
        while told := self.stream.readline().decode().strip():
            self.note(said=told)
            verb = told.split()[0].upper()
            if verb == "QUIT":
                break
            getattr(self, verb.lower(), self.agree)()

    def say(self, *lines: str) -> None:
        self.stream.write("".join(f"{line}\r\n" for line in lines).encode())
        self.stream.flush()

    def note(self, **what: Any) -> None:
        with (GOT / "lines").open("a") as file:
            file.write(json.dumps({"mode": self.mode, "tls": self.tls, **what}) + "\n")

    def agree(self) -> None:
        self.say("250 ok")

    def ehlo(self) -> None:
        offers = ["250-mail.outside.test"]
        if not self.tls and self.mode != "plain":
            offers.append("250-STARTTLS")
        # By LOGIN, Go's senders tell a password without TLS too.
        self.say(*offers, "250 AUTH PLAIN" if self.tls else "250 AUTH LOGIN PLAIN")

    def starttls(self) -> None:
        if self.mode == "broken":
            self.say("454 not now")
            return
        self.say("220 go on")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTS / f"{self.mode}.crt", CERTS / f"{self.mode}.key")
        line = context.wrap_socket(self.request, server_side=True)
        self.stream, self.tls = cast(BinaryIO, line.makefile("rwb")), str(line.version())

    def auth(self) -> None:
        self.say("235 welcome")

    def data(self) -> None:
        self.say("354 go on")
        text = ""
        while (line := self.stream.readline().decode()) not in (".\r\n", ""):
            text += line
        self.note(message=text)
        self.say("250 taken")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Server(("0.0.0.0", PORT), Mail).serve_forever()
