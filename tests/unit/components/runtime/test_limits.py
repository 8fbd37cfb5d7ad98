"""The limit on processes: set through the engine, read back, and set again when it is gone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import docker
import pytest

from components.runtime.limits import _LimitProvider

PROPS: dict[str, Any] = {"container": "aidc-test-vault", "identifier": "0a1b", "processes": 512}


class _Api:
    """An engine with one container; `keeps` is whether its kernel counts processes."""

    base_url, api_version, timeout = "http+docker://localhost", "1.41", 60

    def __init__(self, *, keeps: bool = True, ok: bool = True) -> None:
        self.limits: dict[str, int | None] = {"aidc-test-vault": None}
        self.asked: list[tuple[str, dict[str, int]]] = []
        self.keeps, self.ok = keeps, ok

    def inspect_container(self, name: str) -> dict[str, Any]:
        if name not in self.limits:
            raise docker.errors.NotFound("no such container")
        return {"HostConfig": {"PidsLimit": self.limits[name]}}

    def post(self, address: str, json: dict[str, int], timeout: int) -> Any:
        self.asked.append((address, json))
        if self.ok and self.keeps:
            self.limits["aidc-test-vault"] = json["PidsLimit"]
        return SimpleNamespace(ok=self.ok, text="no such container\n")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> _Api:
    api = _Api()
    monkeypatch.setattr("docker.from_env", lambda: SimpleNamespace(api=api))
    return api


def test_a_new_container_gets_its_limit(engine: _Api) -> None:
    made = _LimitProvider().create(PROPS | {"__provider": "x"})
    assert engine.limits == {"aidc-test-vault": 512}
    assert made.outs == PROPS
    assert engine.asked == [
        ("http+docker://localhost/v1.41/containers/aidc-test-vault/update", {"PidsLimit": 512})
    ]


def test_what_is_as_it_should_be_is_no_change(engine: _Api) -> None:
    provider = _LimitProvider()
    provider.create(PROPS)
    read = provider.read("limit", PROPS)
    assert read.outs is not None
    assert provider.diff("limit", read.outs, PROPS).changes is False


@pytest.mark.parametrize("lost", [None, 0, -1, 4096])
def test_a_limit_that_was_taken_away_or_changed_is_a_change(lost: int | None, engine: _Api) -> None:
    provider = _LimitProvider()
    engine.limits["aidc-test-vault"] = lost
    read = provider.read("limit", PROPS)
    assert read.outs is not None
    assert provider.diff("limit", read.outs, PROPS).changes is True
    provider.update("limit", read.outs, PROPS)
    assert engine.limits == {"aidc-test-vault": 512}


@pytest.mark.parametrize(("key", "value"), [("identifier", "2c3d"), ("processes", 1024)])
def test_a_new_container_and_a_new_limit_are_a_change(key: str, value: object) -> None:
    assert _LimitProvider().diff("limit", PROPS, PROPS | {key: value}).changes is True


def test_a_container_that_is_gone_has_no_limit(engine: _Api) -> None:
    engine.limits.clear()
    read = _LimitProvider().read("limit", PROPS)
    assert read.outs is not None
    assert read.outs["processes"] == 0


def test_an_engine_that_refuses_fails_the_update(engine: _Api) -> None:
    engine.ok = False
    with pytest.raises(RuntimeError, match=r"aidc-test-vault: the engine refuses.*: no such container"):
        _LimitProvider().create(PROPS)


def test_an_engine_that_only_warns_fails_the_update(engine: _Api) -> None:
    engine.keeps = False
    with pytest.raises(RuntimeError, match="ignores the limit on its processes"):
        _LimitProvider().create(PROPS)
