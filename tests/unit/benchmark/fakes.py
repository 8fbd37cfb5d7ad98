"""Fakes for the tests: NVML with one GPU, the service of the trained models, a stack and its jobs."""

from __future__ import annotations

import http.server
import json
from typing import Any

from benchmark.core.errors import BenchmarkError
from benchmark.core.ranks import RankContext
from benchmark.core.store import DirectoryStore
from benchmark.load import streams
from benchmark.training import job
from benchmark.training.spec import Spec


class FakeNvml:
    """As much of `pynvml` as the benchmark calls; milliwatts and millijoules like the real one."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, counts: bool = True, present: bool = True) -> None:
        self.counts, self.present = counts, present
        self.millijoules = 5000

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.present:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid != "GPU-1":
            raise self.NVMLError("Not Found")
        return "handle"

    def nvmlDeviceGetName(self, handle: Any) -> str:  # noqa: N802
        return "H100"

    def nvmlDeviceGetUUID(self, handle: Any) -> str:  # noqa: N802
        return "GPU-1"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:  # noqa: N802
        if not self.counts:
            raise self.NVMLError("Not Supported")
        return self.millijoules

    def nvmlDeviceGetPowerUsage(self, handle: Any) -> int:  # noqa: N802
        return 80_000


class Service(http.server.BaseHTTPRequestHandler):
    """Answers as the service does, with the hash that the server holds; breaks connections off on demand."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        server: Any = self.server
        if server.breaks > 0:
            server.breaks -= 1
            self.close_connection = True
            return
        if self.path.endswith(":generate"):
            self._write(server.text)
            return
        self._answer(json.dumps({"model_sha256": server.sha256}).encode())

    def _write(self, text: bytes) -> None:
        """Server-sent events, one a byte; without the last one where the text is too short."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        events = [{"byte": byte} for byte in text] + [{"done": True}] * (len(text) == streams.TOKENS)
        for event in events:
            data = b"data: " + json.dumps(event).encode() + b"\n\n"
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class FakeStack:
    """The parts of a stack that `run` uses; training happens in this process, serving is refused."""

    name, compute_nodes = "fake", 1

    def __init__(self, store: DirectoryStore, client: Any = None) -> None:
        self.directory, self.client = store, client
        self.inventory: dict[str, Any] = {"services": [], "flows": []}

    def images(self) -> dict[str, str]:
        return {}

    def ray(self) -> None:
        return None

    def tracking(self) -> Any:
        return self.client

    def store(self) -> DirectoryStore:
        return self.directory

    def inference(self) -> Any:
        raise BenchmarkError("no serving here")


def in_this_process(spec: Spec, ray: object, store: DirectoryStore, on_message: object) -> str | None:
    """Stands in for `launch.in_stack` and `launch.on_host`."""
    try:
        job.run(spec.model_copy(update={"store": str(store.root)}), RankContext())
    except BenchmarkError as error:
        return f"{type(error).__name__}: {error}"
    return None
