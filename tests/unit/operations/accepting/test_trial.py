"""How the trial's container is made, and what is made of its output."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound

from components.compute import USER
from operations.accepting import trial
from operations.errors import RefusedError

DOCUMENT: dict[str, Any] = {"gpus": [], "faults": []}


class Container:
    def __init__(self, said: str) -> None:
        self.said = said

    def start(self) -> None: ...

    def wait(self, timeout: float) -> None: ...

    def logs(self, *, stdout: bool, stderr: bool) -> bytes:
        assert stdout is not stderr
        return self.said.encode() if stdout else b"Traceback\nRuntimeError: no CUDA\n"


class Engine:
    """Keeps what a container was made with, and what was removed."""

    def __init__(self, said: str = "", error: Exception | None = None) -> None:
        self.said, self.error = said, error
        self.made: dict[str, Any] = {}
        self.removed: list[str] = []
        self.cdi: list[dict[str, str]] = []
        self.client = SimpleNamespace(containers=SimpleNamespace(create=self._create))

    def _create(self, image: str, command: list[str], **more: Any) -> Container:
        if self.error:
            raise self.error
        self.made = {"image": image, "command": command, **more}
        return Container(self.said)

    def info(self) -> dict[str, Any]:
        return {"DiscoveredDevices": self.cdi}

    def remove(self, resource: Any) -> None:
        self.removed.append(resource.name)


def run(engine: Engine, image: str = "aidc-compute:1") -> tuple[dict[str, Any] | None, str]:
    return trial.run(engine, image, "dev", (0, 1), 60.0)  # type: ignore[arg-type]


def test_the_document_is_the_last_line() -> None:
    assert run(Engine("a warning\n" + json.dumps(DOCUMENT) + "\n")) == (DOCUMENT, "")


def test_the_container_has_the_gpus_no_network_and_no_rights() -> None:
    engine = Engine(json.dumps(DOCUMENT))
    run(engine)
    (request,) = engine.made["device_requests"]
    assert (request["DeviceIDs"], request["Capabilities"]) == (["0", "1"], [["gpu"]])
    assert engine.made["network_mode"] == "none"
    assert engine.made["cap_drop"] == ["ALL"]
    assert engine.made["read_only"] is True
    assert engine.made["user"] == USER


def test_what_is_compiled_there_may_be_executed() -> None:
    engine = Engine(json.dumps(DOCUMENT))
    run(engine)
    cache = engine.made["environment"]["TRITON_CACHE_DIR"]
    (place,) = [path for path in engine.made["tmpfs"] if cache.startswith(f"{path}/")]
    assert "exec" in engine.made["tmpfs"][place].split(",")
    assert "noexec" in engine.made["tmpfs"]["/tmp"].split(",")


def test_an_engine_with_cdi_is_asked_by_its_names() -> None:
    engine = Engine(json.dumps(DOCUMENT))
    engine.cdi = [{"Source": "cdi", "ID": f"nvidia.com/gpu={n}"} for n in (0, 1)]
    run(engine)
    (request,) = engine.made["device_requests"]
    assert (request["Driver"], request["DeviceIDs"]) == ("cdi", ["nvidia.com/gpu=0", "nvidia.com/gpu=1"])
    assert not request["Capabilities"]


@pytest.mark.parametrize("said", ["", "no JSON\n", "[]\n", '{"gpus": []}\n'])
def test_without_a_document_the_last_words_are_the_reason(said: str) -> None:
    assert run(Engine(said)) == (None, "Traceback / RuntimeError: no CUDA")


def test_what_the_engine_refuses_is_the_reason() -> None:
    found, fault = run(Engine(error=APIError("x", explanation="could not select device driver")))
    assert found is None
    assert "could not select device driver" in fault


@pytest.mark.parametrize(("image", "error"), [("", None), ("aidc-compute:1", ImageNotFound("gone"))])
def test_a_missing_image_is_refused_with_the_fix(image: str, error: Exception | None) -> None:
    with pytest.raises(RefusedError, match="fix: run `make"):
        run(Engine(error=error), image)


def test_the_container_is_removed_whatever_happens() -> None:
    engine = Engine(error=APIError("x", explanation="no"))
    run(engine)
    assert engine.removed == ["aidc-dev-accept"] * 2
