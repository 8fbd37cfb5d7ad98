"""Contexts are exchanged in one step: runs side by side see whole ones, and umasks leave no trace."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.runtime.image import context_digest, reference
from operations.images import contexts

NAMES = ("vault", "firewall", "load-balancer")


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(contexts, "BUILD", tmp_path)
    return tmp_path


def make(name: str) -> None:
    contexts.publish(name, contexts.assemble(name))


def test_two_writers_and_a_reader_never_meet_a_half_written_context(build: Path) -> None:
    for name in NAMES:
        make(name)
    right = {reference(name, build) for name in NAMES}

    def write(_: int) -> None:
        for name in NAMES:
            with contexts.building_alone():
                make(name)

    def read(_: int) -> set[str]:
        return {reference(name, build) for name in NAMES}

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, n) for n in range(40)]
        seen = [pool.submit(read, n) for n in range(120)]
        for writer in writers:
            writer.result()
        assert all(found.result() == right for found in seen)


def test_a_context_made_under_a_strict_umask_is_readable_for_all(build: Path) -> None:
    before = os.umask(0o077)
    try:
        make("load-balancer")
    finally:
        os.umask(before)
    modes = {p.stat().st_mode & 0o777 for p in (build / "load-balancer").resolve().rglob("*")}
    assert modes <= {0o755, 0o644}
    assert (build / "load-balancer").resolve().stat().st_mode & 0o777 == 0o755


def test_modes_of_a_strict_clone_do_not_reach_the_context(
    tmp_path_factory: pytest.TempPathFactory, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path_factory.mktemp("clone")
    folder = root / "images" / "vault"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "Dockerfile").write_text("FROM scratch")
    (folder / "Dockerfile").chmod(0o600)
    (folder / "tool").write_text("#!/bin/sh")
    (folder / "tool").chmod(0o700)
    monkeypatch.setattr(contexts, "ROOT", root)
    monkeypatch.setattr(contexts, "SHARED", {})
    fresh = contexts.assemble("vault")
    assert (fresh / "Dockerfile").stat().st_mode & 0o777 == 0o644
    assert (fresh / "tool").stat().st_mode & 0o777 == 0o755


def test_a_context_of_an_older_version_is_replaced(build: Path) -> None:
    (build / "vault").mkdir()
    (build / "vault" / "Dockerfile").write_text("FROM old")
    make("vault")
    assert "FROM old" not in (build / "vault" / "Dockerfile").read_text()


def test_an_exchanged_context_stays_while_a_plan_may_read_it_and_then_goes(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        make("vault")
    assert len(list((build / "contexts").glob("vault.*"))) == 3
    monkeypatch.setattr(contexts, "KEPT", -1)
    make("vault")
    assert [p.resolve() for p in (build / "contexts").iterdir()] == [(build / "vault").resolve()]


def test_the_same_sources_are_no_change(build: Path) -> None:
    make("vault")
    fresh = contexts.assemble("vault")
    assert contexts.unchanged("vault", fresh, context_digest(fresh))


def test_another_ca_bundle_of_the_host_is_taken_over(
    build: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path_factory.mktemp("ca") / "bundle.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    bundle.write_text("one")
    make("compute")
    bundle.write_text("two")
    fresh = contexts.assemble("compute")
    assert context_digest(fresh) == context_digest((build / "compute").resolve())
    assert not contexts.unchanged("compute", fresh, context_digest(fresh))


def test_a_missing_ca_bundle_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/bundle.pem")
    with pytest.raises(contexts.IncompleteError, match=r"/nowhere/bundle\.pem is missing"):
        contexts.assemble("compute")
