"""The stack's file and state in a snapshot."""

from __future__ import annotations

import hashlib
from pathlib import Path

from images.backup.keeper.sources import configuration
from images.backup.keeper.sources.staging import Staging


def staging(root: Path) -> Staging:
    found = Staging(root)
    (found.snapshot / "configuration").mkdir(parents=True)
    (found.snapshot / "configuration" / "older").write_text("x")
    return found


def test_what_was_handed_over_is_saved_with_its_digest(tmp_path: Path) -> None:
    handed = tmp_path / "configuration"
    handed.mkdir()
    for name in (*configuration.NAMES, "passphrase"):
        (handed / name).write_text(name)
    found = configuration.take_over(staging(tmp_path))
    assert found == {
        f"configuration/{name}": hashlib.sha256(name.encode()).hexdigest() for name in configuration.NAMES
    }
    saved = {path.name for path in (tmp_path / "snapshot" / "configuration").iterdir()}
    assert saved == set(configuration.NAMES)


def test_a_job_of_other_things_does_not_save_it(tmp_path: Path) -> None:
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration" / "stack.yaml").write_text("x")
    assert configuration.take_over(staging(tmp_path), wanted=False) == {}
    assert not (tmp_path / "snapshot" / "configuration").exists()


def test_where_nothing_was_handed_over_nothing_of_an_earlier_run_is_saved(tmp_path: Path) -> None:
    assert configuration.take_over(staging(tmp_path)) == {}
    assert not (tmp_path / "snapshot" / "configuration").exists()
