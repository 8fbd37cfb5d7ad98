"""The trial of GPUs, on this machine's processor: the same work in as many processes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmark.telemetry import gpu_trial, gpu_work


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return gpu_trial.together(2, 0.1, processors=2)


def test_every_rank_reports(found: dict[str, Any]) -> None:
    assert [gpu["index"] for gpu in found["gpus"]] == [0, 1]
    assert found["faults"] == []


def test_products_are_correct_and_timed(found: dict[str, Any]) -> None:
    for gpu in found["gpus"]:
        assert gpu["product"]["correct"]
        assert gpu["product"]["tflop_s"] > 0


def test_training_learns(found: dict[str, Any]) -> None:
    for gpu in found["gpus"]:
        assert gpu["training"]["finite"]
        assert gpu["training"]["last_loss"] < gpu["training"]["first_loss"]


def test_every_rank_gets_the_sum(found: dict[str, Any]) -> None:
    assert all(gpu["all_reduce"]["correct"] for gpu in found["gpus"])


def test_what_a_processor_does_not_have_is_null(found: dict[str, Any]) -> None:
    assert {gpu["training"]["power_w"] for gpu in found["gpus"]} == {None}


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_rank_that_dies_is_named() -> None:
    found = gpu_trial.together(1, 0.0, processors=0)
    assert found["gpus"] == []
    assert found["faults"][0].startswith("GPU 0: ")


@pytest.mark.parametrize(
    ("bits", "names"), [(0x04, []), (0x68, ["hardware slowdown", "too hot", "too hot (hardware)"])]
)
def test_only_what_a_person_can_mend_counts_as_held_back(bits: int, names: list[str]) -> None:
    assert gpu_work.reasons(bits) == names
