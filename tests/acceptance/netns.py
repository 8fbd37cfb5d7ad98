"""Probes from inside a container's network namespace. Run as a script by `nsenter`; imports nothing of ours.

netns.py connect ADDRESS:PORT …   JSON: target → "open" | "refused" | "blocked"
netns.py listen PORT …            listen on every address and print "ready"; ends with its standard input
"""

import asyncio
import json
import socket
import sys

TIMEOUT_S = 1.5
AT_ONCE = 64


async def probe(target: str, gate: asyncio.Semaphore) -> tuple[str, str]:
    address, _, port = target.rpartition(":")
    async with gate:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(address, int(port)), TIMEOUT_S)
        except ConnectionRefusedError:
            return target, "refused"
        except (TimeoutError, OSError):
            return target, "blocked"
        writer.close()
        return target, "open"


async def connect(targets: list[str]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    print(json.dumps(dict(await asyncio.gather(*(probe(t, gate) for t in targets)))))


def listen(ports: list[str]) -> None:
    sockets = []
    for port in ports:
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("0.0.0.0", int(port)))
        server.listen(128)
        sockets.append(server)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1] == "connect":
        asyncio.run(connect(sys.argv[2:]))
    else:
        listen(sys.argv[2:])
