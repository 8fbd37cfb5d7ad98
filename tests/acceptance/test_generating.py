"""Text that a served language model writes, through the load balancer: as it comes, while it is wanted."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmark.cluster import stack as stacks
from tests.acceptance.conftest import STACK

MODEL = "bytelm"
# The answer of Pulumi takes a second.
read = cache(stacks.read)
STOPPED = f'aidc_serve_generations_stopped_total{{model="{MODEL}"'


@pytest.fixture
def connection(result: dict[str, Any]) -> Iterator[http.client.HTTPSConnection]:
    stack = read(STACK)
    url = urlsplit(stack.endpoint("inference"))
    context = ssl.create_default_context(cafile=stack.ca_path)
    found = http.client.HTTPSConnection(str(url.hostname), url.port, context=context, timeout=60)
    yield found
    found.close()


def ask(connection: http.client.HTTPSConnection, method: str, path: str, body: Any = None) -> Any:
    token = read(STACK).access["inference_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
    return connection.getresponse()


def events(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in answer:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def stopped(connection: http.client.HTTPSConnection) -> float:
    """Over the replicas that answered several questions; each counts for itself."""
    found: dict[str, float] = {}
    for _ in range(12):
        connection.close()
        for line in ask(connection, "GET", "/v1/metrics").read().decode().splitlines():
            if line.startswith(STOPPED):
                series, _, number = line.rpartition(" ")
                found[series] = float(number)
    return sum(found.values())


def test_a_stream_comes_in_events_and_equals_the_whole_answer(
    connection: http.client.HTTPSConnection,
) -> None:
    wanted = {"prompt": "import ", "max_bytes": 16}
    whole = json.loads(ask(connection, "POST", f"/v1/models/{MODEL}:generate", wanted).read())
    answer = ask(connection, "POST", f"/v1/models/{MODEL}:generate", {**wanted, "stream": True})
    assert answer.headers.get_content_type() == "text/event-stream"
    *pieces, end = events(answer)
    assert (len(pieces), end["done"]) == (16, True)
    assert "".join(piece["text"] for piece in pieces) == whole["text"]
    assert end["first_byte_s"] > 0


def test_nothing_more_is_written_for_a_client_that_has_gone(connection: http.client.HTTPSConnection) -> None:
    before = stopped(connection)
    for _ in range(5):  # a client that is held up may leave only after the end
        answer = ask(connection, "POST", f"/v1/models/{MODEL}:generate", {
            "prompt": "x", "max_bytes": 500, "stream": True
        })  # fmt: skip
        assert "byte" in next(events(answer))
        answer.close()
        connection.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if stopped(connection) > before:
                return
            time.sleep(0.5)
    pytest.fail("five texts were written to their ends for nobody")
