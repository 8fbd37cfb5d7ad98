"""The page for a browser: complete, without script, and nothing in it can become markup."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime

import pytest

from operations.front import page as front
from operations.nodes import record
from operations.status_document import Disk, Job, LastAudit, Status
from tests.unit.operations.nodes.test_judge import FULL, reading, verdict
from tests.unit.operations.overview.test_watching import status

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
AUDIT = LastAudit(
    result="failed", at="2026-11-28T09:00:00+00:00", text="failed: open port", failed=["open port"]
)


def page(found: Status, *beside: str) -> str:
    return front.render(found, NOW, dict.fromkeys(beside, ""))


def test_everything_that_is_asked_has_a_place() -> None:
    jobs = [
        Job(name="a", id="a-2", state="waiting", ranks=2, each="1 CPU", submitted=None, waits_for="a GPU")
    ]
    text = page(
        status(
            jobs=jobs,
            nodes=[record.verdict_of(verdict(reading("compute-two", disk=FULL)))],
            last_audit=AUDIT,
            refused={"all": 1234, "to vault": 1234},
            disk=Disk(total_bytes=2 << 30, free_bytes=1 << 30),
            endpoints={"tracking": "https://127.0.0.1:5443", "s3": "https://127.0.0.1:9443", "ray": None},
        ),
        "report.html",
    )
    for words in ("dev is healthy", "a-2", "waits for a GPU", "compute-two", "/tmp: 0 MiB", "3 h ago",
                  "open port", "1,234", "1,024 MiB of 2,048 MiB free", "https://127.0.0.1:9443"):  # fmt: skip
        assert words in text
    assert 'href="https://127.0.0.1:5443"' in text
    assert 'href="report.html"' in text
    assert "audit.html" not in text, "there is no such file beside it"


@pytest.mark.parametrize(("at", "word"), [("2026-11-22", "passed"), ("2026-11-20", "old")])
def test_an_audit_of_long_ago_does_not_look_like_a_pass(at: str, word: str) -> None:
    audit = LastAudit(result="passed", at=f"{at}T09:00:00+00:00", text="52 checks passed", failed=[])
    (line,) = (line for line in front.last(status(last_audit=audit), NOW) if line.name == "last audit")
    assert line.word == word
    assert line.look == ("good" if word == "passed" else "now")


def test_an_audit_that_failed_is_never_too_old_to_count() -> None:
    audit = AUDIT.model_copy(update={"at": "2026-01-01T09:00:00+00:00"})
    (line,) = (line for line in front.last(status(last_audit=audit), NOW) if line.name == "last audit")
    assert (line.word, line.look) == ("failed", "bad")


def test_a_service_that_is_not_healthy_is_named_first_with_its_reason() -> None:
    text = page(status("unhealthy: HTTP 503"))
    assert "1 of 1 services of dev needs attention" in text
    assert text.index("<strong>vault</strong>: unhealthy: HTTP 503") < text.index("Done last")


def test_a_stack_that_is_not_up_is_said_to_be_down() -> None:
    assert "dev is not up" in page(status(services=[], healthy=False))


@pytest.mark.parametrize("place", ["state", "job", "endpoint", "remark"])
def test_no_text_becomes_markup(place: str) -> None:
    evil = '"><script>alert(1)</script>'
    found = {
        "state": lambda: status(evil),
        "job": lambda: status(
            jobs=[Job(name=evil, id=evil, state=evil, ranks=1, each=evil, submitted=None, waits_for=evil)]
        ),
        "endpoint": lambda: status(endpoints={"tracking": f"https://{evil}", evil: evil}),
        "remark": lambda: status(remark=evil),
    }[place]()
    text = page(found)
    assert "<script" not in text
    assert "alert(1)" in text


def test_only_pages_are_linked() -> None:
    assert "href" not in page(status(endpoints={"tracking": "javascript:alert(1)"}))


def test_the_browser_is_told_to_load_and_run_nothing_but_this_style() -> None:
    text = page(status())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == front.policy()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "style=" not in text
    assert "prefers-color-scheme: dark" in style
    assert "width=device-width" in text
