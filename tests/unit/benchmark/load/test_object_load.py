"""The load on a real, small HTTP server that keeps objects in memory."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmark.load.object_load import IDLE_S, Client, Load, Place, answers
from benchmark.load.signature import EMPTY, Keys

OBJECTS: dict[str, bytes] = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        OBJECTS[self.path] = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._say(200)

    def do_GET(self) -> None:
        self._say(200 if self.path in OBJECTS else 404, OBJECTS.get(self.path, b""))

    def do_DELETE(self) -> None:
        self._say(204 if OBJECTS.pop(self.path, None) is not None else 404)

    def _say(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def place() -> Iterator[Place]:
    OBJECTS.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Place([f"http://127.0.0.1:{server.server_port}"], Keys("id", "key"), "results", "load")
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("operation", ["put", "get"])
def test_a_segment_holds_what_was_done_in_it(place: Place, operation: str) -> None:
    load = Load(place)
    load.warm_up(1000, 2)
    found = load.segment(operation, 1000, 2, 0.2)
    assert found["faults"] == []
    assert found["operations"]
    assert all(0 <= begin < 0.2 and begin < end for begin, end in found["operations"])
    load.close()


def test_an_object_of_another_length_is_a_fault(place: Place) -> None:
    load = Load(place)
    load.warm_up(1000, 1)
    for key in OBJECTS:
        OBJECTS[key] = b"short"
    assert load.segment("get", 1000, 1, 0.1)["faults"]
    load.close()


def test_nothing_is_left_of_a_load(place: Place) -> None:
    orders = [
        {
            "place": {
                "urls": place.urls,
                "keys": {"access_key": "id", "secret_key": "key"},
                "bucket": "results",
                "prefix": "load",
            },
            "within_s": 5,
            "make_bucket": False,
        },
        {"do": "warm_up", "size": 100, "clients": 2},
        {"do": "fill", "size": 100, "count": 5, "clients": 2},
    ]
    *_, last = answers(iter(orders))
    assert last == {"left": []}
    assert OBJECTS == {}


def test_every_object_of_a_fill_is_another_one(place: Place) -> None:
    load = Load(place)
    load.fill(64, 6, 4)
    assert len(OBJECTS) == len(set(OBJECTS.values())) == 6
    load.close()


def test_a_connection_that_was_idle_for_long_is_not_used_again(place: Place) -> None:
    client = Client(place, 0, None)
    client.connect()
    (url,) = client.connections
    first = client.connections[url]
    client.used[url] -= IDLE_S + 1
    client.put("load/x", memoryview(b"x"), EMPTY)
    assert client.connections[url] is not first
    assert first.sock is None
    client.close()


def test_letters_compress_to_a_quarter(place: Place) -> None:
    load = Load(place)
    load.fill(1 << 18, 2, 2, letters=True)
    assert len(set(OBJECTS.values())) == 2
    for body in OBJECTS.values():
        assert 0.2 < len(zlib.compress(body)) / len(body) < 0.35
    load.close()
