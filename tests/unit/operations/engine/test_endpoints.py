"""The ports must lead somewhere; inference only once a model is served."""

import socket
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from components.planning import pki
from components.planning.rotation import Generations
from operations.engine import endpoints
from tests.unit.tls_server import serving

URLS = {"inference": "https://i", "s3": "https://s", "ray": "https://r", "tracking": "https://t"}


def test_only_what_always_answers_is_waited_for() -> None:
    asked: list[tuple[str, str]] = []
    endpoints.wait(URLS, "", 0, {"tracking": "Basic x"}, lambda url, _ca, login: asked.append((url, login)))
    assert asked == [("https://s", ""), ("https://r", ""), ("https://t", "Basic x")]


def test_a_port_without_a_server_behind_it_comes_back_with_its_fault() -> None:
    assert endpoints.wait(
        URLS, "", 0, {}, lambda url, _ca, _login: "503" if url == "https://s" else None
    ) == {"s3": "503"}


def test_it_tries_again() -> None:
    answers = iter(["not yet", None, None])
    assert endpoints.wait({"s3": "https://s"}, "", 5, {}, lambda _url, _ca, _login: next(answers)) == {}


def test_a_closed_port_is_a_fault_and_no_exception() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    authority = pki.authority("0" * 64, "dev", date(2026, 1, 1))
    fault = endpoints.fault_of(f"https://127.0.0.1:{port}", authority)
    assert fault is not None
    assert "refused" in fault


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (403, None),
        (404, None),
        (502, "the load balancer finds no healthy server behind it (502)"),
        (503, "the load balancer finds no healthy server behind it (503)"),
        (504, "the load balancer finds no healthy server behind it (504)"),
    ],
)
def test_any_answer_but_the_load_balancers_own_is_one(tmp_path: Path, code: int, fault: str | None) -> None:
    today, seed = datetime.now(UTC).date(), "0" * 64
    leaf = pki.leaf(seed, "dev", Generations(today, today), "load-balancer", ("127.0.0.1",))
    answer = f"HTTP/1.1 {code} x\r\nContent-Length: 0\r\n\r\n".encode()
    with serving(tmp_path, leaf, answer) as port:
        found = endpoints.fault_of(f"https://127.0.0.1:{port}", pki.authority(seed, "dev", today))
    assert found == fault


@pytest.mark.parametrize(("code", "fault"), [(200, None), (401, "the login is refused")])
def test_behind_a_login_only_the_server_itself_counts(tmp_path: Path, code: int, fault: str | None) -> None:
    today, seed = datetime.now(UTC).date(), "0" * 64
    leaf = pki.leaf(seed, "dev", Generations(today, today), "load-balancer", ("127.0.0.1",))
    answer = f"HTTP/1.1 {code} x\r\nContent-Length: 0\r\n\r\n".encode()
    with serving(tmp_path, leaf, answer) as port:
        url, authority = f"https://127.0.0.1:{port}", pki.authority(seed, "dev", today)
        assert endpoints.fault_of(url, authority, "Basic eDp5") == fault
