"""Custom data sets: `data: {source: module, module: NAME}` is class `Data` of `benchmark/data/NAME.py`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from pathlib import Path
from typing import cast

import numpy as np

from benchmark.core.config import ModuleData
from benchmark.core.errors import DataError
from benchmark.data.records import Split
from benchmark.data.sources import Source

PACKAGE = "benchmark.data"


def source(config: ModuleData) -> Source:
    """DataError, with the field and the fix, when there is no such module or it cannot be used."""
    name = f"{PACKAGE}.{config.module}"
    try:
        made = importlib.import_module(name).Data(config.options)
    except ModuleNotFoundError as error:
        where = "here" if error.name == name else f"what it imports ({error.name})"
        raise DataError(
            f"data.module: {config.module}: benchmark/data/{config.module}.py: not {where}; "
            "in the stack it is part of the compute image: `make up` after writing it"
        ) from error
    except Exception as error:  # a user's module fails in its own ways
        raise DataError(
            f"data.module: benchmark/data/{config.module}.py: cannot be used: {type(error).__name__}: {error}"
        ) from error
    return cast(Source, made)


def code(config: ModuleData) -> bytes:
    """The module's source: a change of it makes another data set."""
    found = importlib.util.find_spec(f"{PACKAGE}.{config.module}")
    return Path(found.origin).read_bytes() if found and found.origin else b""


def check(config: ModuleData, train: Split, heldout: Split) -> None:
    """DataError with everything that does not fit the declaration, and with any leakage."""
    problems = []
    for name, part in (("train", train), ("heldout", heldout)):
        if set(part.arrays) != {"x", "y"}:
            problems.append(f"{name}: arrays {', '.join(sorted(part.arrays))}: must be x and y")
            continue
        x, y = part.arrays["x"], part.arrays["y"]
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            problems.append(
                f"{name}: x is not finite after normalise: perhaps a constant column was divided by 0"
            )
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[1:] != (config.inputs,):
            problems.append(
                f"{name}: x is {x.dtype} {x.shape}: must be float32 (n, {config.inputs}): data.inputs"
            )
        most = max(2, config.outputs) - 1
        if y.dtype != np.int64 or y.shape != (len(x),):
            problems.append(f"{name}: y is {y.dtype} {y.shape}: must be int64 ({len(x)},)")
        elif not len(y) or y.min() < 0 or y.max() > most:
            problems.append(f"{name}: y: must be classes 0 to {most}, with at least one sample: data.outputs")
        elif name == "train" and y.min() == y.max():
            problems.append(f"{name}: y: has only class {y[0]}: there is nothing to learn")
    if not problems and (shared := len(rows(train) & rows(heldout))):
        problems.append(f"{shared} samples are in both train and heldout: that is leakage")
    if problems:
        raise DataError("\n".join(f"data.module: {config.module}: {problem}" for problem in problems))


def rows(part: Split) -> set[bytes]:
    return {hashlib.sha256(np.ascontiguousarray(row).tobytes()).digest() for row in part.arrays["x"]}
