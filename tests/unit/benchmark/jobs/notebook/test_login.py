"""One header opens the notebook, and a missing digest opens it to nobody."""

from __future__ import annotations

import hashlib

import pytest

from benchmark.jobs.notebook.login import opens

HEADER = "Basic bm90ZWJvb2s6c2VjcmV0"
DIGEST = hashlib.sha256(HEADER.encode()).hexdigest() + "\n"


def test_the_login_opens() -> None:
    assert opens(HEADER, DIGEST)


@pytest.mark.parametrize("header", [None, "", HEADER.lower(), HEADER + " ", HEADER[:-1], DIGEST.strip()])
def test_nothing_else_does(header: str | None) -> None:
    assert not opens(header, DIGEST)


@pytest.mark.parametrize("digest", ["", "\n", "x"])
def test_without_a_digest_it_is_closed(digest: str) -> None:
    assert not opens(HEADER, digest)
    assert not opens("", digest)
