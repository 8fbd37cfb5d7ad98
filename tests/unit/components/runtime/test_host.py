"""The engine's own figures count, and GPUs are counted where they are visible."""

from pathlib import Path

import pytest

from components.planning.issues import ConfigError
from components.planning.validation import load
from components.runtime.erasure_set import refusal
from components.runtime.host import facts, misled

INFO = {"NCPU": 3, "MemTotal": 7 * 2**30}


def test_an_engine_that_answers_is_believed(tmp_path: Path) -> None:
    found = facts(INFO, local=True, root=tmp_path)
    assert (found.cpus, found.memory, found.gpus) == (3, 7 * 2**30, 0)


def test_without_an_engine_this_machine_stands_in(tmp_path: Path) -> None:
    found = facts(None, local=True, root=tmp_path)
    assert found.cpus >= 1
    assert found.memory > 2**30


def test_gpus_of_an_engine_elsewhere_are_its_own_list_or_unknown() -> None:
    devices = [{"Source": "cdi", "ID": f"nvidia.com/gpu={n}"} for n in ("0", "1", "all")]
    assert facts({**INFO, "DiscoveredDevices": devices}, local=False).gpus == 2
    assert facts(INFO, local=False).gpus is None


def test_a_gpu_without_a_device_file_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    (tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0").mkdir(parents=True)
    found = facts(INFO, local=True, root=tmp_path)
    with pytest.raises(ConfigError) as caught:
        load({"compute": {"nodes": [{"name": "a", "gpus": [0]}], "head": {"memory": "2GiB"}}}, "dev", found)
    (issue,) = caught.value.issues
    assert "nvidia-smi" in issue.fix


def test_gpus_that_cannot_be_seen_are_not_refused() -> None:
    raw = {"compute": {"nodes": [{"name": "a", "memory": "3GiB", "gpus": [3]}], "head": {"memory": "2GiB"}}}
    load(raw, "dev", facts(INFO, local=False))


UUID = "GPU-01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("told", "known"), [(UUID, (UUID,)), ("GPU-????????-????-????-????-????????????", ()), ("", ())]
)
def test_uuids_are_those_that_the_driver_tells(tmp_path: Path, told: str, known: tuple[str, ...]) -> None:
    folder = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text(f"Model: \t\t NVIDIA H100\nIRQ:   \t\t 16\nGPU UUID: \t {told}\n")
    assert facts(INFO, local=True, root=tmp_path).uuids == known


def test_slices_that_the_engine_lists_are_known_and_not_counted_as_gpus() -> None:
    devices = [{"Source": "cdi", "ID": f"nvidia.com/gpu={n}"} for n in ("0", "1:0", "all")]
    found = facts({**INFO, "DiscoveredDevices": devices}, local=False)
    assert found.gpus == 1
    assert found.cdi == {"nvidia.com/gpu=0", "nvidia.com/gpu=1:0"}


@pytest.mark.parametrize(
    ("before", "asked", "refused"),
    [(None, 4, False), (4, 4, False), (4.0, 4, False), (4, 6, True), (6.0, 4, True)],
)
def test_the_object_stores_size_is_fixed_by_its_first_up(before: object, asked: int, refused: bool) -> None:
    assert (refusal(before, asked) is not None) is refused


def test_settings_that_lead_the_provider_to_another_engine_are_named() -> None:
    def setting(key: str) -> object:
        return {"host": "unix:///run/other.sock", "certPath": "/certs"}.get(key)

    found = misled(setting, {"DOCKER_CONTEXT": "other", "DOCKER_HOST": "unix:///run/docker.sock"})
    assert [issue.path for issue in found] == [
        "config.docker:host",
        "config.docker:certPath",
        "DOCKER_CONTEXT",
    ]
    assert misled(lambda _: None, {"DOCKER_HOST": "unix:///run/docker.sock"}) == []
