"""Numbers as the report writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmark.analysis.disturbance import busy


def others(load: dict[str, Any] | None) -> str:
    """Share of the processors that other programs took."""
    share = (load or {}).get("others_share")
    return "–" if share is None else f"{100 * share:.0f} %" + (", busy" if busy(load) else "")


def energy(joules: float, per: str) -> str:
    for factor, unit in ((1, "J"), (1e3, "mJ"), (1e6, "µJ")):
        if joules * factor >= 1:
            return f"{joules * factor:.3g} {unit}/{per}"
    return f"{joules * 1e6:.3g} µJ/{per}"


def quality(value: float, metric: str, unit: bool = False) -> str:
    return f"{100 * value:.2f} %" if metric == "accuracy" else f"{value:.3f}{' bits/byte' if unit else ''}"


def or_dash(value: Any, show: Callable[[Any], str]) -> str:
    return "–" if value is None else show(value)


def milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 10 else f"{value:.2f} ms"


def count(value: float) -> str:
    """1 234 567 with thin spaces."""
    return f"{value:,.0f}".replace(",", "\u202f")


def size(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError("unreachable")
