"""List version 2: pages, folders, where to begin."""

from __future__ import annotations

from typing import Any

import pytest

from tests.s3.asking import keys
from tests.s3.server import Server

NAMES = ("a", "b/1", "b/2", "c", "d/1")


@pytest.fixture
def listed(server: Server, writer: Any, key: str) -> list[str]:
    made = [f"{key}/{name}" for name in NAMES]
    for name in made:
        writer.put_object(Bucket=server.plain, Key=name, Body=b"x")
    return made


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_pages_hold_every_key_once_and_in_order(
    server: Server, writer: Any, key: str, listed: list[str], size: int
) -> None:
    assert keys(writer, server.plain, f"{key}/", PaginationConfig={"PageSize": size}) == listed


@pytest.mark.parametrize("size", [1, 1000])
def test_a_delimiter_gathers_folders(
    server: Server, writer: Any, key: str, listed: list[str], size: int
) -> None:
    pages = list(
        writer.get_paginator("list_objects_v2").paginate(
            Bucket=server.plain, Prefix=f"{key}/", Delimiter="/", PaginationConfig={"PageSize": size}
        )
    )
    folders = [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", ())]
    files = [found["Key"] for page in pages for found in page.get("Contents", ())]
    assert folders == [f"{key}/b/", f"{key}/d/"]
    assert files == [f"{key}/a", f"{key}/c"]


def test_start_after_leaves_out_what_comes_before(
    server: Server, writer: Any, key: str, listed: list[str]
) -> None:
    assert keys(writer, server.plain, f"{key}/", StartAfter=listed[1]) == listed[2:]


def test_a_prefix_ends_anywhere(server: Server, writer: Any, key: str, listed: list[str]) -> None:
    assert keys(writer, server.plain, f"{key}/b") == listed[1:3]


def test_the_reader_sees_what_the_writer_wrote(
    server: Server, reader: Any, key: str, listed: list[str]
) -> None:
    assert keys(reader, server.plain, f"{key}/") == listed
