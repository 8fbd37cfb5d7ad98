"""Each fault of a GPU fails its own check, names the GPU, and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from operations.accepting import judge
from operations.accepting.host import Gpu, Host
from operations.accepting.judge import Row

RUNTIME = Row("runtime", "pass", "present")
GPUS = tuple(Gpu(i, f"GPU-{i}", "H100", 81559) for i in range(4))
HOST = Host(4, "580.95.05", GPUS)


def gpu(index: int) -> dict[str, Any]:
    return {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": "H100",
        "product": {"tflop_s": 700.0, "error": 0.002, "correct": True},
        "compiled": {"correct": True, "seconds": 9.4, "fault": ""},
        "training": {
            "steps": 900, "first_loss": 4.5, "last_loss": 0.1, "finite": True,
            "middle_ms": 6.0, "last_ms": 6.1,
            "power_w": 420.0, "limit_w": 700.0, "temperature_c": 61, "throttled": [], "memory_errors": 0,
        },
        "all_reduce": {"correct": True, "bus_gb_s": 340.0},
    }  # fmt: skip


def said() -> dict[str, Any]:
    return {"torch": "2.13", "cuda": "13.0", "gpus": [gpu(i) for i in range(4)], "faults": []}


def test_a_machine_in_order_passes_every_check() -> None:
    rows = judge.of_host(HOST, RUNTIME) + judge.of_trial(HOST, said())
    assert {row.verdict for row in rows} == {"pass"}
    assert [row.check for row in rows] == [
        *(
            "driver",
            "gpus",
            "runtime",
            "inside",
            "matrix-product",
            "compiling",
            "all-reduce",
            "training",
            "power",
            "memory",
        ),
    ]


@pytest.mark.parametrize(
    ("found", "check"),
    [
        (Host(1, "", (), "there is no nvidia-smi"), "driver"),
        (Host(1, "580.95.05", (), "nvidia-smi: No devices were found"), "gpus"),
        (Host(5, "580.95.05", GPUS), "all-present"),
    ],
)
def test_what_the_host_lacks_fails_with_the_next_step(found: Host, check: str) -> None:
    row = next(row for row in judge.of_host(found, RUNTIME) if row.check == check)
    assert row.verdict == "fail"
    assert row.fix


def wrong(part: str, key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["gpus"][2][part].update({key: value})


@pytest.mark.parametrize(
    ("damage", "check", "text"),
    [
        (wrong("product", "correct", False), "matrix-product 2", "wrong result"),
        (wrong("product", "tflop_s", 590.0), "matrix-product 2", "590 TFLOP/s; its peers 700"),
        (wrong("compiled", "correct", False), "compiling 2", "computes something else"),
        (
            lambda said: said["gpus"][2].update(
                compiled={"correct": False, "seconds": None, "fault": "no cc"}
            ),
            "compiling 2",
            "no cc",
        ),
        (wrong("all_reduce", "correct", False), "all-reduce 2", "not the sum"),
        (wrong("training", "finite", False), "training 2", "not a number"),
        (wrong("training", "last_loss", 4.5), "training 2", "learnt nothing"),
        (wrong("training", "last_ms", 6.7), "training 2", "6.0 ms a step, then 6.7 ms"),
        (wrong("training", "throttled", ["too hot"]), "power 2", "too hot, at 61 °C"),
        (wrong("training", "memory_errors", 3), "memory 2", "3 memory errors"),
    ],
)
def test_a_fault_of_one_gpu_fails_one_check_and_names_it(
    damage: Callable[[dict[str, Any]], None], check: str, text: str
) -> None:
    document = said()
    damage(document)
    failed = [row for row in judge.of_trial(HOST, document) if row.verdict == "fail"]
    assert [row.check for row in failed] == [check]
    assert text in failed[0].found
    assert failed[0].fix


def test_a_gpu_that_is_not_in_the_container_is_named() -> None:
    document = said()
    del document["gpus"][3]
    failed = [row for row in judge.of_trial(HOST, document) if row.verdict == "fail"]
    assert [(row.check, row.found) for row in failed] == [("inside", "not in the container: GPU-3")]


def test_a_process_that_died_fails_the_container() -> None:
    document = said() | {"faults": ["GPU 1: CUDA error: uncorrectable ECC error"]}
    assert Row("container", "fail", document["faults"][0], judge.RESET) in judge.of_trial(HOST, document)


def test_without_a_document_the_reason_is_given() -> None:
    rows = judge.of_trial(HOST, None, "could not select device driver")
    assert [(row.verdict, row.found) for row in rows] == [("fail", "could not select device driver")]


def test_another_model_of_gpu_is_no_slow_peer() -> None:
    document = said()
    document["gpus"][2] = deepcopy(document["gpus"][2]) | {"name": "L4"}
    document["gpus"][2]["product"]["tflop_s"] = 60.0
    assert not judge.failed(judge.of_trial(HOST, document))


def test_one_gpu_skips_the_all_reduce_and_fails_nothing() -> None:
    one = Host(1, "580.95.05", GPUS[:1])
    document = said() | {"gpus": [gpu(0) | {"all_reduce": None}]}
    rows = judge.of_trial(one, document)
    assert [row.check for row in rows if row.verdict == "skipped"] == ["all-reduce"]
    assert not judge.failed(rows)


def test_readings_that_a_driver_does_not_give_are_skipped() -> None:
    document = said()
    for one in document["gpus"]:
        one["training"] |= {"power_w": None, "throttled": None, "memory_errors": None, "temperature_c": None}
    rows = judge.of_trial(HOST, document)
    assert [row.check for row in rows if row.verdict == "skipped"] == ["power"]
    assert not judge.failed(rows)
