"""What an image is made of, and its bill: from golden texts, and from a Go program's own notes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from audit.supply_chain import contents, sbom
from audit.supply_chain.contents import Component

GOLDEN = Path(__file__).parents[3] / "testdata" / "sbom" / "image.cdx.json"
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.41-12

Package: gone
Status: deinstall ok config-files
Version: 1

Package: python3
Status: install ok installed
Architecture: amd64
Source: python3-defaults (3.13.5-1)
Version: 3.13.5-1+b2
"""
MODULES = (
    "path\texample.org/tool\nmod\texample.org/tool\tv1.2.0\th1:aaa=\n"
    "dep\texample.org/a\tv0.1.0\th1:bbb=\ndep\texample.org/b\tv0.2.0\n=>\texample.org/fork\tv0.3.0\th1:ccc=\n"
    "build\t-compiler=gc\n"
)


def length(number: int) -> bytes:
    """As a varint."""
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, number >> 7])


def program(modules: str = MODULES, before: bytes = b"\x7fELF" + bytes(12)) -> bytes:
    """A file as the Go linker writes it, as far as its notes go."""
    wrapped = bytes(16) + modules.encode() + bytes(16)
    version = b"go1.26.6"
    header = contents.MAGIC + b"\x08\x02" + bytes(16)
    return before + header + length(len(version)) + version + length(len(wrapped)) + wrapped


def found() -> list[Component]:
    python = contents.python("Metadata-Version: 2.1\nName: Scikit_Learn\nVersion: 1.9.1\n")
    assert python
    return [*contents.debian(STATUS), python, *contents.go(program())]


def bill(components: list[Component]) -> str:
    return sbom.document(
        "aidc-vault:0123456789ab", "sha256:1", datetime(2026, 11, 28, tzinfo=UTC), components
    )


def test_installed_packages_of_debian_keep_their_source() -> None:
    listed = [(c.name, c.version, c.source, c.source_version) for c in contents.debian(STATUS)]
    assert listed == [
        ("libc6", "2.41-12", "glibc", "2.41-12"),
        ("python3", "3.13.5-1+b2", "python3-defaults", "3.13.5-1"),
    ]


def test_a_module_that_was_changed_here_is_still_that_module() -> None:
    changed = "mod\texample.org/tool\tv1.2.0\th1:aaa=\n=>\t./source\t(devel)\t\n"
    named = [(c.name, c.version) for c in contents.go(program(changed))]
    assert named == [("stdlib", "1.26.6"), ("example.org/tool", "v1.2.0")]


def test_a_go_program_names_its_modules_and_what_replaces_one() -> None:
    assert [(c.name, c.version, c.digest) for c in contents.go(program())] == [
        ("stdlib", "1.26.6", ""),
        ("example.org/tool", "v1.2.0", "h1:aaa="),
        ("example.org/a", "v0.1.0", "h1:bbb="),
        ("example.org/fork", "v0.3.0", "h1:ccc="),
    ]


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"#!/bin/sh\n",
        b"x" * 16 + contents.MAGIC,
        contents.MAGIC * 3,
        contents.MAGIC + bytes([8, 2] + [255] * 40),
    ],
)
def test_another_file_has_no_modules(other: bytes) -> None:
    assert not list(contents.go(other))


def test_the_notes_are_found_behind_the_words_that_mark_them() -> None:
    inside = b"a text with " + contents.MAGIC + bytes(64)
    assert len(list(contents.go(program(before=inside + bytes(-len(inside) % 16))))) == 4


@pytest.mark.parametrize("text", ["", "Name: a\n", "Version: 1\n"])
def test_metadata_without_name_or_version_is_no_package(text: str) -> None:
    assert contents.python(text) is None


def test_the_bill_is_the_golden_one() -> None:
    assert bill(found()) == GOLDEN.read_text()


def test_the_order_in_which_things_are_found_changes_nothing() -> None:
    assert bill(found()[::-1]) == bill(found())


def test_the_bill_keeps_the_schema() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill(found())) is None


def test_each_component_has_the_address_that_databases_know() -> None:
    addresses = {c["name"]: c["purl"] for c in json.loads(bill(found()))["components"]}
    assert addresses["libc6"] == "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=trixie"
    assert addresses["scikit-learn"] == "pkg:pypi/scikit-learn@1.9.1"
    assert addresses["example.org/fork"] == "pkg:golang/example.org/fork@v0.3.0"
