"""Pages that are handed to the front door: kept whole or not at all, and shown shut."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from audit.document import load
from audit.report import page as audits
from benchmark.analysis import result as results
from benchmark.report import pages as reports
from components.planning.paths import ROOT
from images.home.door import pages, server, told
from images.home.door.looks import about
from operations.front.handed import MOST, Header, moment, of_page
from operations.front.told import Told
from operations.status_document import LastAudit
from tests.unit.audit.conftest import make_document

AT = "2026-11-28T12:00:00+00:00"
EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(1)><meta http-equiv=refresh content='0;url=https://x'>"
)


def text(words: str = EVIL) -> str:
    return f"<!doctype html>\n<title>Security audit: dev</title>\n{words}\n</html>\n"


def hand(folder: Path, page: str, at: str = AT, name: str = "audit.html", stack: str = "dev") -> None:
    header, body = of_page(name, page, at, "run-1" if name == "report.html" else "")
    pages.take(io.BytesIO(header.line() + body), stack, folder)


def kept(folder: Path, name: str = "audit.html") -> str:
    opened = pages.open_page(name, folder)
    assert opened
    with opened[1] as file:
        return file.read().decode()


def test_the_pages_that_this_program_draws_are_taken(tmp_path: Path) -> None:
    document = make_document()
    hand(tmp_path, audits.render(document), stack=load(document).stack)
    result = results.load(ROOT / "tests/testdata/result-complete.json")
    hand(tmp_path, reports.render(result), name="report.html", stack=result["stack"])
    assert set(pages.held(tmp_path)) == {"audit.html", "report.html"}


def test_a_newer_page_replaces_an_older_one_and_not_the_other_way_round(tmp_path: Path) -> None:
    hand(tmp_path, text("second"), "2026-11-28T12:00:00+00:00")
    with pytest.raises(ValueError, match="not newer"):
        hand(tmp_path, text("first"), "2026-11-28T11:00:00+00:00")
    assert "second" in kept(tmp_path)
    hand(tmp_path, text("drawn anew"), "2026-11-28T12:00:00+00:00")
    assert "drawn anew" in kept(tmp_path)


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"{}\n", b"x" * (1 << 20),
        of_page("audit.html", text(), AT)[0].line(),
        of_page("audit.html", text(), AT)[0].line() + text().encode()[:-1],
        of_page("audit.html", text(), AT)[0].line() + text("<p>other</p>").encode(),
        of_page("audit.html", "<p>none</p>", AT)[0].line() + b"<p>none</p>",
    ],
    ids=range(7),
)  # fmt: skip
def test_what_is_no_page_leaves_the_one_that_is_there(sent: bytes, tmp_path: Path) -> None:
    hand(tmp_path, text("there"), "2026-11-28T11:00:00+00:00")
    with pytest.raises(ValueError, match=r"."):
        pages.take(io.BytesIO(sent), "dev", tmp_path)
    assert "there" in kept(tmp_path)


def test_a_page_that_is_refused_is_heard_to_its_end_so_that_the_reason_is(tmp_path: Path) -> None:
    hand(tmp_path, text(), "2026-11-28T11:00:00+00:00")
    for at, page in (("2026-11-28T10:00:00+00:00", text("older")), (AT, "x" * (1 << 20))):
        header, body = of_page("audit.html", page, at)
        stream = io.BytesIO(header.line() + body)
        with pytest.raises(ValueError, match=r"."):
            pages.take(stream, "dev", tmp_path)
        assert stream.read() == b""


def test_a_page_of_another_stack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of this stack"):
        hand(tmp_path, text(), stack="other")


def test_what_is_still_to_come_is_refused_since_nothing_would_ever_replace_it(tmp_path: Path) -> None:
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with pytest.raises(ValueError, match="still to come"):
        hand(tmp_path, text(), at)
    one = Told(last_audit=LastAudit(result="passed", at=at, text="", failed=[]))
    with pytest.raises(ValueError, match="still to come"):
        told.take(one.model_dump_json(by_alias=True).encode(), tmp_path)
    assert (pages.held(tmp_path), told.read(tmp_path)) == ({}, Told())


def test_a_time_without_a_zone_is_refused_in_a_document(tmp_path: Path) -> None:
    one = Told(last_audit=LastAudit(result="passed", at="2026-11-28T12:00:00", text="", failed=[]))
    with pytest.raises(ValueError, match="zone"):
        told.take(one.model_dump_json(by_alias=True).encode(), tmp_path)


def test_a_page_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    header, body = of_page("audit.html", text("x" * (MOST - 200)), AT)
    sizes: list[int] = []

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    pages.take(Stream(header.line() + body), "dev", tmp_path)
    assert max(sizes) == pages.PIECE
    assert pages.held(tmp_path) == {"audit.html": header}


@pytest.mark.parametrize("name", ["told.json", ".lock", ".page", "", "../audit.html", "AUDIT.HTML"])
def test_nothing_else_in_the_folder_is_a_page(name: str, tmp_path: Path) -> None:
    hand(tmp_path, text())
    (tmp_path / "told.json").write_text("{}")
    assert pages.open_page(name, tmp_path) is None


def test_a_file_that_is_cut_off_or_no_file_is_no_page(tmp_path: Path) -> None:
    hand(tmp_path, text())
    whole = (tmp_path / "audit.html").read_bytes()
    (tmp_path / "audit.html").write_bytes(whole[:-1])
    (tmp_path / "report.html").mkdir()
    assert pages.held(tmp_path) == {}


def test_the_link_says_which_run_and_how_long_ago() -> None:
    now = moment("2026-11-28T17:00:00+00:00")
    assert about(Header("report.html", AT, "run-1", 1, "0" * 64), now) == "run run-1, 5 h ago"
    assert about(Header("audit.html", AT, "", 1, "0" * 64), now) == "5 h ago"


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[http.client.HTTPConnection]:
    """The handler without its TLS; `right` is the login."""
    there = SimpleNamespace(open_page=partial(pages.open_page, folder=tmp_path), PIECE=pages.PIECE)
    monkeypatch.setattr(server, "pages", there)
    monkeypatch.setattr(server, "opens", lambda header: header == "right")
    plain = ThreadingHTTPServer(("127.0.0.1", 0), server.Handler)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", plain.server_port, timeout=60)
    yield connection
    connection.close()
    plain.shutdown()
    plain.server_close()


def ask(
    connection: http.client.HTTPConnection, path: str, method: str = "GET", login: str = "right"
) -> tuple[int, Any, bytes]:
    connection.request(method, path, headers={"Authorization": login})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def test_a_page_is_shown_as_it_came_and_can_do_nothing(
    answers: http.client.HTTPConnection, tmp_path: Path
) -> None:
    hand(tmp_path, text())
    status, headers, body = ask(answers, "/audit.html")
    assert (status, body.decode()) == (200, text())
    rules = {rule.split()[0]: rule.split()[1:] for rule in headers["Content-Security-Policy"].split(";")}
    assert rules == {
        "default-src": ["'none'"], "style-src": ["'unsafe-inline'"], "base-uri": ["'none'"],
        "form-action": ["'none'"], "frame-ancestors": ["'none'"], "sandbox": [],
    }  # fmt: skip
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    # A browser would show nothing at all.
    assert headers["Cross-Origin-Opener-Policy"] is None


def test_a_head_has_the_length_and_no_body(answers: http.client.HTTPConnection, tmp_path: Path) -> None:
    hand(tmp_path, text())
    status, headers, body = ask(answers, "/audit.html", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(text())), b"")


def test_without_the_login_no_page_is_shown(answers: http.client.HTTPConnection, tmp_path: Path) -> None:
    hand(tmp_path, text())
    assert ask(answers, "/audit.html", login="wrong")[0] == 401


@pytest.mark.parametrize("path", ["/report.html", "/told.json", "/.lock", "/../audit.html", "/audit.html/"])
def test_what_was_not_handed_over_does_not_exist(
    path: str, answers: http.client.HTTPConnection, tmp_path: Path
) -> None:
    hand(tmp_path, text())
    assert ask(answers, path)[0] == 404


def test_a_workstation_that_stops_in_between_holds_up_nobody_for_long(tmp_path: Path) -> None:
    settings = {"stack": "dev", "services": [], "endpoints": {}, "figures": "", "alerts": ""}
    (tmp_path / "stack.json").write_text(json.dumps(settings))
    header, body = of_page("audit.html", text(), AT)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'images/home'}:{ROOT}",
        **dict.fromkeys(("DOOR_FILES", "DOOR_TOLD"), str(tmp_path)),
        "DOOR_TELLS": "1",
    }
    command = [sys.executable, "-B", "-m", "door", "take"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdin=subprocess.PIPE) as stopped:
        assert stopped.stdin is not None
        stopped.stdin.write(header.line() + body[:9])
        stopped.stdin.flush()
        assert stopped.wait(60) == -signal.SIGALRM
    hand(tmp_path, text("of another one"))
    assert "of another one" in kept(tmp_path)
