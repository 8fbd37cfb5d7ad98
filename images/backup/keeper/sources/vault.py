"""The vault as a backup writes to it: restic, and the space that is used there."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from .patience import PATIENCE_S, Listener

FOLDERS = ("data", "index", "keys", "locks", "snapshots")
# Seconds: one that was just started again answers within them; restic itself tries for a quarter of an hour.
ANSWERS_WITHIN, EVERY = 60.0, 1.0
LOCK_WITHIN = "10m"  # the pruner's lock is exclusive
CHUNK = 2**20
UNLOCK = ("unlock", "--quiet")
NO_REPOSITORY, LOCKED, WRONG_PASSWORD = 10, 11, 12


class VaultError(Exception):
    """restic or its server refuses; the text says what it said."""


class LockedError(VaultError):
    """Somebody else uses the repository; the text says since when."""


def restic(
    *arguments: str, password: str | None = None, check: bool = True, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run restic with what the environment names as repository. Raises VaultError when it fails.

    `options` are restic's own and stand before the command, which `arguments` begin with.
    """
    known = ["--password-file", password] if password else []
    command = ["restic", "--retry-lock", LOCK_WITHIN, *known, *options, *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    with cast(BinaryIO, process.stdout) as stream, Listener(process) as heard:
        told = stream.read().decode(errors="replace")
    done = subprocess.CompletedProcess(command, process.returncode, told, heard.words)
    _accepted(heard)
    if check and done.returncode == LOCKED:
        raise LockedError(f"the repository is in use: {last_words(done.stderr)}")
    if check and done.returncode != 0:
        raise VaultError(f"restic {arguments[0]} ended with {done.returncode}: {last_words(done.stderr)}")
    return done


def _accepted(heard: Listener) -> None:
    if heard.refused:
        fix = "fix: make logs S=vault, and look whether its disk is full"
        raise VaultError(f"the vault has refused for {PATIENCE_S:.0f} s: {heard.refused}; {fix}")


def last_words(text: str) -> str:
    """The end of what a program said, on one line."""
    return " / ".join(line.strip() for line in text.strip().splitlines()[-3:])[-400:] or "without a word"


def await_answer(repository: str, ca_file: str, within: float = ANSWERS_WITHIN) -> None:
    """Return once the vault's server answers, whatever it answers. Raises VaultError."""
    deadline = time.monotonic() + within
    while True:
        try:
            with _ask(repository, ca_file, "config", "HEAD"):
                return
        except HTTPError:
            # That it refuses, or has no repository yet, restic says at once and better.
            return
        except (URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise VaultError(f"the vault does not answer: {getattr(error, 'reason', error)}") from None
        time.sleep(EVERY)


def open_repository(password: str, before: str) -> str:
    """Make the repository usable with `password`; both are paths. Returns what was done, or nothing.

    Locks of this service's own that nobody holds any more are removed by it (`drop_own_locks`).

    After a rotation the repository knows only the password before: with it the new one is added as a second
    key, and only then is the old one of no more use. It is revoked on the vault's side (`make rotate`): the
    server deletes for no writer.
    """
    # Half a second for every start of restic, for deriving the key: what opens it drops locks as well.
    first = restic(*UNLOCK, check=False)
    if first.returncode == 0:
        return ""
    if first.returncode == NO_REPOSITORY:
        restic("init", "--quiet")
        return "the repository is new"
    if first.returncode == WRONG_PASSWORD:
        restic("key", "add", "--quiet", "--new-password-file", password, password=before)
        drop_own_locks()
        return "the repository has a new key"
    raise VaultError(f"the repository cannot be opened: {last_words(first.stderr)}")


def drop_own_locks() -> None:
    """Remove the locks of processes of this service that live no more, and those that nobody renews.

    Else a run that was killed would hold up the next one. Raises VaultError.
    """
    restic(*UNLOCK)


def back_up(folder: Path, job: str, tags: Sequence[str], compression: str) -> str:
    """Append a snapshot of `folder`; return its name. A file that restic cannot read fails it.

    What did not change since the newest one with the same host and path is not read: each job is a host.
    """
    how = ("--compression", compression)
    done = restic("backup", "--json", "--host", job, "--tag", ",".join(tags), *how, str(folder))
    for line in reversed(done.stdout.splitlines()):
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("message_type") == "summary":
            return str(message["snapshot_id"])
    raise VaultError("restic made no snapshot, and did not say why")


def files(snapshot: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Path below `folder` and size of each file in the snapshot, as the vault has it."""
    command = ["restic", "--retry-lock", LOCK_WITHIN, "ls", "--recursive", "--json", snapshot]
    with _running(command) as stream:
        for line in stream:
            node = json.loads(line)
            if node.get("type") == "file":
                yield node["path"].removeprefix(f"{folder}/"), int(node.get("size", 0))


@contextmanager
def _running(command: Sequence[str]) -> Iterator[BinaryIO]:
    """What a command prints, to be read to its end. Raises VaultError when it fails."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with Listener(process) as heard, cast(BinaryIO, process.stdout) as stream:
        yield stream
    _accepted(heard)
    if process.returncode != 0:
        raise VaultError(f"{command[0]} ended with {process.returncode}: {last_words(heard.words)}")


def dumping(snapshot: str, path: Path, *options: str) -> AbstractContextManager[BinaryIO]:
    """One file of the snapshot, or a folder as an archive, as a stream; VaultError when it was cut off."""
    command = ["restic", "--retry-lock", LOCK_WITHIN, "dump", *options, snapshot, str(path)]
    return _running(command)


def dump(snapshot: str, path: Path) -> Iterator[bytes]:
    """The content of one file of the snapshot, piece by piece. Raises VaultError."""
    with dumping(snapshot, path) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def compare(snapshot: str, root: Path, digests: Mapping[str, str], scratch: Path) -> None:
    """Read files of the snapshot out of the vault: names below `root` with their SHA-256.

    They come by way of the empty folder `scratch`, which is empty again afterwards. Raises VaultError,
    naming every file that is another than was saved.
    """
    wanted = [option for file in digests for option in ("--include", f"/{_literally(file)}")]
    try:
        restic("restore", "--quiet", f"{snapshot}:{root}", "--target", str(scratch), *wanted)
        other = [Path(file).name for file, digest in digests.items() if not _has(scratch / file, digest)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if other:
        raise VaultError(f"snapshot {snapshot[:8]} gives another {', '.join(other)} than was saved")


def _has(path: Path, digest: str) -> bool:
    return path.is_file() and digest_of(path) == digest


def _literally(file: str) -> str:
    """A path as a pattern of restic's that matches nothing else."""
    return re.sub(r"([\\*?\[])", r"\\\1", file)


def compare_streamed(snapshot: str, path: Path, digest: str) -> None:
    """The same of one file of any size, which takes a start of restic of its own. Raises VaultError."""
    found = hashlib.sha256()
    for chunk in dump(snapshot, path):
        found.update(chunk)
    if found.hexdigest() != digest:
        raise VaultError(f"snapshot {snapshot[:8]} gives another {path.name} than was saved")


def used(repository: str, ca_file: str) -> int:
    """Bytes of the repository, as its server lists them. Raises VaultError."""
    return sum(entry["size"] for folder in FOLDERS for entry in _listed(repository, ca_file, folder))


def _listed(repository: str, ca_file: str, folder: str) -> Sequence[Mapping[str, Any]]:
    try:
        with _ask(repository, ca_file, f"{folder}/", "GET") as answer:
            return list(json.load(answer) or [])
    except (URLError, OSError, ValueError) as error:
        raise VaultError(f"the vault does not list its {folder}: {error}") from None


def _ask(repository: str, ca_file: str, path: str, method: str) -> Any:
    place = urlsplit(repository.removeprefix("rest:"))
    pair = base64.b64encode(f"{place.username}:{place.password}".encode()).decode()
    url = f"https://{place.hostname}:{place.port}{place.path.rstrip('/')}/{path}"
    headers = {"Accept": "application/vnd.x.restic.rest.v2", "Authorization": f"Basic {pair}"}
    request = Request(url, headers=headers, method=method)
    return urlopen(request, timeout=30, context=ssl.create_default_context(cafile=ca_file))
