"""Debian's version order, dpkg's status file, and the tracker's entries."""

from __future__ import annotations

import pytest

from audit.supply_chain import debian
from audit.supply_chain.debian import Package

STATUS = """Package: libc6
Status: install ok installed
Source: glibc
Version: 2.41-12
Description: GNU C Library
 More: of it

Package: libc-bin
Status: install ok installed
Source: glibc (2.41-11)
Version: 2.41-12

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: bash
Status: install ok installed
Version: 5.2.37-2+b5
"""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1.0~rc1", "1.0"),
        ("1.0", "1.0-1"),
        ("1.0-1", "1.0-1+b1"),
        ("1.0-1", "1.0-1.1"),
        ("1.2", "1.10"),
        ("9.9", "1:0.1"),
        ("1.0-1~deb13u1", "1.0-1"),
        ("1.0-1", "1.0-1+deb13u1"),
        ("1.0a", "1.0+"),
        ("1.0", "1.0a"),
        ("2.41-12", "2.41-12+deb13u1"),
        ("3.5.1-1", "3.5.1-1+deb13u1"),
        ("1.1.1w-0+deb11u1", "3.0.1-1"),
        ("0.0~r131-2", "0.1-1"),
        ("1-2-3", "1-3-1"),
    ],
)
def test_the_order_of_versions(left: str, right: str) -> None:
    assert debian.older(left, right)
    assert not debian.older(right, left)


@pytest.mark.parametrize("version", ["1.0", "1:1.0-1", "1.0~~", ""])
def test_a_version_equals_itself(version: str) -> None:
    assert debian.compare(version, version) == 0


def test_leading_zeros_do_not_count() -> None:
    assert debian.compare("1.02", "1.2") == 0


def test_installed_packages_go_by_their_source_and_its_lowest_version() -> None:
    assert debian.installed(STATUS) == [Package("bash", "5.2.37-2+b5"), Package("glibc", "2.41-11")]


def tracker(**here: str) -> dict[str, object]:
    return {"glibc": {"CVE-2026-0001": {"releases": {"trixie": here}}}}


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        ({"status": "resolved", "fixed_version": "2.41-12"}, ["2.41-12"]),
        ({"status": "resolved", "fixed_version": "2.41-11"}, []),
        ({"status": "resolved", "fixed_version": "0"}, []),
        ({"status": "open", "urgency": "low"}, [""]),
        ({"status": "open", "urgency": "unimportant"}, []),
        ({"status": "undetermined"}, []),
        ({}, []),
    ],
)
def test_what_the_tracker_says_of_an_installed_version(here: dict[str, str], expected: list[str]) -> None:
    found = debian.findings([Package("glibc", "2.41-11")], tracker(**here), "trixie")
    assert [f.fixed for f in found] == expected


def test_another_release_does_not_count() -> None:
    assert debian.findings([Package("glibc", "1")], tracker(status="open"), "bookworm") == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ID=debian\nVERSION_CODENAME=trixie\n", "trixie"),
        ('ID="debian"\n', ""),
        ("ID=alpine\nVERSION_CODENAME=x\n", ""),
    ],
)
def test_the_release_is_read_from_os_release(text: str, name: str) -> None:
    assert debian.codename(text) == name
