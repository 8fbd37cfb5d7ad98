"""Packages of images and lock files: reachable, not reachable, and behind."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from audit.records import Packages
from audit.run import background
from audit.supply_chain import locks, packages
from audit.supply_chain.debian import Package

IMAGES = {"aidc-vault:1": ("trixie", [Package("glibc", "2.41-11")]), "aidc-files:1": ("", [])}


def entry(**here: str) -> dict[str, Any]:
    return {"glibc": {"CVE-2026-0001": {"releases": {"trixie": here}}}}


def done(value: dict[str, Any]) -> Future[dict[str, Any]]:
    future: Future[dict[str, Any]] = Future()
    future.set_result(value)
    return future


def test_a_fix_that_the_image_lacks_fails() -> None:
    part = packages.check(IMAGES, done(entry(status="resolved", fixed_version="2.41-12")))
    (row,) = part.rows
    assert (row.verdict, "CVE-2026-0001, fixed in 2.41-12" in row.detail) == ("fail", True)
    assert part.holding(Packages).findings[0].package == "glibc"


def test_what_has_no_fix_yet_is_counted_and_passes() -> None:
    (row,) = packages.check(IMAGES, done(entry(status="open"))).rows
    assert (row.verdict, "1 vulnerability without a fix yet" in row.detail) == ("pass", True)
    assert "1 source package in 1 image" in row.detail


def test_an_unreachable_tracker_is_not_checked_with_the_reason() -> None:
    def fail() -> dict[str, Any]:
        return packages.tracker("http://127.0.0.1:1/", 1.0)

    (row,) = packages.check(IMAGES, background(fail)).rows
    assert (row.verdict, "not reachable" in row.detail) == ("not checked", True)


def test_a_tracker_that_never_answers_is_not_waited_for() -> None:
    (row,) = packages.check(IMAGES, Future(), limit=0.05).rows
    assert row.verdict == "not checked"


class Handler(BaseHTTPRequestHandler):
    """`/json` answers, `/slow` sends for ever, anything else is not JSON."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while self.path == "/slow":
                self.wfile.write(b" " * 2**19)
            self.wfile.write(b'{"a": {}}' if self.path == "/json" else b"<html>")
        except OSError:
            pass

    def log_message(self, format: str, *args: object) -> None:
        """No noise."""


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_trackers_data_is_read(web: str) -> None:
    assert packages.tracker(f"{web}/json") == {"a": {}}


@pytest.mark.parametrize(("path", "said"), [("/slow", "did not arrive"), ("/html", "not valid JSON")])
def test_data_that_cannot_be_had_says_why(web: str, path: str, said: str) -> None:
    with pytest.raises(packages.TrackerError, match=said):
        packages.tracker(f"{web}{path}", 0.3)


ANSWER = {
    "dependencies": [
        {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]},
        {"name": "b", "version": "1", "vulns": []},
        {"name": "c", "skip_reason": "unknown"},
    ]
}


def test_a_vulnerable_python_package_fails() -> None:
    part = locks.judge(ANSWER)
    assert (part.rows[0].verdict, "a 1: PYSEC-1 (fixed in 2)" in part.rows[0].detail) == ("fail", True)


def test_clean_python_packages_pass_and_skipped_ones_are_counted() -> None:
    row = locks.judge({"dependencies": ANSWER["dependencies"][1:]}).rows[0]
    assert (row.verdict, row.detail) == ("pass", "1 package, 1 skipped")


def test_without_pip_audit_the_command_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(locks, "program", lambda: None)
    row = locks.check(tmp_path).rows[0]
    assert row.verdict == "not checked"
    assert "pip install pip-audit" in row.fix
    assert all(file in row.fix for file in locks.FILES)


def fake(folder: Path, script: str) -> str:
    path = folder / "pip-audit"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "verdict", "said"),
    [
        (f"echo '{json.dumps(ANSWER)}'; exit 1", "fail", "PYSEC-1"),
        ("sleep 9", "not checked", "did not finish"),
        ("echo 'no service' >&2; exit 1", "not checked", "no service"),
        ("exit 3", "not checked", "exit code 3"),
    ],
)
def test_what_pip_audit_comes_to(
    script: str, verdict: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = fake(tmp_path, script.replace("sleep", "exec sleep"))
    monkeypatch.setattr(locks, "program", lambda: made)
    row = locks.check(tmp_path, limit=1.0 if "sleep" in script else 60.0).rows[0]
    assert (row.verdict, said in row.detail) == (verdict, True)


def test_the_lock_files_exist() -> None:
    root = Path(
        subprocess.run(
            ["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    assert all((root / file).exists() for file in locks.FILES)
