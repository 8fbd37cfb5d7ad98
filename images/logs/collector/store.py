"""VictoriaLogs beside the collector: a batch of lines goes there over verified TLS."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterable
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlencode

from .datagrams import Line, level
from .settings import FILES, LONGEST, PORT, Source

QUERY = urlencode({"_stream_fields": "service,role,container", "_time_field": "_time", "_msg_field": "_msg"})
TIMEOUT = 10.0
READER = "reader"


class StoreError(Exception):
    """The batch was not taken; the text says why."""


def document(line: Line, source: Source, text: str) -> str:
    """One line as JSON. All that the service has said is in `_msg`: it can name no other field."""
    if len(text) > LONGEST:
        text = text[:LONGEST] + " [cut]"
    fields = {
        "_time": line.time,
        "service": line.service,
        "role": source.role,
        "container": source.container,
        "stream": line.stream,
        "_msg": text or " ",
    }
    if found := level(text):
        fields["level"] = found
    return json.dumps(fields, ensure_ascii=False)


def send(documents: Iterable[str]) -> None:
    """Store a batch. Raises StoreError."""
    body = ("\n".join(documents) + "\n").encode("utf-8", "replace")
    ask("POST", f"/insert/jsonline?{QUERY}", body)


def ask(method: str, path: str, body: bytes | None = None) -> bytes:
    """The answer; certificate and password are read anew, since both are renewed. Raises StoreError."""
    try:
        context = ssl.create_default_context(cafile=str(FILES / "ca.crt"))
        password = (FILES / "password").read_text(encoding="utf-8").strip()
        login = base64.b64encode(f"{READER}:{password}".encode()).decode()
        connection = HTTPSConnection("localhost", PORT, timeout=TIMEOUT, context=context)
        try:
            connection.request(method, path, body, {"Authorization": f"Basic {login}"})
            answer = connection.getresponse()
            said: bytes = answer.read(1 << 20)
            if answer.status not in (200, 204):
                raise StoreError(f"HTTP {answer.status}")
        finally:
            connection.close()
    except (OSError, HTTPException) as error:
        raise StoreError(str(error) or type(error).__name__) from None
    return said
