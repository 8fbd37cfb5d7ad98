"""`aidc delete`: what it asks, what it refuses, and what it says of the rest."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.cluster import stack as running
from benchmark.core.store import DirectoryStore
from benchmark.jobs.discard import discard
from components.planning.buckets import DEFAULTS
from operations.commands import delete
from operations.errors import RefusedError

BUCKETS = [{"name": name, **bucket} for name, bucket in DEFAULTS.items()]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "neither is named"),
        ({"job": "a", "model": "b"}, "both are named"),
        ({"job": "a", "version": "1"}, "VERSION: is that of a model"),
    ],
)
def test_what_is_meant_has_to_be_clear(given: dict[str, str], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        delete.main("dev", **given, yes=True)


class Ray:
    """Knows one job, and runs what it is given at once."""

    def __init__(self, store: DirectoryStore, status: str) -> None:
        self.store, self.status = store, status

    def jobs(self) -> list[dict[str, Any]]:
        return [{"submission_id": "demo", "metadata": {"aidc_name": "demo"}, "status": self.status}]

    def submit(self, entrypoint: str, _identifier: str) -> None:
        discard(self.store, shlex.split(entrypoint)[-1])

    def follow(self, _identifier: str, _on_line: Callable[[str], None], _timeout: float) -> str:
        return "SUCCEEDED"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryStore:
    """That of a stack with one job, which has ended."""
    found = DirectoryStore(tmp_path)
    ray = Ray(found, "SUCCEEDED")
    stack = SimpleNamespace(ray=lambda: ray, store=lambda: found, inventory={"buckets": BUCKETS})
    monkeypatch.setattr(running, "read", lambda _name: stack)
    found.put("checkpoints/jobs/demo/last.pt", b"x")
    return found


def test_nothing_is_deleted_before_somebody_confirms_it(store: DirectoryStore) -> None:
    with pytest.raises(RefusedError, match="not confirmed"):
        delete.main("dev", job="demo")
    assert store.list("checkpoints/") == ["checkpoints/jobs/demo/last.pt"]


def test_another_name_than_the_jobs_is_no_confirmation(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _question: "yes")
    with pytest.raises(RefusedError, match="not confirmed; nothing was deleted"):
        delete.main("dev", job="demo")
    assert store.list("checkpoints/")


def test_what_was_deleted_is_said(store: DirectoryStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert delete.main("dev", job="demo", yes=True) == 0
    assert store.list("checkpoints/") == []
    assert "job demo: 1 object deleted; 1 KiB of the bucket checkpoints are free" in capsys.readouterr().out
    assert delete.main("dev", job="demo", yes=True) == 0
    assert "job demo has no checkpoints; nothing was deleted" in capsys.readouterr().out


def test_what_stays_of_a_model_is_said_with_who_could_delete_it() -> None:
    left = {"models/slope/own/1/": 2 << 20}
    nobody = delete.remains(left, {"buckets": BUCKETS})
    assert nobody[1].endswith("s3://models/slope/own/1/ (2 MiB), where nobody may delete")
    some = delete.remains(left, {"buckets": [{"name": "models", "delete": ["client"]}]})
    assert some[1].endswith("which client may delete")
    assert len(delete.remains({}, {"buckets": BUCKETS})) == 1
