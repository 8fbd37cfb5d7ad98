"""The collector of the logs: whose line it is, what of it is kept, and what a flood does to the others."""

from __future__ import annotations

import json
import time

import pytest

from images.logs.collector import figures, store
from images.logs.collector.datagrams import PIECE, Line, level, parse, plain
from images.logs.collector.queues import Queues
from images.logs.collector.redaction import GONE, KEY_LINES, Redactor, redact
from images.logs.collector.settings import LONGEST, Source

TIME = "2026-11-28T12:00:00.000001+00:00"
SECRET = "Tr0ub4dor-and-3"


def datagram(text: str, *, service: str = "tracking", priority: int = 30) -> bytes:
    return f"<{priority}>1 {TIME} host {service} 812 {service} - {text}".encode()


def line(text: str = "x", *, service: str = "a", piece: bool = False) -> Line:
    return Line(service, TIME, "stdout", text, piece)


def test_header_says_whose_line_it_is_and_the_text_does_not() -> None:
    forged = datagram("x").decode().replace("tracking", "database")
    parsed = parse(datagram(forged))
    assert parsed == Line("tracking", TIME, "stdout", forged)


def test_error_output_is_told_apart() -> None:
    assert [found and found.stream for found in (parse(datagram("x", priority=p)) for p in (30, 27))] == [
        "stdout",
        "stderr",
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"text",
        b"<30>1 - host a 1 a - x",
        b"<30>1 2026-99-28T12:00:00.000001Z host a 1 a - x",
        b"<30>1 2026-11-28T12:00:00.000001 host a 1 a - x",
        datagram("x").replace(b"tracking -", b"database -"),
        datagram("x", service="a b"),
    ],
)
def test_what_the_engine_does_not_write_is_no_line(raw: bytes) -> None:
    assert parse(raw) is None


def test_nothing_that_a_terminal_would_obey_is_kept() -> None:
    assert plain("\x1b[31mred\x1b[0m\x1b]0;title\x07 \u202egnal\ttab\r") == "red ]0;title   gnal\ttab"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('time="x" level=warning msg="slow"', "warning"),
        ('{"level":"error","msg":"x"}', "error"),
        ("2026-11-28 12:00:00 UTC [1] LOG:  ready", "info"),
        ("[WARNING]  (1) : x", "warning"),
        ("FATAL: no", "fatal"),
        ("an error that is told in a sentence", ""),
        ("x" * 200 + " ERROR", ""),
    ],
)
def test_level_is_recognised_where_it_is_plain(text: str, name: str) -> None:
    assert level(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "password={}",
        "PGPASSWORD={} pg_dump",
        'cfg {{"password": "{}", "x": 1}}',
        "secret_key: '{}'",
        r"{{\"token\":\"{}\"}}",
        "aws_secret_access_key = {}",
        "MINIO_ROOT_PASSWORD={}",
        "--db-password {} --x",
        "ALTER ROLE a PASSWORD '{}'",
        "GET / Authorization: Basic {}",
        "headers={{'Authorization': 'Bearer {}'}}",
        "authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature={}",
        "Cookie: session={}; other={}",
        "set-cookie: a={}",
        "postgresql://app:{}@database:5432/x",
        "https://:{}@host/",
        "redis://app:p@{}@host/",
        "https://s3/x?X-Amz-Signature={}&y=1",
        "curl -H bearer {}",
    ],
)
def test_secret_is_taken_out(text: str) -> None:
    said = redact(text.replace("{}", SECRET).replace("{{", "{").replace("}}", "}"))
    assert SECRET not in said
    assert GONE in said


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "ghp_" + "a1B2" * 9,
        "wJalrXUtnFEMI/K7MDENG" + "bPxRfiCYEXAMPLEKEYab12",
    ],
)
def test_key_that_shows_itself_is_taken_out(secret: str) -> None:
    assert redact(f"used {secret} here") == f"used {GONE} here"


@pytest.mark.parametrize(
    "text",
    [
        "Started a worker in 3.2 s, 4 of 4 nodes",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "GET https://load-balancer:9443/bucket/key?x=1 200",
        "snapshot 4f5d83bc saved; 12 tokens left",
        "/usr/local/lib/python3.13/dist-packages/Ray2/Serve/controller/Replica9.py",
        "5f0c1a2e-7d3b-4c55-9a11-0b6c2f9d8e77 done",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_private_key_of_many_lines_is_left_out() -> None:
    redactor = Redactor()
    key = ["-----BEGIN " + "PRIVATE KEY-----", "MIIabc", "def", "-----END " + "PRIVATE KEY-----", "after"]
    kept = [redactor.line(text) for text in key]
    assert kept == [f"-----PRIVATE KEY {GONE}-----", None, None, None, "after"]


def test_key_without_an_end_does_not_hide_all_that_follows() -> None:
    redactor = Redactor()
    redactor.line("-----BEGIN " + "RSA PRIVATE KEY-----")
    kept = [redactor.line("x") for _ in range(KEY_LINES + 1)]
    assert kept[-2:] == [None, "x"]


@pytest.mark.parametrize(
    "text", ["a://" + ":" * 16_000, "password" * 2_000, "A1a" * 5_000, "-----BEGIN " * 1_500]
)
def test_no_line_takes_long(text: str) -> None:
    start = time.process_time()
    redact(text)
    assert time.process_time() - start < 2


def test_text_can_name_no_other_field() -> None:
    said = json.loads(store.document(line(), Source("role", "container"), '", "service": "database'))
    assert said["service"] == "a"
    assert said["_msg"] == '", "service": "database'


def test_long_line_is_cut() -> None:
    said = json.loads(store.document(line(), Source("r", "c"), "x" * (LONGEST + 1)))
    assert said["_msg"] == "x" * LONGEST + " [cut]"


def test_rest_of_a_line_that_the_engine_has_cut_is_left_out() -> None:
    queues = Queues(("a",), 10, 10, 1 << 20, 0)
    pieces = [parse(datagram(text, service="a")) for text in ("x" * PIECE, "y" * PIECE, "z", "next")]
    for piece in pieces:
        assert piece
        queues.put(piece, 0)
    assert [taken.text[0] for taken in queues.take(1 << 20)] == ["x", "n"]
    assert queues.cut["a"] == 2


def test_flood_of_one_service_pushes_out_no_other() -> None:
    queues = Queues(("a", "b"), rate=10, burst=100, waiting=1 << 20, now=0)
    for _ in range(1_000):
        queues.put(line(), 0)
    queues.put(line(service="b"), 0)
    taken = queues.take(1)
    assert {one.service for one in taken} == {"a", "b"}
    assert queues.left_out() == {"a": 900}


def test_what_waits_is_bounded() -> None:
    queues = Queues(("a",), rate=1e6, burst=1e6, waiting=10_000, now=0)
    for _ in range(100):
        queues.put(line("x" * 300), 0)
    assert len(queues.take(1 << 20)) == 10
    assert queues.left_out() == {"a": 90}
    queues.put(line(), 0)
    assert len(queues.take(1 << 20)) == 1


def test_service_may_write_again_after_a_flood() -> None:
    queues = Queues(("a",), rate=10, burst=1, waiting=1 << 20, now=0)
    for now in (0, 0, 0.1):
        queues.put(line(), now)
    assert len(queues.take(1 << 20)) == 2


def test_every_counter_is_told_from_the_start() -> None:
    told = figures.rendered(Queues(("a",), rate=1, burst=1, waiting=1, now=0), 0, 0, {}, "").splitlines()
    assert 'aidc_logs_left_out_lines_total{source="a",why="limited"} 0' in told
    assert all(text.endswith(" 0") for text in told)


def test_figures_say_what_was_left_out_and_name_no_path() -> None:
    queues = Queues(("a",), rate=0, burst=1, waiting=1 << 20, now=0)
    queues.put(line(), 0)
    queues.put(line(), 0)
    told = figures.rendered(
        queues,
        1,
        0,
        {"aidc_logs_lost_datagrams_total": 3},
        'vl_storage_is_read_only{path="/data"} 0\nother 1\n',
    )
    assert told.splitlines() == [
        'aidc_logs_received_lines_total{source="a"} 2',
        'aidc_logs_cut_pieces_total{source="a"} 0',
        'aidc_logs_left_out_lines_total{source="a",why="limited"} 1',
        'aidc_logs_left_out_lines_total{source="a",why="full"} 0',
        "aidc_logs_stored_lines_total 1",
        "aidc_logs_redacted_lines_total 0",
        "aidc_logs_lost_datagrams_total 3",
        "vl_storage_is_read_only 0",
    ]
