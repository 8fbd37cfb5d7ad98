"""Binary units of memory and disk, and numbers in the spelling of the YAML and of the provider. Pure."""

from __future__ import annotations

import re

UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
MIB, GIB, TIB = UNITS["MiB"], UNITS["GiB"], UNITS["TiB"]


def parse_size(value: object) -> int:
    """`"3GiB"` → bytes. Raises ValueError for anything that is not a whole number and a binary unit."""
    match = re.fullmatch(r"([0-9]{1,9}) ?([KMGT]iB)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r:.60} is not a valid size")
    return int(match[1]) * UNITS[match[2]]


def size_text(size: int) -> str:
    """Bytes as the YAML writes them, in the largest unit that divides them."""
    unit = max((u for u in UNITS if size % UNITS[u] == 0), key=lambda u: UNITS[u])
    return f"{size // UNITS[unit]}{unit}"


def cpus_text(cpus: float) -> str:
    """The number as the provider reads it back from the engine; any other spelling would always differ."""
    exact = f"{cpus:.9f}"
    if exact.count("0") == 9:
        return f"{cpus:.1f}"
    return exact.rstrip("0")
