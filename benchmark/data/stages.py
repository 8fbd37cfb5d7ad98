"""The stages that every data set goes through: collect, clean, normalise, split, augment.

Each data source implements the five as pure functions. Augmentation comes after the split
and touches the training part only: an augmented copy of a held-out sample in the training
part would be leakage.
"""

# ruff: noqa: PLC0415  (sources are imported where they are needed)
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchmark.core.config import DataConfig, DigitsData, GaussianData, ModuleData, SourceCodeData, digest
from benchmark.core.errors import BenchmarkError, DataError
from benchmark.data import custom, sources
from benchmark.data.records import Records, Split

T = TypeVar("T")


@dataclass
class Pipeline:
    """What ran: the two parts, one row a stage, and where the data came from."""

    train: Split
    heldout: Split
    stages: list[dict[str, Any]] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)


def run(config: DataConfig, frozen: bool = True) -> Pipeline:
    """Run all stages. `frozen=False` lets source code differ from its frozen list of files."""
    source = _source(config, frozen)
    rows: list[dict[str, Any]] = []

    def stage(name: str, function: Callable[[], Any], describe: Callable[[Any], dict[str, Any]]) -> Any:
        start = time.perf_counter()
        result = guarded(config, name, function)
        rows.append({"stage": name, "seconds": round(time.perf_counter() - start, 4), **describe(result)})
        return result

    records: Records = stage("collect", source.collect, _count)
    records = stage("clean", lambda: source.clean(records), _count)
    records = stage("normalise", lambda: source.normalise(records), _count)
    parts = stage("split", lambda: source.split(records), _count_parts)
    parts = stage("augment", lambda: (source.augment(parts[0]), parts[1]), _count_parts)
    if isinstance(config, ModuleData):
        custom.check(config, *parts)
    return Pipeline(parts[0], parts[1], rows, guarded(config, "provenance", source.provenance))


def guarded(config: DataConfig, name: str, function: Callable[[], T]) -> T:
    """What a stage returns; DataError for whatever data, and modules that users add, fail with."""
    try:
        return function()
    except BenchmarkError:
        raise
    except Exception as error:
        raise DataError(
            f"data.source {config.source}: stage {name}: {type(error).__name__}: {error}"
        ) from error


def _source(config: DataConfig, frozen: bool) -> sources.Source:
    if isinstance(config, GaussianData):
        return sources.Gaussians(config)
    if isinstance(config, DigitsData):
        return sources.Digits(config)
    if isinstance(config, ModuleData):
        return custom.source(config)
    assert isinstance(config, SourceCodeData)
    from benchmark.data.stdlib import SourceCode

    return SourceCode(config, frozen)


def _count(records: Records) -> dict[str, Any]:
    return {"records": len(records), "bytes": records.size(), "sha256": records.digest()}


def _count_parts(parts: tuple[Split, Split]) -> dict[str, Any]:
    train, heldout = parts
    return {
        "records": len(train) + len(heldout),
        "bytes": train.size() + heldout.size(),
        "sha256": digest([train.digest(), heldout.digest()]),
    }
