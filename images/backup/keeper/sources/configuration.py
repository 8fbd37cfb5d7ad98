"""The stack's own file and the state of Pulumi in a snapshot: as they lie, with their secrets encrypted.

`make up` and `make rotate` put them into staging. The passphrase that decrypts them is never among them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from .staging import Staging
from .vault import digest_of

FOLDER = "configuration"
NAMES = ("stack.yaml", "state.json")


def take_over(staging: Staging, *, wanted: bool = True) -> dict[str, str]:
    """What has been handed over, below the snapshot's folder, with the SHA-256 of each; may be nothing.

    With a job that does not save it there is nothing.
    """
    handed, place = staging.root / FOLDER, staging.snapshot / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    found = [handed / name for name in NAMES if (handed / name).is_file()]
    if not found or not wanted:
        return {}
    place.mkdir(parents=True)
    for path in found:
        shutil.copyfile(path, place / path.name)
    return {f"{FOLDER}/{path.name}": digest_of(place / path.name) for path in found}


def path_of(folder: Path, name: str) -> Path:
    """Where a file lies in the snapshot whose folder is given."""
    return folder / FOLDER / name
