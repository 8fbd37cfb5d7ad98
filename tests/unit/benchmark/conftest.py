"""Shared by the benchmark's tests: small workloads and a store in a directory."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.cluster.connection import Endpoint
from benchmark.core.config import Workload, load
from benchmark.core.store import DirectoryStore
from benchmark.load import streams
from benchmark.serving.settings import Arguments
from tests.unit.benchmark import served
from tests.unit.benchmark.fakes import Service

TESTDATA = Path(__file__).parents[2] / "testdata"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def testdata() -> Path:
    return TESTDATA


@pytest.fixture
def complete() -> dict[str, Any]:
    """A complete result: three seeds per workload, but one of bytelm."""
    content: dict[str, Any] = json.loads((TESTDATA / "result-complete.json").read_text())
    return content


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


@pytest.fixture
def tiny() -> Workload:
    return load(TESTDATA / "valid-workload.yaml", "smoke")


@pytest.fixture
def arguments(store: DirectoryStore) -> Arguments:
    """Three small models in the store, and the arguments that serve them."""
    return served.saved(store)


def changed(workload: Workload, **parts: dict[str, Any]) -> Workload:
    """A copy with some fields of its parts replaced: changed(w, training={"steps": 5})."""
    content = workload.model_dump()
    for name, fields in parts.items():
        content[name] = {**content[name], **fields}
    return Workload.model_validate(content)


@pytest.fixture
def server() -> Iterator[Any]:
    """A fake service; `breaks`: the number of connections that it breaks off."""
    service: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    service.sha256, service.breaks, service.text = "a" * 64, 0, bytes(range(streams.TOKENS))
    service.daemon_threads = True
    threading.Thread(target=service.serve_forever, daemon=True).start()
    yield service
    service.shutdown()


@pytest.fixture
def endpoint(server: Any) -> Endpoint:
    return Endpoint(f"http://127.0.0.1:{server.server_port}")
