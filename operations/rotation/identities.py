"""The object store's identities as the store itself lists them, and how a rotation of them is verified.

Whoever knew an id and a key could have derived credentials from them: a service account, or an STS session,
which is valid for up to a week. So a rotation removes all of them, and tries one that it had derived itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.planning import secrets
from components.planning.buckets import IDENTITIES
from components.planning.flows import MINIO
from operations.errors import OperationError
from operations.rotation.subject import Session, Subject

NAMES = ("s3/root", *(f"s3/{user}" for user in IDENTITIES))
REFUSED = ("SignatureDoesNotMatch", "InvalidAccessKeyId")
# AccessDenied: known, but not allowed to list buckets; the key itself was accepted.
KNOWN = ("", "AccessDenied")
INSIDE = f"https://127.0.0.1:{MINIO}"
DENIED = "403"


def pairs(subject: Subject, name: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """The current (id, key) of `name`, and the one before its last rotation."""
    generations = subject.generations
    now, before = generations.of(name), generations.before(name)
    return (
        (secrets.access_key(subject.seed, name, now), subject.value(name)),
        (secrets.access_key(subject.seed, name, before), subject.old(name)),
    )


def session(subject: Subject, name: str) -> Session:
    """A session from STS for the current identity `name`. Raises OperationError when STS gives none."""
    (access_key, key), _ = pairs(subject, name)
    # This id and key are about to be replaced; they are passed as variables, never as arguments.
    code, text = _run_identities(subject, "session", {"ID": access_key, "KEY": key})
    parts = text.split()
    if code != 0 or len(parts) != len(fields(Session)):
        raise OperationError(
            f"{name}: the object store does not accept its current key; "
            f"fix: make up STACK={subject.plan.stack}, then rotate; nothing was rotated"
        )
    return Session(*parts)


def sweep(subject: Subject) -> Iterator[str]:
    """Remove service accounts and sessions; yields the reason if that failed."""
    code, text = _run_identities(subject, "sweep")
    if code != 0:
        yield f"service accounts and sessions cannot be removed: {text.strip() or f'exit code {code}'}"


def foreign(listed: Sequence[str], declared: Mapping[str, str]) -> list[str]:
    """What `identities list` shows beyond the declared; `declared`: id → name. The texts hold no id."""
    found = []
    for line in listed:
        kind, identifier, *policies = [*line.split(), ""]
        name = declared.get(identifier)
        if kind == "user" and name is None:
            found.append("knows a user that is not declared")
        elif kind == "user" and policies[0] != (name or "").removeprefix("s3/"):
            found.append(f"gives {name} policies other than its own")
        elif kind == "service":
            found.append("knows a service account")
        elif kind == "session":
            found.append(f"knows a session of {name or 'a user that is not declared'}")
    missing = sorted(set(declared.values()) - {declared.get(line.split()[1]) for line in listed if line})
    found += [f"does not know {name}" for name in missing]
    return list(dict.fromkeys(found))


def undeclared(subject: Subject) -> Iterator[str]:
    """Faults unless the object store knows exactly the declared identities."""
    declared = {pairs(subject, name)[0][0]: name for name in NAMES if name != "s3/root"}
    code, text = _run_identities(subject, "list")
    if code != 0:
        yield "the object store cannot list its identities"
    else:
        yield from (f"the object store {fault}" for fault in foreign(text.splitlines(), declared))


def proof(subject: Subject, name: str) -> Iterator[str]:
    """Faults unless the new id and key are accepted, and no old one, constant name or derived session is."""
    new, old = pairs(subject, name)
    if (answer := list_buckets(subject, *new)) not in KNOWN:
        yield f"the new key is not accepted: {answer}"
    constant = name.partition("/")[2]
    tries: Sequence[tuple[str, tuple[str, str]]] = (
        ("the old id with its old key", old),
        ("the old id with the new key", (old[0], new[1])),
        ("the new id with the old key", (new[0], old[1])),
        (f"the name {constant!r} with the new key", (constant, new[1])),
    )
    for what, pair in tries:
        if pair != new and (answer := list_buckets(subject, *pair)) not in REFUSED:
            yield f"{what} is not refused: {answer or 'accepted'}"
    if name in subject.derived:
        yield from revived(subject, name)
    yield from undeclared(subject)


def revived(subject: Subject, name: str) -> Iterator[str]:
    """Faults of nodes on which the session of `name` can still list a bucket that `name` may list."""
    derived, user = subject.derived[name], name.removeprefix("s3/")
    bucket = next((b.name for b in subject.plan.buckets if user in (*b.read, "root")), None)
    if bucket is None:  # Who may list nothing is refused in any case; `undeclared` names sessions.
        return
    pair = {"ID": derived.access_key, "KEY": derived.secret_key, "TOKEN": derived.token, "BUCKET": bucket}
    for node in subject.plan.by_role("object-store"):
        _, text = _run_identities(subject, "try", pair, node.container)
        if (status := text.strip()) != DENIED:
            yield f"{node.name}: an old session is not refused: {f'HTTP {status}' if status else 'no answer'}"


def list_buckets(subject: Subject, access_key: str, key: str) -> str:
    """The error code of listing buckets through the load balancer, or empty on success."""
    settings = Config(
        s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=10, connect_timeout=5
    )
    client = boto3.client(
        "s3",
        endpoint_url=subject.endpoint("s3"),
        aws_access_key_id=access_key,
        aws_secret_access_key=key,
        region_name="us-east-1",
        verify=subject.ca_file,
        config=settings,
    )
    try:
        client.list_buckets()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except BotoCoreError as error:
        return type(error).__name__
    return ""


def _run_identities(
    subject: Subject, action: str, values: Mapping[str, str] | None = None, container: str = ""
) -> tuple[int, str]:
    """Exit code and output of `identities ACTION` in a node, the first one by default."""
    node = container or subject.plan.by_role("object-store")[0].container
    return subject.run(node, ["identities", action, INSIDE], values)
