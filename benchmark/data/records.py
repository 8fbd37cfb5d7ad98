"""What flows between the stages: named records, then two parts of arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Records:
    """Samples before the split: `arrays` share their first axis; files use `names` and `contents`."""

    arrays: dict[str, Array]
    names: tuple[str, ...] = ()
    contents: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        return len(self.contents) if self.contents else len(next(iter(self.arrays.values()), ()))

    def size(self) -> int:
        return sum(map(len, self.contents)) + sum(a.nbytes for a in self.arrays.values())

    def digest(self) -> str:
        sha = hashlib.sha256()
        for name, content in zip(self.names, self.contents, strict=True):
            sha.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        for name, array in sorted(self.arrays.items()):
            sha.update(name.encode() + b"\0" + np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()


@dataclass(frozen=True)
class Split:
    """One part, ready to train on: `x` (n, features) float32 and `y` (n,) int64, or `bytes` (n,) uint8."""

    arrays: dict[str, Array]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def size(self) -> int:
        return sum(a.nbytes for a in self.arrays.values())

    def digest(self) -> str:
        return Records(self.arrays).digest()
