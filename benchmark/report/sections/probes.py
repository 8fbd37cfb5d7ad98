"""The section on the machine by itself: what the probes measured."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from benchmark.report.plots import Chart, Level, Series, line_chart
from benchmark.report.text import milliseconds, size

Result = dict[str, Any]
DIRECTIONS = {"put": 4, "get": 1}  # a style for each, the same in every drawing


def section(result: Result) -> dict[str, Any] | None:
    data = result["probes"]
    if not data:
        return None
    charts: list[dict[str, Any]] = []
    if data["all_reduce"]:
        series = [
            Series(
                [(r["bytes"], r["busbw_gb_s"]) for r in data["all_reduce"]], "bus bandwidth", 3, marks=True
            )
        ]
        chart = Chart("All-reduce bandwidth", "bytes", "GB/s", series, log_x=True)
        caption = f"All-reduce over {data['world_size']} ranks: bus bandwidth by message size."
        charts.append({"svg": Markup(line_chart(chart)), "legend": [], "caption": caption})
    rows = data["object_store"]
    by_size = [
        Series([(r["bytes"], r[f"{k}_mb_s"]) for r in rows], k.upper(), style, marks=True)
        for k, style in DIRECTIONS.items()
    ]
    chart = Chart("Object store bandwidth", "bytes", "MB/s", by_size, log_x=True)
    charts.append({"svg": Markup(line_chart(chart)), "caption": "Object store, one client, by object size.",
                   "legend": [(s.label, s.style) for s in by_size]})  # fmt: skip
    sustained = data.get("object_store_load")
    if sustained and any(part["segments_mb_s"] for part in sustained.values()):
        charts.append(_segments(sustained))
    return {
        "charts": charts,
        "ranks": [
            {
                "rank": r["rank"],
                "fp32": f"{r['fp32_gflops']:g} GFLOP/s",
                "bf16": f"{r['bf16_gflops']:g} GFLOP/s",
                "memory": f"{r['memory_gb_s']:g} GB/s",
            }
            for r in data["ranks"]
        ],
        "products": _products(data),
        "notes": _storage(data),
    }


def _segments(sustained: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """MB/s in each second of the sustained load, with the median of each direction."""
    series = [
        Series(
            [(i + 1, rate) for i, rate in enumerate(sustained[key]["segments_mb_s"])],
            key.upper(),
            style,
            marks=True,
        )
        for key, style in DIRECTIONS.items()
    ]
    levels = [
        Level(part["segment_mb_s"]["median"], f"{key.upper()} median")
        for key, part in sustained.items()
        if "segment_mb_s" in part
    ]
    longest = max(len(s.points) for s in series)
    top = max(rate for s in series for _, rate in s.points)
    chart = Chart("Object store under load", "second", "MB/s", series, levels,
                  x_range=(0.0, longest + 1.0), y_range=(0.0, top * 1.12 + 1))  # fmt: skip
    put = sustained["put"]
    return {
        "svg": Markup(line_chart(chart)),
        "caption": f"Object store, {put['clients']} clients, objects of {size(put['object_bytes'])}, "
        "by second; the last, begun second is left out.",
        "legend": [(s.label, s.style) for s in series],
    }


def _products(data: Result) -> str:
    """Why bfloat16 may be the slower format: on a GPU it never is."""
    slow = [r["rank"] for r in data["ranks"] if r["bf16_gflops"] < r["fp32_gflops"]]
    if not slow or data["device"] != "cpu":
        return ""
    return (
        "Products in bfloat16 are slower than in float32 here: without units for it a processor converts "
        "each number. A workload whose precision is “auto” then trains in float32."
    )


def _storage(data: Result) -> list[str]:
    """What the storage probes say in words."""
    lines = []
    for key, part in (data.get("object_store_load") or {}).items():
        spread = part.get("segment_mb_s")
        text = f"Object store, {key.upper()} by {part['clients']} clients: {part['mb_s']:g} MB/s over "
        text += f"{part['objects']} objects"
        if spread:
            text += "; fastest, median and slowest second "
            text += ", ".join(f"{spread[k]:g}" for k in ("fastest", "median", "slowest")) + " MB/s"
        if part.get("ttfb_p50_ms") is not None:
            text += f"; time to first byte p50 {milliseconds(part['ttfb_p50_ms'])}"
            text += f", p95 {milliseconds(part['ttfb_p95_ms'])}"
        lines.append(f"{text}.")
    kept = data.get("checkpoint")
    if kept:
        lines.append(
            f"A checkpoint of {size(kept['bytes'])}: written with its pointer in {kept['write_s']:g} s "
            f"({kept['write_mb_s']:g} MB/s), loaded and its hash checked in {kept['read_s']:g} s "
            f"({kept['read_mb_s']:g} MB/s)."
        )
    disk = data["disk"]
    lines.append(
        f"Temporary directory of rank 0: {disk['write_mb_s']:g} MB/s written with fsync, "
        f"{disk['read_cached_mb_s']:g} MB/s read back, from the cache where there is one."
    )
    return lines
