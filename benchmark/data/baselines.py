"""What the models have to beat, computed on the very data they are trained on.

Each baseline is `{"name", "value", "note"}` in the metric of the workload. They are computed
once, when the data are prepared, and kept in the manifest.
"""

# ruff: noqa: PLC0415  (scikit-learn is imported where it is needed)
from __future__ import annotations

import bz2
import lzma
import math
import zlib
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmark.core.config import DataConfig, DigitsData, GaussianData, ModuleData
from benchmark.data.records import Split

FIT_ROWS = 20_000
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]


def compute(config: DataConfig, train: Split, heldout: Split) -> list[dict[str, Any]]:
    if isinstance(config, GaussianData):
        linear = _classifier("logistic", train, heldout)
        rows = [("majority", majority(train, heldout), "always the commoner class"),
                ("linear", linear, f"logistic regression on {FIT_ROWS} samples"),
                ("Bayes limit", bayes_accuracy(), "Φ(2)² + (1 − Φ(2))², the best possible")]  # fmt: skip
    elif isinstance(config, DigitsData | ModuleData):
        commonest = "digit" if isinstance(config, DigitsData) else "class"
        rows = [
            ("majority", majority(train, heldout), f"always the commonest {commonest}"),
            ("logistic regression", _classifier("logistic", train, heldout), "scikit-learn"),
            ("1-nearest neighbour", _classifier("neighbour", train, heldout), "scikit-learn"),
        ]
        if isinstance(config, DigitsData):
            rows.append(("RBF support vectors", _classifier("svm", train, heldout), "scikit-learn"))
    else:
        known, unseen = cast(Bytes, train.arrays["bytes"]), cast(Bytes, heldout.arrays["bytes"])
        rows = [(f"order-{k}", order_bits(known, unseen, k), f"{k} byte(s) of context, Witten-Bell smoothing")
                for k in (1, 2, 3)]  # fmt: skip
        rows += [
            (name, bits, "compresses the held-out part by itself") for name, bits in compressor_bits(unseen)
        ]
    return [{"name": name, "value": round(value, 5), "note": note} for name, value, note in rows]


def bayes_accuracy() -> float:
    """A point is judged by the signs of two coordinates, each right with probability Φ(2)."""
    phi = 0.5 * (1 + math.erf(2 / math.sqrt(2)))
    return phi**2 + (1 - phi) ** 2


def majority(train: Split, heldout: Split) -> float:
    commonest = np.bincount(cast(Ints, train.arrays["y"])).argmax()
    return float((heldout.arrays["y"] == commonest).mean())


def _classifier(kind: str, train: Split, heldout: Split) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    makers: dict[str, Any] = {
        "logistic": lambda: LogisticRegression(max_iter=1000),
        "neighbour": lambda: KNeighborsClassifier(1),
        "svm": lambda: SVC(gamma="scale", C=10),
    }
    model = makers[kind]()
    model.fit(train.arrays["x"][:FIT_ROWS], train.arrays["y"][:FIT_ROWS])
    return float(model.score(heldout.arrays["x"], heldout.arrays["y"]))


def order_bits(train: Bytes, heldout: Bytes, order: int) -> float:
    """Bits per byte of a model that sees `order` bytes of context.

    Witten-Bell: P_k(c|context) = (n(context, c) + d·P_{k-1}(c)) / (n(context) + d), with d the
    number of different bytes seen after the context; P_{-1} is uniform.
    """
    probability = np.full(len(heldout) - order, 1 / 256)
    for k in range(order + 1):
        known, asked = _contexts(train, k, 0), _contexts(heldout, k, order)
        pairs, pair_count = np.unique(known, return_counts=True)
        contexts, first, distinct = np.unique(pairs >> 8, return_index=True, return_counts=True)
        context_count = np.add.reduceat(pair_count, first)
        n_pair = _look_up(pairs, pair_count, asked)
        n_context = _look_up(contexts, context_count, asked >> 8)
        d = _look_up(contexts, distinct, asked >> 8)
        with np.errstate(invalid="ignore"):
            mixed = (n_pair + d * probability) / (n_context + d)
        probability = np.where(n_context > 0, mixed, probability)
    return float(-np.log2(probability).mean())


def _contexts(data: Bytes, order: int, start: int) -> Ints:
    """Each byte from position max(order, start) on, with its `order` predecessors, as one integer."""
    begin = max(order, start)
    code = np.zeros(len(data) - begin, dtype=np.int64)
    for back in range(order, -1, -1):
        code = (code << 8) | data[begin - back : len(data) - back]
    return code


def _look_up(keys: Ints, values: Ints, asked: Ints) -> Ints:
    index = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[index] == asked, values[index], 0)


def compressor_bits(heldout: Bytes) -> list[tuple[str, float]]:
    data = heldout.tobytes()
    sizes = {
        "gzip-9": len(zlib.compress(data, 9)),
        "bzip2-9": len(bz2.compress(data, 9)),
        "xz-9e": len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)),
    }
    return [(name, 8 * size / len(data)) for name, size in sizes.items()]
