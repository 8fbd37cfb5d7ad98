"""Odd keys: each is stored, read and listed under its very name, or refused; none turns into another."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.s3 import raw
from tests.s3.asking import keys, read
from tests.s3.server import Server

ODD = {
    "space": "a b",
    "percent": "100%",
    "percent escape": "a%2Fb",
    "plus": "a+b",
    "question mark": "a?b",
    "hash": "a#b",
    "ampersand": "a&b=c",
    "quotes": "a'b\"c",
    "composed": "caf\u00e9",
    "decomposed": "cafe\u0301",
    "emoji": "\U0001f600",
    "dash": "-rf",
    "tilde": "~",
    "newline": "a\nb",
    "tab": "a\tb",
    "control character": "a\x01b",
    "trailing slash": "folder/",
    "trailing dot": "a.",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_an_odd_key_is_kept(server: Server, writer: Any, key: str, odd: str) -> None:
    name = f"{key}/{odd}"
    body = b"" if odd.endswith("/") else b"odd"
    writer.put_object(Bucket=server.plain, Key=name, Body=body)
    assert read(writer, server.plain, name) == body
    assert keys(writer, server.plain, f"{key}/") == [name]


def test_composed_and_decomposed_are_two_keys(server: Server, writer: Any, key: str) -> None:
    names = [f"{key}/caf\u00e9", f"{key}/cafe\u0301"]
    for name in names:
        writer.put_object(Bucket=server.plain, Key=name, Body=name.encode())
    assert [read(writer, server.plain, name) for name in names] == [name.encode() for name in names]


def test_upper_and_lower_case_are_two_keys(server: Server, writer: Any, key: str) -> None:
    for name in ("a", "A"):
        writer.put_object(Bucket=server.plain, Key=f"{key}/{name}", Body=name.encode())
    assert keys(writer, server.plain, f"{key}/") == [f"{key}/A", f"{key}/a"]


def test_a_key_and_a_key_below_it_are_both_listed(server: Server, writer: Any, key: str) -> None:
    names = [f"{key}/fd", f"{key}/fd/x"]
    for name in names:
        writer.put_object(Bucket=server.plain, Key=name, Body=b"x")
    assert keys(writer, server.plain, f"{key}/") == names


@pytest.mark.parametrize("odd", ["a//b", "a/./b"], ids=["empty part", "dot part"])
def test_parts_of_a_path_mean_nothing_to_a_key(server: Server, writer: Any, key: str, odd: str) -> None:
    writer.put_object(Bucket=server.plain, Key=f"{key}/{odd}", Body=b"x")
    assert keys(writer, server.plain, f"{key}/") == [f"{key}/{odd}"]


def test_a_leading_slash_is_part_of_the_key(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=f"/{key}", Body=b"x")
    assert keys(writer, server.plain, f"/{key}") == [f"/{key}"]


def test_a_key_of_1024_bytes_is_kept(server: Server, writer: Any, key: str) -> None:
    name = f"{key}/" + "/".join(["a" * 100] * 20)
    name = name[:1024].rstrip("/").ljust(1024, "b")
    writer.put_object(Bucket=server.plain, Key=name, Body=b"x")
    assert read(writer, server.plain, name) == b"x"


def test_a_part_of_255_bytes_is_kept(server: Server, writer: Any, key: str) -> None:
    name = f"{key}/{'a' * 255}"
    writer.put_object(Bucket=server.plain, Key=name, Body=b"x")
    assert keys(writer, server.plain, f"{key}/") == [name]


def test_a_key_of_more_than_1024_bytes_is_refused(server: Server, key: str) -> None:
    target = f"/{server.plain}/{key}/" + "/".join(["a" * 100] * 11)
    assert raw.send_signed(server, server.writer, "PUT", target, body=b"x").refused


OUTSIDE = {
    "dots": "/{plain}/../{foreign}/{key}",
    "encoded dots": "/{plain}/%2e%2e/{foreign}/{key}",
    "encoded slashes": "/{plain}/a/..%2f..%2f{foreign}/{key}",
    "backslashes": "/{plain}/..%5c{foreign}%5c{key}",
    "null byte": "/{plain}/{key}%00x",
}


@pytest.mark.parametrize("target", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_no_key_leads_out_of_its_bucket(server: Server, root: Any, key: str, target: str) -> None:
    path = target.format(plain=server.plain, foreign=server.foreign, key=quote(key))
    answer = raw.send_signed(server, server.writer, "PUT", path, body=b"x")
    assert answer.refused
    assert not keys(root, server.foreign, key)
