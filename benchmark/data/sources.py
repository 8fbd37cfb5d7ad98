"""Tabular sources: the Gaussian mixture, the digits, and what a table of one's own starts from."""

# ruff: noqa: PLC0415  (scikit-learn is imported where it is needed)
from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from benchmark.core.config import DigitsData, GaussianData
from benchmark.data.records import Array, Records, Split

Floats = NDArray[np.float32]


class Source(Protocol):
    def collect(self) -> Records: ...
    def clean(self, records: Records) -> Records: ...
    def normalise(self, records: Records) -> Records: ...
    def split(self, records: Records) -> tuple[Split, Split]: ...
    def augment(self, train: Split) -> Split: ...
    def provenance(self) -> dict[str, Any]: ...


class Gaussians:
    """(±2, ±2) with unit variance, then `noise` standard normal dimensions."""

    def __init__(self, config: GaussianData) -> None:
        self.config = config

    def collect(self) -> Records:
        rng = np.random.Generator(np.random.PCG64(self.config.seed))
        count = self.config.train + self.config.heldout
        signs = rng.integers(0, 2, size=(count, 2)) * 2 - 1
        x = rng.standard_normal((count, 2 + self.config.noise), dtype=np.float32)
        x[:, :2] += 2 * signs
        y = (signs[:, 0] * signs[:, 1] > 0).astype(np.int64)
        return Records({"x": x, "y": y})

    def clean(self, records: Records) -> Records:
        return finite(records)

    def normalise(self, records: Records) -> Records:
        # By the known second moment of the mixture, so that nothing is fitted to held-out data.
        x = cast(Floats, records.arrays["x"]).copy()
        x[:, :2] /= np.float32(5**0.5)
        return Records({**records.arrays, "x": x})

    def split(self, records: Records) -> tuple[Split, Split]:
        count = self.config.train  # samples are independent: the first ones are as good as any
        return take(records, slice(0, count)), take(records, slice(count, None))

    def augment(self, train: Split) -> Split:
        return train

    def provenance(self) -> dict[str, Any]:
        return {"numpy": np.__version__, "generator": f"PCG64({self.config.seed})"}


class Digits:
    """scikit-learn's digits: pixels 0..16 of 8x8 images."""

    def __init__(self, config: DigitsData) -> None:
        self.config = config

    def collect(self) -> Records:
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        return Records({"x": x.astype(np.float32), "y": y.astype(np.int64)})

    def clean(self, records: Records) -> Records:
        return distinct(records)

    def normalise(self, records: Records) -> Records:
        return Records({**records.arrays, "x": cast(Floats, records.arrays["x"]) / np.float32(16)})

    def split(self, records: Records) -> tuple[Split, Split]:
        return stratified(records, self.config.heldout, self.config.seed)

    def augment(self, train: Split) -> Split:
        """Add each image shifted by up to `augment_shift` pixels along one axis."""
        images = cast(Floats, train.arrays["x"]).reshape(-1, 8, 8)
        copies = [images]
        for distance in range(1, self.config.augment_shift + 1):
            for axis in (1, 2):
                copies.extend(shift(images, axis, step) for step in (-distance, distance))
        x = np.concatenate(copies).reshape(-1, 64)
        return Split({"x": x, "y": np.tile(train.arrays["y"], len(copies))})

    def provenance(self) -> dict[str, Any]:
        import sklearn

        return {"scikit-learn": sklearn.__version__, "python": platform.python_version()}


class Table:
    """A table of samples: what most need. A source of one's own has `collect`, and overrides what differs.

    `options` are `data.options` of the workload's file; `heldout` (samples, default a fifth of them)
    and `seed` are those of `split`.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options

    def collect(self) -> Records:
        """`x` (n, inputs) float32, `y` (n,) int64: the class, from 0."""
        raise NotImplementedError

    def clean(self, records: Records) -> Records:
        return distinct(finite(records))

    def normalise(self, records: Records) -> Records:
        """Comes before the split: take known scales, since fitted ones would know the held-out part."""
        return records

    def split(self, records: Records) -> tuple[Split, Split]:
        heldout = int(self.options.get("heldout", len(records) // 5))
        return stratified(records, heldout, int(self.options.get("seed", 0)))

    def augment(self, train: Split) -> Split:
        return train

    def provenance(self) -> dict[str, Any]:
        return {"numpy": np.__version__}


def finite(records: Records) -> Records:
    """Without the samples that have a feature which is not a finite number."""
    mask: Array = np.asarray(np.isfinite(cast(Floats, records.arrays["x"])).all(axis=1))
    return keep(records, mask)


def distinct(records: Records) -> Records:
    """The first of each sample: a copy on the other side of the split would be leakage."""
    _, first = np.unique(records.arrays["x"], axis=0, return_index=True)
    mask = np.zeros(len(records), dtype=bool)
    mask[first] = True
    return keep(records, mask)


def stratified(records: Records, heldout: int, seed: int) -> tuple[Split, Split]:
    """`heldout` random samples apart, each class in proportion."""
    from sklearn.model_selection import train_test_split

    parts = train_test_split(
        np.arange(len(records)), test_size=heldout, stratify=records.arrays["y"], random_state=seed
    )
    return take(records, parts[0]), take(records, parts[1])


def shift(images: Floats, axis: int, distance: int) -> Floats:
    """Move (n, 8, 8) images by `distance` pixels, zeros come in."""
    moved = np.roll(images, distance, axis=axis)
    edge: list[slice] = [slice(None)] * 3
    edge[axis] = slice(0, distance) if distance > 0 else slice(distance, None)
    moved[tuple(edge)] = 0
    return moved


def keep(records: Records, mask: Array) -> Records:
    return Records({name: array[mask] for name, array in records.arrays.items()})


def take(records: Records, index: Any) -> Split:
    return Split({name: np.ascontiguousarray(array[index]) for name, array in records.arrays.items()})
