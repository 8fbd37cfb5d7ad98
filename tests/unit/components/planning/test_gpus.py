"""GPUs by index, UUID and MIG slice: which are the same, which are not there, how they are given."""

from __future__ import annotations

from typing import Any

import pytest

from components.planning.config import HostFacts, StackConfig
from components.planning.gpus import ONE_CDI, Request, request
from components.planning.issues import ConfigError, Issue
from components.planning.validation import load

FIRST, SECOND = (f"GPU-{n * 8}-0000-0000-0000-000000000000" for n in "12")
SLICE, OTHER_SLICE = (f"MIG-{n * 8}-0000-0000-0000-000000000000" for n in "34")
TWO = HostFacts(cpus=8, memory=64 * 2**30, gpus=2, uuids=(FIRST, SECOND))


def config(*nodes: list[Any]) -> dict[str, Any]:
    return {"compute": {"nodes": [{"name": f"n{i}", "gpus": gpus} for i, gpus in enumerate(nodes)]}}


def accept(*nodes: list[Any], host: HostFacts | None = TWO) -> StackConfig:
    return load(config(*nodes), "dev", host)


def refuse(*nodes: list[Any], host: HostFacts | None = TWO) -> list[Issue]:
    with pytest.raises(ConfigError) as caught:
        load(config(*nodes), "dev", host)
    return caught.value.issues


@pytest.mark.parametrize("gpu", [0, 1, FIRST, "0:1", "1:0", SLICE])
def test_a_gpu_is_named_as_nvidia_smi_lists_it(gpu: int | str) -> None:
    assert accept([gpu]).compute.nodes[0].gpus == (gpu,)


@pytest.mark.parametrize("gpu", [-1, True, 1.0, "0", "all", "GPU-1", "0:1:0", "01:0", f"{FIRST} ", None])
def test_another_name_is_refused_with_the_forms_that_there_are(gpu: object) -> None:
    (issue,) = refuse([gpu])
    assert issue.path == "aidc:datacenter.compute.nodes[0].gpus[0]"
    assert "nvidia-smi -L" in issue.fix


@pytest.mark.parametrize("pair", [(0, 0), (FIRST, FIRST), (SLICE, SLICE), ("0:1", "0:1"), (1, SECOND)])
def test_a_gpu_belongs_to_one_node_however_it_is_named(pair: tuple[Any, Any]) -> None:
    paths = [issue.path for issue in refuse([pair[0]], [pair[1]])]
    assert paths == ["aidc:datacenter.compute.nodes[0].gpus", "aidc:datacenter.compute.nodes[1].gpus"]


def test_a_uuid_is_only_known_as_an_index_where_the_host_tells() -> None:
    accept([1], [SECOND], host=None)


def test_a_gpu_is_not_assigned_beside_its_own_slice() -> None:
    (issue,) = refuse([0], ["0:1"])
    assert "a part of it" in issue.fault
    accept([1], ["0:1"])


@pytest.mark.parametrize("gpus", [["0:0", "0:1"], ["0:0", 1], [SLICE, OTHER_SLICE]])
def test_a_slice_is_the_only_gpu_of_its_node(gpus: list[Any]) -> None:
    assert any("a node of its own" in issue.fix for issue in refuse(gpus))


@pytest.mark.parametrize("gpu", [2, "2:0"])
def test_an_index_that_the_host_does_not_have_is_refused(gpu: int | str) -> None:
    (issue,) = refuse([gpu])
    assert "below 2" in issue.fix


def test_a_uuid_that_the_host_does_not_have_is_refused_with_those_that_it_has() -> None:
    (issue,) = refuse([FIRST.replace("1", "9")])
    assert FIRST in issue.fix
    assert SECOND in issue.fix


def test_a_slice_that_the_engine_does_not_list_is_refused_with_those_that_it_lists() -> None:
    host = HostFacts(8, 64 * 2**30, 2, cdi=frozenset({"nvidia.com/gpu=0", "nvidia.com/gpu=0:0"}))
    (issue,) = refuse(["0:1"], host=host)
    assert issue.fix == "choose one of 0:0"
    accept(["0:0"], host=host)


@pytest.mark.parametrize("gpu", [0, FIRST, SLICE, "0:0"])
def test_without_a_gpu_every_name_is_refused(gpu: int | str) -> None:
    (issue,) = refuse([gpu], host=HostFacts(8, 64 * 2**30, 0))
    assert "leave gpus empty" in issue.fix


@pytest.mark.parametrize(
    ("gpus", "listed", "expected"),
    [
        ([0, 1], [], Request("nvidia", ["0", "1"], ["gpu"])),
        ([0, 1], ["nvidia.com/gpu=0"], Request("nvidia", ["0", "1"], ["gpu"])),
        ([0], ["nvidia.com/gpu=0"], Request("cdi", ["nvidia.com/gpu=0"], [])),
        ([SLICE], [f"nvidia.com/gpu={SLICE}"], Request("cdi", [f"nvidia.com/gpu={SLICE}"], [])),
        (["0:1"], ["nvidia.com/gpu=0"], Request("nvidia", ["0:1"], ["gpu"])),
    ],
)
def test_cdi_is_used_where_the_engine_lists_every_gpu(
    gpus: list[Any], listed: list[str], expected: Request
) -> None:
    assert request(gpus, listed) == expected


@pytest.mark.parametrize("name", ["nvidia.com/gpu=all", "vendor.com/gpu=0", "nvidia.com/gpu=0,1", "0"])
def test_no_other_device_passes_for_one_gpu(name: str) -> None:
    assert ONE_CDI.fullmatch(name) is None
