"""Whether an object store outside the stack is as the stack needs it: `check-store`.

Asks with each identity's own key, and only reads. Everything that is wrong is named at once, with the fix; so
is what cannot be seen from here. Exit code 0: nothing is wrong; 1: something is, or there is no answer.
"""

from __future__ import annotations

import configparser
import http.client
import json
import ssl
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, SSLError

from ..core.settings import FILES, Place
from . import store

ANSWERS_WITHIN = 60.0
SETTLED = 1.0
# A name that is certainly not the store's: requests of clients come with that of the load balancer.
ANOTHER_HOST = "127.0.0.1:9443"
REFUSED = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId"})
DENIED = frozenset({"AccessDenied", "403", "Forbidden", "AllAccessDisabled"})
MISSING = frozenset({"NoSuchBucket"})
ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
NO_LOCK = frozenset({"ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound"})
OK = ""
UNSEEN = (
    "quotas and lifecycle: object_store.buckets.*.quota and .lifecycle are the store's own matter",
    "whether an identity may write or delete more than its bucket grants: that would have to be tried",
)


@dataclass(frozen=True)
class Bucket:
    """One declared bucket; `lock` is its mode and its days."""

    name: str
    versioning: bool
    lock: tuple[str, int] | None
    read: frozenset[str]


@dataclass
class Findings:
    """`faults` name what is wrong and the fix, `unseen` what could not be checked."""

    faults: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def fault(self, text: str, fix: str) -> None:
        self.faults.append(f"{text}; fix: {fix}")


def buckets(told: Sequence[Mapping[str, Any]]) -> list[Bucket]:
    """The declared buckets, as the stack's inventory has them."""
    return [
        Bucket(
            name=one["name"],
            versioning=bool(one["versioning"]),
            lock=(one["object_lock"]["mode"], int(one["object_lock"]["days"]))
            if one["object_lock"]
            else None,
            read=frozenset(one["read"]),
        )
        for one in told
    ]


def examine(wanted: Sequence[Bucket], clients: Mapping[str, Any], anonymous: Any) -> Findings:
    """Ask for everything with every identity. `anonymous` signs nothing."""
    found = Findings()
    known = {name: client for name, client in clients.items() if _accepted(found, name, client, wanted)}
    for bucket in wanted if known else ():
        _bucket(found, bucket, known, anonymous)
    found.unseen += UNSEEN
    return found


def _bucket(found: Findings, bucket: Bucket, known: Mapping[str, Any], anonymous: Any) -> None:
    answers = {name: listing(client, bucket.name) for name, client in known.items()}
    if MISSING & set(answers.values()):
        found.fault(f"bucket {bucket.name} does not exist", "have it made there, or take it out of the file")
        return
    for name, code in answers.items():
        if name in bucket.read:
            _reads(found, bucket, name, known[name], code)
        elif code == OK:
            fix = f"restrict its policy there, or grant it in object_store.buckets.{bucket.name}.read"
            found.fault(f"{name} can read bucket {bucket.name}, which is not granted to it", fix)
        elif code not in DENIED:
            found.fault(
                f"{name} gets an unexpected answer for bucket {bucket.name} ({code})", "ask its operator"
            )
    if listing(anonymous, bucket.name) == OK:
        found.fault(f"bucket {bucket.name} is open to everybody", "remove its public access")
    readers = [known[name] for name in sorted(bucket.read & set(known))]
    if bucket.versioning:
        _versioning(found, bucket, readers)
    if bucket.lock:
        _lock(found, bucket, bucket.lock, readers)


def code_of(ask: Callable[..., Any], **arguments: Any) -> tuple[Any, str]:
    """The store's answer, and its code for a refusal or an empty text."""
    try:
        return ask(**arguments), OK
    except ClientError as error:
        return None, str(error.response.get("Error", {}).get("Code", "?"))
    except BotoCoreError as error:
        return None, type(error).__name__


def listing(client: Any, bucket: str) -> str:
    return code_of(client.list_objects_v2, Bucket=bucket, MaxKeys=1)[1]


def _accepted(found: Findings, name: str, client: Any, wanted: Sequence[Bucket]) -> bool:
    code = listing(client, next((b for b in wanted if name in b.read), wanted[0]).name)
    if code in REFUSED:
        found.fault(f"the key of {name} is refused ({code})", f"correct [{name}] in the credentials file")
    return code not in REFUSED


def _reads(found: Findings, bucket: Bucket, name: str, client: Any, code: str) -> None:
    if code != OK:
        found.fault(f"{name} cannot list bucket {bucket.name} ({code})", "allow s3:ListBucket on it")
        return
    # Of an object that is not there, only who may read it learns that it is not.
    _, code = code_of(client.head_object, Bucket=bucket.name, Key=f".aidc-check-{uuid.uuid4().hex}")
    if code not in ABSENT:
        fault = f"{name} cannot read objects of bucket {bucket.name} ({code or 'an answer for none'})"
        found.fault(fault, "allow s3:GetObject on it")


def _first(readers: Sequence[Any], method: str, bucket: str, final: frozenset[str]) -> tuple[Any, str]:
    """The first answer that says something: not every identity may see a bucket's settings."""
    code = "no key that is accepted"
    for client in readers:
        answer, code = code_of(getattr(client, method), Bucket=bucket)
        if code == OK or code in final:
            return answer or {}, code
    return {}, code


def _versioning(found: Findings, bucket: Bucket, readers: Sequence[Any]) -> None:
    answer, code = _first(readers, "get_bucket_versioning", bucket.name, frozenset())
    if code != OK:
        found.unseen.append(
            f"versions of {bucket.name}: no identity may see it (s3:GetBucketVersioning: {code})"
        )
    elif answer.get("Status") != "Enabled":
        found.fault(f"bucket {bucket.name} keeps no versions", "enable versioning there")


def _lock(found: Findings, bucket: Bucket, wanted: tuple[str, int], readers: Sequence[Any]) -> None:
    mode, days = wanted
    answer, code = _first(readers, "get_object_lock_configuration", bucket.name, NO_LOCK)
    if code != OK and code not in NO_LOCK:
        what = "s3:GetBucketObjectLockConfiguration"
        found.unseen.append(f"lock of {bucket.name}: no identity may see it ({what}: {code})")
        return
    settings = answer.get("ObjectLockConfiguration") or {}
    retention = (settings.get("Rule") or {}).get("DefaultRetention") or {}
    has_mode, has_days = str(retention.get("Mode", "")).lower(), retention_days(retention)
    if has_mode not in (mode, "compliance") or has_days < days:
        has = f"{has_mode}, {has_days} days" if has_mode else "none"
        fix = f"have it made with an object lock: {mode}, {days} days or more, by default for every version"
        found.fault(f"bucket {bucket.name} has no such object lock as declared (it has: {has})", fix)


def retention_days(retention: Mapping[str, Any]) -> int:
    return int(retention.get("Days") or 365 * int(retention.get("Years") or 0))


def other_host(place: Place, keys: Credentials, bucket: str) -> str | None:
    """Why requests that were signed for another Host are not answered, or None.

    So do all come that pass the load balancer: it cannot sign, and the signature covers the name.
    """
    request = AWSRequest("GET", f"https://{ANOTHER_HOST}/{bucket}?list-type=2&max-keys=1")
    S3SigV4Auth(keys, "s3", place.region).add_auth(request)
    url = urlsplit(place.endpoint)
    connection = http.client.HTTPSConnection(
        url.hostname or "",
        url.port or 443,
        timeout=10,
        context=ssl.create_default_context(cafile=place.authority),
    )
    try:
        headers = {**dict(request.headers), "Host": ANOTHER_HOST}
        connection.request("GET", f"/{bucket}?list-type=2&max-keys=1", headers=headers)
        status = connection.getresponse().status
    except OSError as error:
        return type(error).__name__
    finally:
        connection.close()
    return None if status == http.client.OK else f"HTTP {status}"


def answering(client: Any, bucket: str, within: float = ANSWERS_WITHIN) -> str | None:
    """Wait until the store answers anything at all; why it does not, or None."""
    deadline = time.monotonic() + within
    while True:
        try:
            client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        except ClientError:
            return None
        except SSLError as error:
            reason = f"its certificate is not trusted: {error}"[:300]
            if "CERTIFICATE_VERIFY_FAILED" in reason or time.monotonic() > deadline:
                return reason
        except BotoCoreError as error:
            reason = f"{type(error).__name__}: {error}"[:300]
            if time.monotonic() > deadline:
                return reason
        else:
            return None
        time.sleep(SETTLED)


def _report(found: Findings) -> Iterator[str]:
    yield from (f"not checked: {text}" for text in found.unseen)
    yield from (f"WRONG: {text}" for text in found.faults)
    count = len(found.faults)
    yield f"{count} thing{'s' * (count != 1)} at the outside store to be mended" if count else "as declared"


def main() -> int:
    told = json.loads((FILES / "store.json").read_text())
    place = Place(told["url"], told["region"], told["authority"])
    keys = configparser.ConfigParser(interpolation=None)
    keys.read_string(Path(told["credentials"]).read_text())
    pairs = {n: (keys[n]["aws_access_key_id"], keys[n]["aws_secret_access_key"]) for n in keys.sections()}
    wanted = buckets(told["buckets"])
    clients = {name: store.client(place, *pair) for name, pair in pairs.items()}
    if reason := answering(clients["backup"], wanted[0].name):
        print(f"{place.endpoint} does not answer: {reason}")
        print("fix: check object_store.external: endpoint, addresses, ca; and that this machine may connect")
        return 1
    anonymous = store.client(place, config=Config(signature_version=UNSIGNED))
    found = examine(wanted, clients, anonymous)
    if not found.faults and (why := other_host(place, Credentials(*pairs["backup"]), wanted[0].name)):
        fix = "let the store answer by path, whatever Host says; or use another store"
        found.fault(
            f"requests that name another host are not answered ({why}), as all through the balancer do", fix
        )
    for line in _report(found):
        print(line, flush=True)
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
