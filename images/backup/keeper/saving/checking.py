"""Whether a snapshot holds what a run has saved: compared with the listing, and read back from the vault."""

from __future__ import annotations

import random
from pathlib import Path

from ..core.index import Index
from ..core.status import Run
from ..sources import archive, vault
from ..sources.databases import Dumped
from ..sources.staging import Staging

# So much of the packs is read back each time, at random; a tenth, where that is less.
READ_BACK = 2**30
# Larger files are not put on the disk to be compared.
SAMPLE = 256 * 2**20


class IncompleteError(Exception):
    """The snapshot does not hold what was listed; the text says what is missing."""


def compare(staging: Staging, index: Index, done: Run, saved: list[Dumped]) -> None:
    """Every object of the listing and every dump is in the snapshot with its size, or was reported."""
    held = 0
    dumped = {dump.file: dump.size for dump in saved}
    facts = {Path(dump.file).with_suffix(".json").as_posix() for dump in saved}
    for file, size in vault.files(done.snapshot, staging.snapshot):
        own = (staging.manifest.name, archive.path_of(staging).name)
        if file in own or file in facts or file in done.configuration:
            continue
        if file in dumped:
            if dumped.pop(file) != size:
                raise IncompleteError(f"snapshot {done.snapshot[:8]} holds {file} with another size")
            continue
        if index.size_of(file) != size or not index.wanted(file):
            raise IncompleteError(
                f"snapshot {done.snapshot[:8]} holds {file} with {size} bytes, unlike the listing"
            )
        held += 1
    if dumped:
        raise IncompleteError(f"snapshot {done.snapshot[:8]} does not hold {', '.join(dumped)}")
    if held != index.files():
        raise IncompleteError(
            f"snapshot {done.snapshot[:8]} holds {held} objects, the listing {index.files()}"
        )


def read_back(staging: Staging, index: Index, done: Run, saved: list[Dumped]) -> None:
    """The manifest, the dumps and one object as the vault gives them, then a part of all packs."""
    subset = "10%" if done.usage["vault"] < 10 * READ_BACK else f"{READ_BACK >> 20}M"
    digests = {staging.manifest.name: vault.digest_of(staging.manifest), **done.configuration}
    if candidates := [file for file, size in index.sample(100) if size <= SAMPLE]:
        file = random.choice(candidates)
        digests[file] = index.digest(file)
    digests |= {dump.file: dump.sha256 for dump in saved if dump.size <= SAMPLE}
    vault.compare(done.snapshot, staging.snapshot, digests, staging.temporary / "read-back")
    for dump in saved:
        if dump.size > SAMPLE:
            vault.compare_streamed(done.snapshot, staging.snapshot / dump.file, dump.sha256)
    vault.restic("check", "--quiet", f"--read-data-subset={subset}")
