"""A restore with the backup service: what it is told, whose keys it gets, and how its course is shown.

The backup's own keys only read. Objects are put back by an identity that is made for this and removed
afterwards, rows by the role that owns the database. Keys travel on standard input and in variables.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from components.planning.databases import DATABASES, secret_of
from components.planning.flows import MINIO
from components.planning.grants import restoring
from components.planning.outside import RESTORE, External
from components.runtime import outside_store
from operations.errors import OperationError, RefusedError
from operations.restoring.order import Sources
from operations.rotation.subject import Subject

INSIDE = f"https://127.0.0.1:{MINIO}"
ID_BYTES, KEY_BYTES = 10, 30  # as of the stack's own identities


@dataclass(frozen=True)
class Request:
    """`at` is a time in RFC 3339; without it each source comes from the newest snapshot that is not empty.

    `among` names the snapshots that may be taken; all may without it.
    """

    sources: Sources
    at: str | None = None
    among: tuple[str, ...] | None = None

    def document(self) -> dict[str, Any]:
        initial = {d.name: dict(d.initial) for d in DATABASES}
        return {
            "buckets": self.sources.buckets,
            "databases": self.sources.databases,
            "at": self.at,
            "among": self.among,
            "initial": initial,
        }


@dataclass
class _Heard:
    """What the backup service said in the end.

    With `then` it waits for a line after the outcome, and begins no backup until that has come.
    """

    on_progress: Callable[[Mapping[str, Any]], None]
    then: Callable[[], None] | None = None
    final: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def line(self, text: str) -> str | None:
        try:
            found = json.loads(text)
        except ValueError:
            self.words.append(text)
            return None
        if "step" in found:
            self.on_progress(found)
            return None
        self.final |= found
        if self.then and "done" in found:
            self.then()
            return "over\n"
        return None


def plan(subject: Subject, request: Request) -> dict[str, Any]:
    """What would be restored and what stands in its way. Raises OperationError."""
    return dict(_talk(subject, ["--plan"], request.document(), _Heard(lambda _: None))["plan"])


def carry_out(
    subject: Subject,
    request: Request,
    on_progress: Callable[[Mapping[str, Any]], None],
    then: Callable[[], None] | None = None,
) -> tuple[dict[str, Any], str]:
    """Restore: the outcome, and why the identity for it may still exist. Raises OperationError.

    `then` does what is left to do before the next backup, which would be one of half a restore.
    """
    owners = {d.name: (d.owner, subject.value(secret_of(d.owner))) for d in DATABASES}
    roles = {name: owners[name] for name in request.sources.databases}
    with _writer(subject, request.sources.buckets) as writer:
        told = {**request.document(), "s3": writer.pair, "roles": roles, "hold": then is not None}
        done = dict(_talk(subject, [], told, _Heard(on_progress, then))["done"])
    return done, writer.left


def _talk(subject: Subject, options: list[str], told: Mapping[str, Any], heard: _Heard) -> dict[str, Any]:
    command = ["backup", "recover", *options]
    code = subject.engine.converse(subject.container("backup"), command, json.dumps(told) + "\n", heard.line)
    if not {"plan", "done"} & set(heard.final):
        reason = heard.final.get("error") or " / ".join(heard.words[-3:]) or f"exit code {code}"
        raise OperationError(f"the restore failed: {reason}")
    return heard.final


@dataclass
class _Writer:
    """Id and key of an identity that writes; `left` says after the end why it may still exist."""

    pair: tuple[str, str]
    left: str = ""


@contextmanager
def _writer(subject: Subject, buckets: Sequence[str]) -> Iterator[_Writer]:
    """An identity that may write to these buckets, for as long as the block lasts.

    That it cannot be removed is told beside what else went wrong, never in its place.
    """
    external = subject.plan.config.object_store.external
    if external is not None:
        yield _Writer(_outside_writer(external))
        return
    dismiss(subject)  # what a restore that was killed has left
    identifier = base64.b32encode(secrets.token_bytes(ID_BYTES + 2)).decode().rstrip("=")[:20]
    key = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    values = {"ID": identifier, "KEY": key, "POLICY": restoring(buckets)}
    code, text = _identities(subject, "admit", values)
    if code != 0:
        raise OperationError(f"the object store does not take an identity for the restore: {text.strip()}")
    writer = _Writer((identifier, key))
    try:
        yield writer
    except OperationError as error:
        raise type(error)("; ".join(filter(None, (str(error), _left(subject))))) from None
    except BaseException:
        _left(subject)
        raise
    writer.left = _left(subject)


def _outside_writer(external: External) -> tuple[str, str]:
    """The key pair that the file holds for this: at an outside store no identity can be made."""
    pair = (outside_store.read(external).keys or {}).get(RESTORE)
    if pair is None:
        raise RefusedError(
            "the object store is an outside one, where this program can make no identity that writes; fix: "
            f"add [{RESTORE}] to {external.credentials}, with a key that may read and write the buckets, and "
            "remove it after the restore"
        )
    return pair.access_key, pair.secret_key


def dismiss(subject: Subject) -> None:
    """Remove the identity of a restore. Raises OperationError when it may still exist."""
    if left := _left(subject):
        raise OperationError(left)


def _left(subject: Subject) -> str:
    """Remove the identity of a restore; why it may still exist, or nothing."""
    if subject.plan.config.object_store.external is not None:
        return ""
    code, text = _identities(subject, "dismiss", {})
    if code == 0:
        return ""
    again = f"fix: `make restore STACK={subject.plan.stack}` once more, which removes it before anything else"
    return f"the identity for the restore cannot be removed: {text.strip()}; {again}"


def _identities(subject: Subject, action: str, values: Mapping[str, str]) -> tuple[int, str]:
    node = subject.plan.by_role("object-store")[0].container
    return subject.run(node, ["identities", action, INSIDE], values)
