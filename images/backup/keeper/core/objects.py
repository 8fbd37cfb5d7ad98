"""What is backed up: objects as the store lists them, the names of their copies, and the manifest. Pure.

A key is no file name: a file system has no room for `fd` beside `fd/x`, for 1024 bytes without a slash, for a
control character or `..`, and some take two keys for one. So an object's copy is named by a digest, and the
manifest, one line of JSON an object, says which key it belongs to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MANIFEST_SCHEMA = "aidc.backup-manifest/1"


class ManifestError(Exception):
    """A manifest that cannot be read; the text says which line and why."""


@dataclass(frozen=True, order=True)
class Listed:
    """An object as the store's listing has it. `size` in bytes, `modified` in RFC 3339."""

    bucket: str
    key: str
    size: int
    etag: str
    modified: str

    @property
    def file(self) -> str:
        """Where its copy lies, relative to the snapshot's folder: another content has another name."""
        identity = json.dumps([self.bucket, self.key, self.size, self.etag, self.modified])
        name = hashlib.sha256(identity.encode()).hexdigest()
        return f"objects/{name[:2]}/{name[2:]}"


@dataclass(frozen=True)
class Saved:
    """An object in a snapshot. `file` is None when there is no copy; `headers` are S3's, for putting it back.

    `unreadable` says why the store did not give it; its copy, if any, is then of an earlier content.
    """

    listed: Listed
    file: str | None
    sha256: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    unreadable: str | None = None


def encode(saved: Saved) -> str:
    """One line of the manifest: ASCII, whatever the key holds."""
    entry = {
        "bucket": saved.listed.bucket,
        "key": saved.listed.key,
        "size": saved.listed.size,
        "etag": saved.listed.etag,
        "modified": saved.listed.modified,
        "file": saved.file,
        "sha256": saved.sha256,
        "headers": dict(saved.headers),
        "unreadable": saved.unreadable,
    }
    return json.dumps({name: value for name, value in entry.items() if value not in (None, {})})


def decode(line: str) -> Saved:
    """The entry of one line. Raises ManifestError."""
    try:
        entry = json.loads(line)
        listed = Listed(*(entry[name] for name in ("bucket", "key", "size", "etag", "modified")))
        rest = (entry.get("file"), entry.get("sha256"), entry.get("headers", {}), entry.get("unreadable"))
        return Saved(listed, *rest)
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestError(f"a line of the manifest is damaged: {error}") from None


def manifest(taken: str, objects: Iterable[Saved]) -> Iterator[str]:
    """All lines: what it is and when the store was listed (`taken`), the objects, and how many they are."""
    count = 0
    yield json.dumps({"schema": MANIFEST_SCHEMA, "taken": taken})
    for saved in objects:
        count += 1
        yield encode(saved)
    yield json.dumps({"objects": count})


def read(lines: Iterable[str]) -> Iterator[Saved]:
    """The objects of a whole manifest. Raises ManifestError for another file and for one that was cut off."""
    rest = iter(lines)
    first = next(rest, "")
    try:
        schema = json.loads(first).get("schema")
    except (ValueError, AttributeError):
        schema = None
    if schema != MANIFEST_SCHEMA:
        raise ManifestError(f"this is no manifest of the schema {MANIFEST_SCHEMA}")
    count = 0
    for line in rest:
        if '"bucket"' not in line:
            if json.loads(line).get("objects") != count:
                break
            return
        count += 1
        yield decode(line)
    raise ManifestError(f"the manifest was cut off after {count} objects")


def shown(key: str) -> str:
    """A key for a terminal or a log: on one line, without control characters, and not endless."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in key)
    return text if len(text) <= 200 else f"{text[:199]}…"
