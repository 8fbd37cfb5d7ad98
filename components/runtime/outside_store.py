"""The files that belong to an outside store: its authorities and its keys. Reads this machine's disk."""

from __future__ import annotations

import re
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.planning.config import DATACENTER
from components.planning.issues import ConfigError, Issue, escaped
from components.planning.outside import External, KeyPair, read_credentials
from components.planning.paths import ROOT
from components.runtime import regular
from components.runtime.detached import is_detached

PATH = f"{DATACENTER}.object_store.external"
PRIVATE = 0o077
CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


@dataclass(frozen=True)
class OutsideStore:
    """`authority`: certificates in PEM. `keys`: identity → key pair; None in a plan that is only checked."""

    authority: str
    keys: Mapping[str, KeyPair] | None = field(repr=False)


def read(external: External, root: Path = ROOT) -> OutsideStore:
    """Both files; relative paths begin at this clone. Detached, no keys. Raises ConfigError."""
    trusted, mistakes = authority(root / external.ca, f"{PATH}.ca")
    if is_detached():
        # Where a plan is only checked, nobody reads a key, and the file need not be there.
        return OutsideStore(trusted or "(authority)", None)
    keys, more = _keys(root / external.credentials)
    if mistakes or more:
        raise ConfigError([*mistakes, *more])
    return OutsideStore(trusted, keys)


def issues(external: External | None, root: Path = ROOT) -> list[Issue]:
    """Every mistake in the two files."""
    if external is None:
        return []
    return [*authority(root / external.ca, f"{PATH}.ca")[1], *_keys(root / external.credentials)[1]]


def authority(path: Path, where: str) -> tuple[str, list[Issue]]:
    """The certificates in the file `path`, and every mistake in it; `where` is the key that names it."""
    fix = "write the path of a PEM file with the authority of the server's certificate"
    named = escaped(str(path))
    try:
        # Nothing but certificates: they go where everybody may read, and the file may hold a key as well.
        text = "".join(f"{found}\n" for found in CERTIFICATE.findall(regular.read_text(path)))
    except OSError as error:
        return "", [Issue(where, f"{named} cannot be read: {error.strerror}", fix)]
    except ValueError:
        text = ""
    try:
        ssl.create_default_context(cadata=text or "none")
    except ssl.SSLError:
        return "", [Issue(where, f"{named} holds no certificates in PEM, or a damaged one", fix)]
    return text, []


def _keys(path: Path) -> tuple[dict[str, KeyPair], list[Issue]]:
    where = f"{PATH}.credentials"
    fix = "write it as docs/object-store.md shows, for its owner alone"
    named = escaped(str(path))
    try:
        content, about = regular.read_bytes(path)
        text = content.decode("utf-8")
    except OSError as error:
        return {}, [Issue(where, f"{named} cannot be read: {error.strerror}", fix)]
    except ValueError:
        return {}, [Issue(where, f"{named} is not text", fix)]
    mode = stat.S_IMODE(about.st_mode)
    mistakes = []
    if mode & PRIVATE:
        mistakes.append(
            Issue(where, f"{named} can be read by others (mode {mode:04o})", f"chmod 600 {named}")
        )
    keys, more = read_credentials(text, named)
    return keys, [*mistakes, *more]
