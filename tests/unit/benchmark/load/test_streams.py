"""Streamed texts: what came, when, and what is made of a text that breaks off."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.cluster.connection import Connection, Endpoint
from benchmark.load import streams
from benchmark.load.streams import Written, summarise


def test_every_token_is_kept_and_timed(endpoint: Endpoint) -> None:
    with Connection(endpoint) as connection:
        written = streams.ask(connection, "bytelm", "def f(")
    assert (written.data, written.problem) == (bytes(range(streams.TOKENS)), "")
    assert len(written.gaps_s) == streams.TOKENS - 1
    assert written.first_s > 0


def test_a_connection_serves_one_text_after_the_other(endpoint: Endpoint) -> None:
    written, seconds = streams.load(endpoint, workload="bytelm", prompts=["a", "b"], clients=2, texts=5)
    assert sorted(one.prompt for one in written) == ["a", "a", "a", "b", "b"]
    assert {one.problem for one in written} == {""}
    assert seconds > 0


def test_a_text_that_ends_too_early_is_an_error(server: Any, endpoint: Endpoint) -> None:
    server.text = b"ab"
    with Connection(endpoint) as connection:
        assert streams.ask(connection, "bytelm", "x").problem == f"2 of {streams.TOKENS} tokens came"


def test_a_connection_that_breaks_is_an_error_of_one_text(server: Any, endpoint: Endpoint) -> None:
    server.breaks = 1
    written, _ = streams.load(endpoint, workload="bytelm", prompts=["a"], clients=1, texts=3)
    assert [bool(one.problem) for one in written] == [True, False, False]


def test_a_refusal_is_named_with_its_status(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.benchmark.fakes.Service.do_POST", lambda self: self.send_error(503))
    with Connection(endpoint, retries=0) as connection:
        assert "status 503" in streams.ask(connection, "bytelm", "x").problem


def test_times_are_those_of_whole_texts() -> None:
    whole = Written("a", b"xyz", 0.5, (0.1, 0.3))
    found = summarise([whole, Written("a", problem="broke off"), Written("a", problem="broke off")], 2.0)
    assert (found["texts"], found["errors"], found["problems"]) == (1, 2, ["broke off"])
    assert found["time_to_first_token_ms"]["p50"] == 500
    assert found["time_per_output_token_ms"]["p50"] == 200
    assert found["inter_token_latency_ms"]["p95"] == pytest.approx(290)
    assert found["tokens_per_s"] == streams.TOKENS / 2


def test_a_percentile_without_enough_values_is_null_and_says_why() -> None:
    found = summarise([], 1.0)
    assert found["time_to_first_token_ms"]["p50"] is None
    assert "99th percentile" in found["not_measured"]["inter_token_latency_ms.p99"]
