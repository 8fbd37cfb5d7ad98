"""From the verdicts on the compute nodes (aidc.nodes/1, by `aidc node`) to those that get no ranks.

What runs the stack hands them over as a file: the benchmark asks no node for its health.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmark.core import regular
from benchmark.core.errors import ConfigError

SCHEMA = "aidc.nodes/1"


def left_out(path: Path | None, nodes: int) -> tuple[str, ...]:
    """Names of the nodes that failed; none without a file. ConfigError where none of `nodes` is left."""
    if path is None:
        return ()
    try:
        found = json.loads(regular.read_text(path))
        if found["schema"] != SCHEMA:
            raise ConfigError([f"--nodes: {path}: schema: expected {SCHEMA!r}"])
        bad = tuple(str(node["node"]) for node in found["nodes"] if node["verdict"] == "fail")
    except OSError as error:
        raise ConfigError([f"--nodes: {path}: cannot be read: {error.strerror}"]) from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ConfigError([f"--nodes: {path}: holds no verdicts on nodes; run `aidc node`"]) from error
    if bad and len(bad) >= nodes:
        raise ConfigError([f"--nodes: no node passed its check ({', '.join(bad)}): `make node` says why"])
    return bad
