"""Looking for secrets where none may be: which values a stack has, how they may look, and where to look."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote

from components.planning import pki, secrets
from policies.sources import stacks

# Derived, and public by nature.
PUBLIC = ("serial/", "bcrypt-salt/")
LINE = 64


def derived(stack: str) -> set[tuple[str, int, int]]:
    """(name, bytes, generation) of all that the program derives for a stack: seen, not listed by hand."""
    seen = set()
    real = secrets.derive

    def derive(seed: str, name: str, length: int = 32, generation: int = 1) -> bytes:
        seen.add((name, length, generation))
        return real(seed, name, length, generation)

    with patch.object(secrets, "derive", derive), patch.object(pki, "derive", derive):
        stacks.program(stack)
    return {entry for entry in seen if not entry[0].startswith(PUBLIC)}


def values(stack: str, seed: str) -> dict[str, list[bytes]]:
    """Secret → its values as used: a password as text, a key as bytes, a private key as lines of its PEM."""
    found = {"seed": [seed.encode(), bytes.fromhex(seed)]}
    for name, length, generation in derived(stack):
        raw = secrets.derive(seed, name, length, generation)
        kept = [raw]
        if name.startswith("key/"):
            key = pki.private_key(seed, name.removeprefix("key/"), generation)
            number = key.private_numbers().private_value.to_bytes(32)
            kept += [number, *(line.encode() for line in pki.pem(key).splitlines() if len(line) == LINE)]
        elif name.endswith(secrets.ACCESS_KEY):
            kept.append(secrets.access_key(seed, name.removesuffix(secrets.ACCESS_KEY), generation).encode())
        elif length == secrets.PASSWORD_BYTES:
            kept.append(secrets.password(seed, name, generation).encode())
        found[f"{name} {generation}"] = kept
    return found


def forms(value: bytes) -> set[bytes]:
    """`value` as it is, in hexadecimal, in base64 at every alignment and in both alphabets, and in a URL."""
    found = {value, value.hex().encode(), value.hex().upper().encode(), quote(value, safe="").encode()}
    for offset in range(3):
        # What surrounds the value changes the first and last digits, so they do not count.
        padded = base64.b64encode(bytes(offset) + value)
        inner = padded[-(-offset * 8 // 6) : (offset + len(value)) * 8 // 6]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def needles(found: Mapping[str, Iterable[bytes]]) -> dict[bytes, str]:
    """Every form of every value → the secret's name, which may be shown."""
    return {form: name for name, kept in found.items() for value in kept for form in forms(value)}


def search(haystack: bytes, wanted: Mapping[bytes, str]) -> set[str]:
    """Names of the secrets that are in `haystack`, also where it is compressed."""
    if haystack[:2] == b"\x1f\x8b":
        haystack = gzip.decompress(haystack)
    # What holds a line's end or a zero byte is no pattern for grep.
    plain = [form for form in wanted if not set(form) & {0, 10}]
    left = wanted if occurs(haystack, plain) else wanted.keys() - set(plain)
    return {wanted[form] for form in left if form in haystack}


def occurs(haystack: bytes, plain: Iterable[bytes]) -> bool:
    """Whether one of the patterns is there: grep looks for all of them at once."""
    with tempfile.NamedTemporaryFile() as patterns:
        patterns.write(b"\n".join(plain))
        patterns.flush()
        command = ["grep", "--quiet", "--text", "--fixed-strings", f"--file={patterns.name}"]
        code = subprocess.run(
            command, input=haystack, env={**os.environ, "LC_ALL": "C"}, check=False
        ).returncode
    assert code in (0, 1)
    return code == 0


def said(*command: str) -> bytes:
    """All that a command prints. Raises CalledProcessError when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    return done.stdout


def docker_ids(kind: str, stack: str) -> list[str]:
    listed = said("docker", kind, "ls", *(["--all"] if kind == "container" else []), "--quiet",
                  "--filter", f"label=aidc.stack={stack}")  # fmt: skip
    return listed.decode().split()


def inspected(stack: str) -> bytes:
    """`docker inspect` of everything that carries the stack's label, and of its images."""
    kinds = ("container", "volume", "network")
    parts = [said("docker", kind, "inspect", *docker_ids(kind, stack)) for kind in kinds]
    return b"".join([*parts, inspected_images(stack)])


def inspected_images(stack: str) -> bytes:
    """`docker inspect` of the images of the stack's containers."""
    containers = json.loads(said("docker", "container", "inspect", *docker_ids("container", stack)))
    return said("docker", "image", "inspect", *sorted({container["Image"] for container in containers}))


def logs(stack: str) -> bytes:
    return b"".join(said("docker", "logs", name) for name in docker_ids("container", stack))


def processes(stack: str) -> bytes:
    """Command line and environment of every process in the stack's containers, as the host sees them."""
    found = []
    for container in docker_ids("container", stack):
        listed = subprocess.run(["docker", "top", container, "-eo", "pid"], capture_output=True, check=False)
        for pid in listed.stdout.split()[1:]:
            for part in ("cmdline", "environ"):
                try:
                    found.append(Path("/proc", pid.decode(), part).read_bytes())
                except OSError:
                    continue  # it has ended meanwhile
    return b"\0".join(found)


def files(*folders: Path) -> bytes:
    """All files below the folders, one after the other."""
    found = []
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        with suppress(FileNotFoundError):  # another program's, that has ended meanwhile
            found.append(unpacked(path.read_bytes()))
    return b"\n".join(found)


def unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
