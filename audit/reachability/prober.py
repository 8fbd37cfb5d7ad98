"""Listens and probes within one network namespace. Run as a script by `nsenter`; imports nothing of ours.

Reads one JSON object per line from standard input, answers each with one line, and ends with its input:

    {"do": "listen", "tcp": ["10.0.0.1:80"], "udp": ["10.0.0.1:80"]}
        → {"failed": {"tcp 10.0.0.1:80": "why"}}; what is not in there listens
    {"do": "probe", "tcp": ["10.0.0.1:80"], "udp": ["10.0.0.1:80"], "token": "t", "seconds": 1}
        → {"tcp": {target: "open" | "refused" | "blocked"},
           "udp": {target: "answered" | "refused" | "silent"}}
    {"do": "received"}  → {"udp": ["t 10.0.0.1:80", …]}: what came in, even where no answer came back
    {"do": "ask", "name": "x.example", "servers": ["127.0.0.11"], "seconds": 1}
        → {server: "silent" | "code 2, 0 answers"}
    {"do": "facts"}  → {"ipv6": ["fe80::1 eth0"]}: addresses other than the loopback's
"""

import asyncio
import errno
import json
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from typing import Any, cast

AT_ONCE = 256
received: list[str] = []
listening: list[object] = []  # A listener lives as long as something refers to it.


class Echo(asyncio.DatagramProtocol):
    """Records every datagram and sends it back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        received.append(data.decode(errors="replace"))
        self.transport.sendto(data, addr)


class Question(asyncio.DatagramProtocol):
    """Sends one datagram and waits for the first answer or error."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.DatagramTransport, transport).sendto(self.payload)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


def split(target: str) -> tuple[str, int]:
    address, _, port = target.rpartition(":")
    return address.strip("[]"), int(port)


def connect(targets: Sequence[str], seconds: float) -> dict[str, str]:
    """Connect to all at once. The kernel shakes hands even while a busy machine gives this process no turn:
    what counts in the end is what the kernel has, not what was heard in time.
    """
    states, waiting = dict.fromkeys(targets, "blocked"), selectors.DefaultSelector()
    sockets: list[socket.socket] = []
    deadline = time.monotonic() + seconds
    for target in targets:
        try:
            family = socket.AF_INET6 if "[" in target else socket.AF_INET
            sockets.append(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            code = sockets[-1].connect_ex(split(target))
        except OSError:  # No such family here.
            continue
        if code == errno.EINPROGRESS:
            waiting.register(sockets[-1], selectors.EVENT_WRITE, target)
        else:
            states[target] = state_of(code)
    while waiting.get_map():
        left = deadline - time.monotonic()
        ready = waiting.select(max(left, 0))
        for key, _ in ready:
            states[key.data] = state_of(
                cast(socket.socket, key.fileobj).getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            )
            waiting.unregister(key.fileobj)
        if left <= 0 and not ready:
            break
    for connection in sockets:
        connection.close()
    return states


def state_of(code: int) -> str:
    return {0: "open", errno.ECONNREFUSED: "refused"}.get(code, "blocked")


async def exchange(target: str, payload: bytes, seconds: float) -> bytes:
    """The first answer to `payload`. Raises TimeoutError or OSError."""
    loop = asyncio.get_running_loop()
    transport, question = await loop.create_datagram_endpoint(
        lambda: Question(payload), remote_addr=split(target)
    )
    try:
        return await asyncio.wait_for(question.answer, seconds)
    finally:
        transport.close()


async def send(target: str, token: str, seconds: float, gate: asyncio.Semaphore) -> tuple[str, str]:
    async with gate:
        try:
            await exchange(target, f"{token} {target}".encode(), seconds)
        except ConnectionRefusedError:
            return target, "refused"
        except (TimeoutError, OSError):
            return target, "silent"
        return target, "answered"


async def probe(tcp: Sequence[str], udp: Sequence[str], token: str, seconds: float) -> dict[str, Any]:
    gate = asyncio.Semaphore(AT_ONCE)
    # In a thread: meanwhile our own listeners answer others.
    connected = asyncio.to_thread(connect, tcp, seconds)
    sent = asyncio.gather(*(send(t, token, seconds, gate) for t in udp))
    states, answers = await asyncio.gather(connected, sent)
    return {"tcp": states, "udp": dict(answers)}


async def listen(tcp: Sequence[str], udp: Sequence[str]) -> dict[str, Any]:
    loop, failed = asyncio.get_running_loop(), {}
    for target in tcp:
        try:
            listening.append(await asyncio.start_server(lambda _, w: w.close(), *split(target)))
        except OSError as error:
            failed[f"tcp {target}"] = error.strerror or str(error)
    for target in udp:
        try:
            listening.append(await loop.create_datagram_endpoint(Echo, local_addr=split(target)))
        except OSError as error:
            failed[f"udp {target}"] = error.strerror or str(error)
    return {"failed": failed}


async def ask(name: str, servers: Sequence[str], seconds: float) -> dict[str, str]:
    """What each name server answers to a query for the IPv4 address of `name`."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = struct.pack(">6H", 0xA1DC, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)

    async def ask_server(server: str) -> str:
        try:
            answer = await exchange(f"{server}:53", query, seconds)
        except (TimeoutError, OSError):
            return "silent"
        _, flags, _, answers, _, _ = struct.unpack(">6H", answer[:12].ljust(12, b"\0"))
        return f"code {flags & 15}, {answers} answers"

    return dict(zip(servers, await asyncio.gather(*(ask_server(s) for s in servers)), strict=True))


def facts() -> dict[str, list[str]]:
    try:
        with open("/proc/self/net/if_inet6") as table:
            rows = [line.split() for line in table]
    except OSError:  # The kernel has no IPv6.
        rows = []
    named = [(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])), row[5]) for row in rows]
    return {"ipv6": [f"{address} {interface}" for address, interface in named if interface != "lo"]}


async def arrived() -> dict[str, list[str]]:
    """What came in, once nothing more is waiting to be read."""
    count = -1
    while count != len(received):
        count = len(received)
        await asyncio.sleep(0.1)
    return {"udp": list(received)}


async def answer(do: str, **given: Any) -> dict[str, Any]:
    if do == "listen":
        return await listen(**given)
    if do == "probe":
        return await probe(**given)
    if do == "ask":
        return await ask(**given)
    return await arrived() if do == "received" else facts()


async def main() -> None:
    # Ctrl-C reaches the whole process group; we end with our input, after our parent has cleaned up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await answer(**json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
