"""Whether the server answers: a login and a query over verified TLS, which need both databases."""

from __future__ import annotations

import base64
import ssl
from http.client import HTTPException, HTTPSConnection

from .settings import FILES, PORT

TIMEOUT = 8.0
QUERY = "/api/2.0/mlflow/experiments/search?max_results=1"


def login() -> str:
    """The header Authorization of the benchmark's user."""
    password = (FILES / "users/benchmark").read_text().strip()
    return "Basic " + base64.b64encode(f"benchmark:{password}".encode()).decode()


def fault() -> str:
    """Why it does not; empty when it does."""
    context = ssl.create_default_context(cafile=str(FILES / "ca.crt"))
    connection = HTTPSConnection("localhost", PORT, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", QUERY, headers={"Authorization": login()})
        answer = connection.getresponse()
        text = answer.read(200).decode(errors="replace")
        return "" if answer.status == 200 else f"HTTP {answer.status}: {' '.join(text.split())}"
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
