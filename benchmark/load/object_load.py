"""A closed load of PUT and GET on an object store, in time segments: one order a line, one answer a line.

    python -m benchmark.load.object_load

runs in the network of a client that may reach the store; orders and answers are JSON. The first order opens
the store, the following ones measure a segment each, and the end of the orders removes what was written.
Every body is the same random bytes, hashed and signed once: the store checks the hash, the client need not
compute it again and again.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from benchmark.load.signature import EMPTY, Keys, signed

TIMEOUT_S = 60.0
CHUNK = 1 << 20
# The keys of one client take turns; so much of one size lies in the store for each client.
RING_BYTES, RING = 16 << 20, 8
FAILURE_PAUSE_S = 0.05
# Two bits a byte: what compresses brings it to a quarter, as it does much text.
LETTERS = bytes(b"ACGT"[byte % 4] for byte in range(256))
# Stores and load balancers close a connection that is idle for half a minute.
IDLE_S = 10.0
Fault = (http.client.HTTPException, OSError)


class RefusedError(OSError):
    """The store answered with another status than it should."""


@dataclass(frozen=True)
class Place:
    """A store: one URL for each of its doors, which a client uses in turns, and who asks.

    `server_name` is what the certificate is to say, where the URLs hold addresses.
    """

    urls: Sequence[str]
    keys: Keys
    bucket: str
    prefix: str
    ca_pem: str | None = field(default=None, repr=False)
    server_name: str | None = None

    def context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cadata=self.ca_pem) if self.ca_pem else None


class Client:
    """One request in flight at a time, over one kept connection for each door of the place."""

    def __init__(self, place: Place, number: int, context: ssl.SSLContext | None) -> None:
        self.place, self.number, self.context = place, number, context
        self.connections: dict[str, http.client.HTTPConnection] = {}
        self.buffer = memoryview(bytearray(CHUNK))
        self.turn = number
        self.used: dict[str, float] = {}  # door → when its connection was used last

    def connect(self) -> None:
        """Have a connection to each door that the other side still keeps."""
        for url in self.place.urls:
            if self._kept(url) is None:
                self._connect(url).connect()

    def put(self, key: str, body: memoryview, digest: str) -> None:
        self._ask("PUT", f"/{self.place.bucket}/{key}", body, digest, 200)

    def get(self, key: str, size: int) -> None:
        """Read an object and drop it. Raises RefusedError when it is shorter or longer than `size`."""
        if (found := self._ask("GET", f"/{self.place.bucket}/{key}", None, EMPTY, 200)) != size:
            raise RefusedError(f"{key}: {found} bytes instead of {size}")

    def delete(self, key: str) -> None:
        self._ask("DELETE", f"/{self.place.bucket}/{key}", None, EMPTY, 204)

    def make_bucket(self) -> None:
        self._ask("PUT", f"/{self.place.bucket}", None, EMPTY, 200)

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()

    def _ask(self, method: str, path: str, body: memoryview | None, digest: str, wanted: int) -> int:
        """The length of the answer's body."""
        url = self.place.urls[self.turn % len(self.place.urls)]
        self.turn += 1
        connection = self._kept(url) or self._connect(url)
        headers = signed(
            self.place.keys,
            method,
            host=urlsplit(url).netloc,
            path=path,
            digest=digest,
            moment=datetime.now(UTC),
        )
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            if answer.status != wanted:
                said = answer.read(400).decode(errors="replace")
                raise RefusedError(f"{method} {path}: status {answer.status}: {said}")
            length, self.used[url] = 0, time.monotonic()
            while count := answer.readinto(self.buffer):
                length += count
            return length
        except Fault:
            # In the middle of an answer it cannot be used again.
            connection.close()
            self.connections.pop(url, None)
            raise

    def _kept(self, url: str) -> http.client.HTTPConnection | None:
        """The connection to a door, unless the other side may have closed it by now."""
        if url in self.connections and time.monotonic() - self.used[url] > IDLE_S:
            self.connections.pop(url).close()
        return self.connections.get(url)

    def _connect(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        connection = _connection(parts.hostname, parts.port, self.context, self.place.server_name)
        self.connections[url], self.used[url] = connection, time.monotonic()
        return connection


def _connection(
    host: str, port: int, context: ssl.SSLContext | None, server_name: str | None
) -> http.client.HTTPConnection:
    if context is None:
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    return _Named(host, port, context, server_name or host)


class _Named(http.client.HTTPConnection):
    """TLS to an address, with a certificate for a name."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT_S)
        self.context, self.server_name = context, server_name

    def connect(self) -> None:
        super().connect()
        self.sock = self.context.wrap_socket(self.sock, server_hostname=self.server_name)


class Load:
    """Segments on one place; `close` removes every object that was written."""

    def __init__(self, place: Place) -> None:
        self.place, self.context = place, place.context()
        self.clients: list[Client] = []
        self.written: set[str] = set()
        self.bodies: dict[int, tuple[memoryview, str]] = {}

    def open(self, within_s: float, make_bucket: bool) -> None:
        """Wait until the store takes an object. Raises the last fault when it does not do so in time."""
        client, deadline = self._clients(1)[0], time.monotonic() + within_s
        while True:
            try:
                if make_bucket:
                    client.make_bucket()
                    make_bucket = False
                # At each door: the nodes of a store do not wake up together.
                for _ in self.place.urls:
                    self._put(client, f"{self.place.prefix}/first", 1)
                return
            except Fault:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def warm_up(self, size: int, clients: int) -> None:
        """Write every object that GET will read, and read each once. Raises what the store refuses."""

        def once(client: Client) -> None:
            client.connect()
            for key in self._ring(client, size):
                self._put(client, key, size)
                client.get(key, size)

        self._body(size)  # Made by one thread, for all of them.
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(once, self._clients(clients)))

    def segment(self, operation: str, size: int, clients: int, seconds: float) -> dict[str, Any]:
        """Operations as [begin, end] in seconds since the start, faults as texts, CPU seconds used here."""
        done: list[tuple[float, float]] = []
        faults: list[str] = []
        self._body(size)
        chosen, spent = self._clients(clients), time.process_time()
        origin = [0.0]

        def start() -> None:
            origin[0] = time.perf_counter()

        barrier = threading.Barrier(clients, start)

        def work(client: Client) -> None:
            ring = self._ring(client, size)
            step = self._step(operation, client, size)
            with suppress(*Fault):  # The operations themselves will say what is wrong.
                client.connect()
            barrier.wait()
            count = 0
            while (begin := time.perf_counter() - origin[0]) < seconds:
                try:
                    step(ring[count % len(ring)])
                except Fault as error:
                    faults.append(f"{type(error).__name__}: {error}"[:300])
                    time.sleep(FAILURE_PAUSE_S)
                else:
                    done.append((begin, time.perf_counter() - origin[0]))
                count += 1

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(work, chosen))
        return {"operations": done, "faults": faults, "cpu_s": time.process_time() - spent}

    def fill(self, size: int, count: int, clients: int, letters: bool = False) -> dict[str, Any]:
        """Write so many different objects, each of random bytes or of random letters (`LETTERS`).

        The seconds that it took. Raises what is refused.
        """
        keys = [f"{self.place.prefix}/fill/{size}-{n}" for n in range(count)]

        def write(client: Client) -> None:
            client.connect()
            for key in keys[client.number :: clients]:
                body = os.urandom(size)
                if letters:
                    body = body.translate(LETTERS)
                self.written.add(key)
                client.put(key, memoryview(body), hashlib.sha256(body).hexdigest())

        begin = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(write, self._clients(clients)))
        return {"seconds": time.perf_counter() - begin}

    def close(self) -> list[str]:
        """Delete what was written; why a key could not be deleted."""
        left = []
        client = self._clients(1)[0]
        for key in sorted(self.written):
            try:
                client.connect()
                client.delete(key)
            except Fault as error:
                left.append(f"{key}: {error}"[:300])
        for client in self.clients:
            client.close()
        return left

    def _step(self, operation: str, client: Client, size: int) -> Callable[[str], None]:
        if operation == "get":
            return lambda key: client.get(key, size)
        return lambda key: self._put(client, key, size)

    def _put(self, client: Client, key: str, size: int) -> None:
        self.written.add(key)
        client.put(key, *self._body(size))

    def _body(self, size: int) -> tuple[memoryview, str]:
        if size not in self.bodies:
            body = os.urandom(size)
            # One at a time: the largest is as large as all others together.
            self.bodies = {size: (memoryview(body), hashlib.sha256(body).hexdigest())}
        return self.bodies[size]

    def _ring(self, client: Client, size: int) -> list[str]:
        count = max(1, min(RING, RING_BYTES // size))
        return [f"{self.place.prefix}/{size}/{client.number}-{n}" for n in range(count)]

    def _clients(self, count: int) -> list[Client]:
        while len(self.clients) < count:
            self.clients.append(Client(self.place, len(self.clients), self.context))
        return self.clients[:count]


def answers(orders: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The answer to each order; the first one opens the place. A fault ends the answers."""
    first = next(orders, None)
    if first is None:
        return
    place = dict(first["place"])
    load = Load(Place(**{**place, "keys": Keys(**place["keys"])}))
    try:
        load.open(first["within_s"], first["make_bucket"])
        yield {"open": True}
        for order in orders:
            what = order.pop("do")
            if what == "warm_up":
                load.warm_up(**order)
                yield {"warm": True}
            elif what == "fill":
                yield load.fill(**order)
            else:
                yield load.segment(**order)
    finally:
        left = load.close()
    yield {"left": left}


def main() -> int:
    try:
        for answer in answers(json.loads(line) for line in sys.stdin):
            print(json.dumps(answer), flush=True)
    except Fault as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
