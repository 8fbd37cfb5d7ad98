"""The tracking server's settings, what places clients may name, its health check and its patience."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.planning import databases, pki
from components.planning.flows import DATABASE
from components.planning.rotation import Generations
from images.tracking.tracker import configuration, health, places, settings, waiting
from tests.unit.tls_server import serving


def test_addresses_name_a_declared_role_and_hold_no_password() -> None:
    for database in (databases.TRACKING, databases.TRACKING_AUTH):
        for kind, role in (("app", database.application), ("owner", database.owner)):
            address = settings.address(database.name, kind)
            assert address == f"postgresql+psycopg://{role}@database:{DATABASE}/{database.name}"


def test_pools_stay_below_what_a_role_may_hold() -> None:
    told = configuration.environment("h", "o", "k")
    # Runs and models each have a pool; the image's `database-roles` allows 20 connections.
    pool = int(told["MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"]) + int(told["MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW"])
    roles = Path("images/database/database-roles").read_text()
    limit = re.search(r"CONNECTION LIMIT (\d+)", roles)
    assert limit is not None
    assert 2 * pool < int(limit[1])


def test_what_is_not_used_is_off_and_certificates_are_verified() -> None:
    told = configuration.environment("h", "o", "k")
    assert told["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert told["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert (told["PGSSLMODE"], told["PGCHANNELBINDING"]) == ("verify-full", "require")
    assert "MLFLOW_S3_IGNORE_TLS" not in told


@pytest.mark.parametrize(
    "source",
    ["runs:/a/b", "models:/m/1", "mlflow-artifacts:/1/a", "s3://models/bytelm/7", "s3://tracking2/x"],
)
def test_a_version_may_come_from_a_run_or_from_the_store(source: str) -> None:
    assert re.search(places.SOURCES, source)


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/aidc",
        "/etc/aidc",
        "http://a/b",
        "s3://tracking/1",
        "s3://tracking",
        "s3:///x",
        "dbfs:/x",
        "",
        "x runs:/a",
        "s3a://tracking/1",
        "S3://tracking/1",
    ],
)
def test_a_version_comes_from_nowhere_else(source: str) -> None:
    assert not re.search(places.SOURCES, source)


@pytest.mark.parametrize("prefix", ["/api/2.0", "/ajax-api/2.0"])
@pytest.mark.parametrize("field", ["artifact_location", "artifactLocation"])
def test_an_experiment_names_no_place(prefix: str, field: str) -> None:
    assert places.named(f"{prefix}/mlflow/experiments/create", {"name": "a", field: "file:///etc"})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/2.0/mlflow/experiments/create", {"name": "a"}),
        ("/api/2.0/mlflow/experiments/create", {"name": "a", "artifact_location": ""}),
        ("/api/2.0/mlflow/experiments/create", None),
        ("/api/2.0/mlflow/experiments/create", ["artifact_location"]),
        ("/api/2.0/mlflow/runs/set-tag", {"artifact_location": "x"}),
    ],
)
def test_everything_else_passes(path: str, body: object) -> None:
    assert not places.named(path, body)


def test_waiting_ends_when_nothing_is_in_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter(["no tables", "no tables", ""])
    waiting.wait(lambda: next(answers), 10, every=0)
    assert capsys.readouterr().out == "tracking: waiting: no tables\n"


def test_waiting_ends_with_the_reason() -> None:
    with pytest.raises(TimeoutError, match="no tables"):
        waiting.wait(lambda: "no tables", 0, every=0)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    today, seed = datetime.now(UTC).date(), "0" * 64
    (tmp_path / "users").mkdir()
    (tmp_path / "users/benchmark").write_text("a password")
    (tmp_path / "ca.crt").write_text(pki.authority(seed, "dev", today))
    monkeypatch.setattr(health, "FILES", tmp_path)
    return tmp_path


def leaf() -> pki.Certificate:
    today = datetime.now(UTC).date()
    return pki.leaf("0" * 64, "dev", Generations(today, today), "tracking", ("localhost",))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", ""),
        (b"HTTP/1.1 401 No\r\nContent-Length: 5\r\n\r\nwrong", "HTTP 401: wrong"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "HTTP 500: "),
    ],
)
def test_healthy_is_a_query_that_was_answered(
    files: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, fault: str
) -> None:
    with serving(files, leaf(), answer) as port:
        monkeypatch.setattr(health, "PORT", port)
        assert health.fault() == fault


def test_a_server_of_another_authority_is_not_healthy(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime.now(UTC).date()
    (files / "ca.crt").write_text(pki.authority("1" * 64, "dev", today))
    with serving(files, leaf(), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as port:
        monkeypatch.setattr(health, "PORT", port)
        assert "certificate verify failed" in health.fault()


def test_the_login_is_the_benchmarks(files: Path) -> None:
    assert base64.b64decode(health.login().partition(" ")[2]) == b"benchmark:a password"


def test_only_calls_that_register_something_share_it() -> None:
    assert places.registered("/api/2.0/mlflow/registered-models/create") == "registered_model"
    assert places.registered("/ajax-api/2.0/mlflow/model-versions/create") == "model_version"
    assert places.registered("/api/2.0/mlflow/registered-models/search") == ""
