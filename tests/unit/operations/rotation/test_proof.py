"""What a rotation is proven by: the certificate and the status that an endpoint gives over verified TLS."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.planning import pki
from components.planning.rotation import Generations
from operations.rotation import proof
from tests.unit.tls_server import serving

SEED = "ab" * 32
TODAY = datetime.now(UTC).date()
GENERATIONS = Generations(TODAY, TODAY)
LEAF = pki.leaf(SEED, "test", GENERATIONS, "load-balancer", ("127.0.0.1",))


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    file.write_text(pki.authority(SEED, "test", TODAY))
    return str(file)


def subject(port: int, ca_file: str, seed: str = SEED) -> Any:
    """As much of a subject as the checks of endpoints ask for."""
    return SimpleNamespace(
        endpoint=lambda _name: f"https://127.0.0.1:{port}",
        ca_file=ca_file,
        value=lambda _name: "new",
        old=lambda _name: "old",
        seed=seed,
        generations=GENERATIONS,
        plan=SimpleNamespace(stack="test", by_role=lambda _role: ()),
        container=lambda service: service,
        engine=SimpleNamespace(output=lambda *_arguments: None),
    )


def test_endpoints_with_the_newest_certificate_are_proven(tmp_path: Path, ca_file: str) -> None:
    with serving(tmp_path, LEAF) as port:
        faults = list(proof.certificates(subject(port, ca_file)))
    unreachable = ("database", "tracking", "metrics", "logs", "alerts", "home", "vault")
    assert faults == [f"{name} shows no certificate that can be verified" for name in unreachable]


def test_an_old_certificate_is_a_fault(tmp_path: Path, ca_file: str) -> None:
    with serving(tmp_path, LEAF) as port:
        faults = list(proof.certificates(subject(port, ca_file, seed="cd" * 32)))
    assert faults[0] == "the endpoint inference still shows the old certificate"


def test_nobody_there_shows_no_certificate(ca_file: str) -> None:
    assert next(proof.certificates(subject(1, ca_file))).startswith("the endpoint inference shows no cert")


def test_a_token_that_is_accepted_though_it_is_old_is_a_fault(tmp_path: Path, ca_file: str) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with serving(tmp_path, LEAF, answer) as port:
        faults = list(proof.ray_token(subject(port, ca_file)))
    assert faults == ["the old token is not refused: HTTP 200"]


def test_an_endpoint_that_does_not_answer_proves_nothing(ca_file: str) -> None:
    found = subject(1, ca_file)
    assert list(proof.inference_token(found)) == [
        "the new token is not accepted: HTTP 0",
        "the old token is not refused: HTTP 0",
    ]
