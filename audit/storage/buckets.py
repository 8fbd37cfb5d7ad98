"""The buckets and policies that an object store has, compared with the declared ones. Pure.

Both sides become text by setting, from the same documents, so that a difference can be read as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

from components.planning.bucket_documents import documents
from components.planning.buckets import IDENTITIES, Declared
from components.planning.grants import policy
from components.planning.units import size_text

FOUND, MISSING = "200", "404"
NONE = "none"
# Whether the bucket was made with a lock, which cannot change; such a bucket may have no retention.
LOCKABLE = "lockable"


@dataclass(frozen=True)
class Difference:
    """One setting of one bucket, or of the policy of one identity."""

    where: str
    setting: str
    declared: str
    live: str

    def __str__(self) -> str:
        return f"{self.where}: {self.setting} is {self.live}, declared {self.declared}"


def read(shown: str) -> dict[str, dict[str, str]]:
    """Bucket → setting → text, from what `buckets show` prints. Raises ValueError for anything else."""
    found: dict[str, dict[str, str]] = {}
    for line in shown.splitlines():
        parts = line.split("\t", 3)
        if len(parts) != 4:
            raise ValueError(f"{line!r:.80} is not a line of `buckets show`")
        bucket, setting, status, document = parts
        if status in (FOUND, MISSING):
            try:
                text = _text(setting, document if status == FOUND else "")
            except (ValueError, ElementTree.ParseError):
                text = "unknown, as the store's document cannot be read"
        else:
            text = f"unknown, as the store answered with status {status}"
        found.setdefault(bucket, {})[setting] = text
        if setting == "object_lock" and status in (FOUND, MISSING):
            found[bucket][LOCKABLE] = "yes" if status == FOUND else "no"
    return found


def described(bucket: Declared) -> dict[str, str]:
    """Setting → text of a declared bucket."""
    told = documents(bucket)
    given = {
        "versioning": told["versioning.xml"],
        "object_lock": told.get("lock.xml", ""),
        "lifecycle": told.get("lifecycle.xml", ""),
        "quota": told["quota.json"],
        "policy": "",
    }
    return {setting: _text(setting, document) for setting, document in given.items()}


def differences(declared: Sequence[Declared], live: Mapping[str, Mapping[str, str]]) -> list[Difference]:
    """Declared buckets that are missing or set differently; undeclared ones are not differences."""
    found = []
    for bucket in declared:
        if bucket.name not in live:
            found.append(Difference(bucket.name, "the bucket", "present", "missing"))
            continue
        has = live[bucket.name]
        found += [
            Difference(bucket.name, setting, text, has.get(setting, "unknown"))
            for setting, text in described(bucket).items()
            if has.get(setting) != text
        ]
    return found


def differing(
    declared: Sequence[Declared], views: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> list[Difference]:
    """What is not as declared in the first of `views` (node → its view), and in others alone.

    A node serves a bucket by what it knows of it, whatever the others know.
    """
    by_node = {node: differences(declared, live) for node, live in views.items()}
    first = next(iter(by_node.values()), [])
    others = [
        replace(found, where=f"{found.where} on {node}")
        for node, all_found in by_node.items()
        for found in all_found
        if found not in first
    ]
    return [*first, *others]


def undeclared(declared: Sequence[Declared], names: Sequence[str]) -> list[str]:
    """The buckets among `names` that nobody declared."""
    return sorted(set(names) - {bucket.name for bucket in declared})


def wrong_policies(declared: Sequence[Declared], listed: str) -> list[Difference]:
    """Identities whose policy in the store is another; `listed` is what `identities policies` prints.

    Raises ValueError if that is no JSON.
    """
    known: Mapping[str, Any] = json.loads(listed)
    found = []
    for user in IDENTITIES:
        wanted = _statements(json.loads(policy(user, declared)))
        has = _statements(known[user]) if user in known else frozenset()
        if wanted == has:
            continue
        more, less = len(has - wanted), len(wanted - has)
        live = f"{more} others and {less} missing" if user in known else "missing"
        found.append(Difference(f"identity {user}", "policy", f"{len(wanted)} statements", live))
    return found


def _text(setting: str, document: str) -> str:
    if setting == "quota":
        return _quota(document)
    if setting == "policy":
        # Whoever is let in by a bucket's own policy needs no signature.
        return "set for everybody" if document else NONE
    leaves = [dict(_leaves(rule)) for rule in _parts(document, setting)]
    if setting == "versioning":
        status = leaves[0].pop("Status", "") if leaves else ""
        exceptions = " with exceptions" if any(leaves) else ""
        return ("on" if status == "Enabled" else "off") + exceptions
    texts = sorted(" ".join(f"{key}={value}" for key, value in sorted(leaf.items())) for leaf in leaves)
    return "; ".join(texts) or NONE


def _quota(document: str) -> str:
    given: Mapping[str, Any] = json.loads(document or "{}")
    size = given.get("size") or given.get("quota") or 0
    more = [key for key in ("rate", "requests") if given.get(key)]
    kind = given.get("quotatype", "hard")
    words = [size_text(size) if size else NONE, *more, *([kind] if kind != "hard" else [])]
    return " ".join(words)


def _parts(document: str, setting: str) -> list[ElementTree.Element]:
    """The element that matters of a setting, or several; a lock without a retention is none."""
    if not document:
        return []
    root = ElementTree.fromstring(document)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if setting == "object_lock":
        return root.findall("Rule/DefaultRetention")
    return root.findall("Rule") if setting == "lifecycle" else [root]


def _leaves(element: ElementTree.Element, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, text) of elements with a text; the name of a rule says nothing about what it does."""
    for child in element:
        here = f"{path}{child.tag}"
        if child.text and child.text.strip() and child.tag != "ID":
            yield here, child.text.strip()
        yield from _leaves(child, f"{here}.")


def _statements(document: Mapping[str, Any]) -> frozenset[Any]:
    """A policy without the order and the spelling in which a server writes it."""
    return frozenset(
        (
            statement.get("Effect"),
            _set(statement.get("Action", ())),
            _set(statement.get("Resource", ())),
            frozenset(
                (operator, key, _set(values))
                for operator, keys in (statement.get("Condition") or {}).items()
                for key, values in keys.items()
            ),
            # What this program never writes would make a statement mean something else.
            frozenset(set(statement) - {"Effect", "Action", "Resource", "Condition", "Sid"}),
        )
        for statement in document.get("Statement") or ()
    )


def _set(values: object) -> frozenset[str]:
    listed = values if isinstance(values, list | tuple) else [values]
    return frozenset(str(value).lower() if isinstance(value, bool) else str(value) for value in listed)
