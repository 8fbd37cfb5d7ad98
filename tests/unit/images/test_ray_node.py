"""What starts a Ray node: a head has Ray look after the jobs of before, once its agent answers."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from components.planning.paths import ROOT

FILE = str(ROOT / "images/compute/ray-node")


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    loader = SourceFileLoader("ray_node", FILE)
    spec = importlib.util.spec_from_loader("ray_node", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    (tmp_path / "token").write_text("secret\n")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("AIDC_FABRIC_ADDRESS", "127.0.0.1")
    return module


@contextmanager
def agent(*answers: int) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Its port, and path and login of each request; the last answer stays."""
    asked: list[tuple[str, str | None]] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield str(server.server_port), asked
    finally:
        server.shutdown()
        server.server_close()


def test_the_agent_is_asked_with_the_token_until_it_knows_its_jobs(node: Any, capsys: Any) -> None:
    with agent(500, 401, 404) as (port, asked):
        node.recover(port)
    assert asked == [("/api/job_agent/jobs/none/logs", "Bearer secret")] * 3
    assert "jobs of before are looked after" in capsys.readouterr().out


def test_an_agent_that_never_answers_is_told(node: Any, capsys: Any) -> None:
    with agent(404) as (port, _):
        pass
    node.recover(port)
    assert "the agent does not answer" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "code"), [(200, 0), (503, 1)])
def test_a_check_passes_with_200_alone(node: Any, answer: int, code: int) -> None:
    with agent(answer) as (port, asked):
        assert node.check(f"{port}/api/gcs_healthz") == code
    assert asked == [("/api/gcs_healthz", None)]
