"""The ports must lead somewhere; inference only once a model is served."""

import socket
from datetime import date

from components.planning import pki
from operations.engine import endpoints

URLS = {"inference": "https://i", "s3": "https://s", "ray": "https://r", "tracking": None}


def test_only_what_always_answers_is_waited_for() -> None:
    asked: list[str] = []
    endpoints.wait(URLS, "", 0, lambda url, _ca: asked.append(url))
    assert asked == ["https://s", "https://r"]


def test_a_port_without_a_server_behind_it_comes_back_with_its_fault() -> None:
    assert endpoints.wait(URLS, "", 0, lambda url, _ca: "503" if url == "https://s" else None) == {
        "s3": "503"
    }


def test_it_tries_again() -> None:
    answers = iter(["not yet", None, None])
    assert endpoints.wait({"s3": "https://s"}, "", 5, lambda _url, _ca: next(answers)) == {}


def test_a_closed_port_is_a_fault_and_no_exception() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    authority = pki.authority("0" * 64, "dev", date(2026, 1, 1))
    fault = endpoints.fault_of(f"https://127.0.0.1:{port}", authority)
    assert fault is not None
    assert "refused" in fault
