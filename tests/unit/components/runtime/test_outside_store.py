"""The files of an outside store: readable by their owner alone, and every fault at once."""

from __future__ import annotations

from datetime import date
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from components.planning import pki
from components.planning.buckets import IDENTITIES
from components.planning.issues import ConfigError
from components.planning.outside import External
from components.planning.rotation import Generations
from components.runtime import outside_store
from components.runtime.detached import detached
from components.runtime.erasure_set import refusal

EXTERNAL = External(
    endpoint="https://s3.example.org",
    addresses=(IPv4Address("203.0.113.7"),),
    ca="ca.pem",
    credentials="keys.ini",
)
DAY = date(2026, 1, 1)
KEYS = "".join(
    f"[{name}]\naws_access_key_id = id-of-{name}\naws_secret_access_key = hunter2\n" for name in IDENTITIES
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = pki.leaf("5eed" * 16, "dev", Generations(issued=DAY, renewed=DAY), "server", ("s3.example.org",))
    (tmp_path / "ca.pem").write_text(made.authority)
    (tmp_path / "keys.ini").write_text(KEYS)
    (tmp_path / "keys.ini").chmod(0o600)
    return tmp_path


def test_both_files_are_read_below_the_clone(root: Path) -> None:
    found = outside_store.read(EXTERNAL, root)
    assert found.authority.startswith("-----BEGIN CERTIFICATE-----")
    assert found.keys is not None
    assert found.keys["compute"].secret_key == "hunter2"


def test_a_key_beside_the_authority_is_not_passed_on(root: Path) -> None:
    made = (root / "ca.pem").read_text()
    (root / "ca.pem").write_text(f"{made}-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n")
    assert outside_store.read(EXTERNAL, root).authority == made


def test_a_damaged_certificate_is_a_fault(root: Path) -> None:
    text = (root / "ca.pem").read_text()
    (root / "ca.pem").write_text(text[:100] + "AAAA" + text[104:])
    assert "damaged" in outside_store.issues(EXTERNAL, root)[0].fault


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610])
def test_a_file_of_keys_that_others_may_read_is_refused(root: Path, mode: int) -> None:
    (root / "keys.ini").chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        outside_store.read(EXTERNAL, root)


def test_all_faults_of_both_files_are_named_at_once(root: Path) -> None:
    (root / "ca.pem").write_text("no certificate")
    (root / "keys.ini").unlink()
    paths = [issue.path.rpartition(".")[2] for issue in outside_store.issues(EXTERNAL, root)]
    assert paths == ["ca", "credentials"]


def test_a_detached_plan_needs_no_file_and_reads_no_key(root: Path, tmp_path: Path) -> None:
    with detached():
        assert outside_store.read(EXTERNAL, root).keys is None
        assert outside_store.read(EXTERNAL, tmp_path / "nowhere").keys is None


@pytest.mark.parametrize(("before", "asked", "fix"), [(4, 0, "remove object_store.external"), (0, 4, "put")])
def test_a_store_does_not_change_places_under_its_data(before: int, asked: int, fix: str) -> None:
    assert fix in (refusal(before, asked) or "")


def test_an_outside_store_stays_where_it_is() -> None:
    assert refusal(0, 0) is None
