"""Each test runs on each server of S3_SERVERS; where one differs, `differences.py` says why."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.s3.differences import why
from tests.s3.server import Server
from tests.s3.targets import TARGETS

SERVERS = tuple(name for name in os.environ.get("S3_SERVERS", "versitygw,minio").split(",") if name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not SERVERS:
        pytest.exit(f"S3_SERVERS: it names no server; fix: use {', '.join(TARGETS)}", 2)
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", SERVERS, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a server is known not to do must fail there: strictly, so that the tables stay true."""
    for item in items:
        server = getattr(item, "callspec", None) and item.callspec.params.get("server")  # type: ignore[attr-defined]
        if server and (reason := why(item, str(server))):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if request.param not in TARGETS:
        pytest.exit(f"S3_SERVERS: there is no server {request.param!r}; fix: use {', '.join(TARGETS)}", 2)
    with TARGETS[request.param](tmp_path_factory.mktemp(request.param)) as target:
        yield target


@pytest.fixture(scope="session")
def root(server: Server) -> Any:
    return server.client(server.root)


@pytest.fixture(scope="session")
def writer(server: Server) -> Any:
    return server.client(server.writer)


@pytest.fixture(scope="session")
def reader(server: Server) -> Any:
    return server.client(server.reader)


@pytest.fixture(scope="session")
def prefix(server: Server, root: Any) -> Iterator[str]:
    """What all keys of this run begin with; in the end nothing is left of them, in no version."""
    made = f"s3-suite/{uuid.uuid4().hex[:8]}/"
    yield made
    for bucket in (server.versioned, server.plain, server.foreign):
        erase(root, bucket, made)


@pytest.fixture
def key(prefix: str) -> str:
    """A key of the test's own, and the beginning of more."""
    return f"{prefix}{uuid.uuid4().hex}"


def erase(root: Any, bucket: str, prefix: str) -> None:
    """Every version and every unfinished upload below a prefix."""
    pages = list(root.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix))
    for found in (f for page in pages for part in ("Versions", "DeleteMarkers") for f in page.get(part, ())):
        # An object that an attack made unreadable can still be removed; what cannot be is left to the purge.
        with contextlib.suppress(Exception):
            root.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])
    for upload in root.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", ()):
        with contextlib.suppress(Exception):
            root.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


@pytest.fixture
def lockable(root: Any) -> Iterator[str]:
    """A bucket of the test's own with object lock."""
    bucket = f"s3-suite-{uuid.uuid4().hex[:12]}"
    root.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    yield bucket
    for _ in range(60):
        left = root.list_object_versions(Bucket=bucket)
        versions = (*left.get("Versions", ()), *left.get("DeleteMarkers", ()))
        for found in versions:
            with contextlib.suppress(Exception):
                root.delete_object(
                    Bucket=bucket,
                    Key=found["Key"],
                    VersionId=found["VersionId"],
                    BypassGovernanceRetention=True,
                )
        if not versions:
            break
        time.sleep(1)
    root.delete_bucket(Bucket=bucket)


@pytest.fixture(autouse=True)
def _told(request: pytest.FixtureRequest, record_property: Any) -> None:
    """For the summary: the server and the kind of test."""
    if "server" in request.fixturenames:
        record_property("server", request.node.callspec.params["server"])
        record_property("kind", "attacks" if request.node.path.stem == "test_attacks" else "contract")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What each server did: of the contract, and of the attacks."""
    words = {
        ("contract", "passed"): "passed",
        ("contract", "xfailed"): "not offered",
        ("attacks", "passed"): "held",
        ("attacks", "xfailed"): "accepted, as declared",
    }
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "xfailed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            found = dict(report.user_properties)
            if "server" in found:
                word = words.get((found["kind"], outcome), "FAILED")
                counts.setdefault(f"{found['server']}, {found['kind']}", Counter())[word] += 1
    for name, numbers in sorted(counts.items()):
        said = ", ".join(f"{number} {word}" for word, number in numbers.items())
        terminalreporter.write_line(f"S3 suite on {name}: {said}")
