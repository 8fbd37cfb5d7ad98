"""How throw-away containers are made: with no more rights than a service of the stack has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HARDENED: Mapping[str, Any] = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "read_only": True,
    "init": True,
    "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m"},
}
# Of one that talks to nobody and has no service to take its limits from.
ALONE: Mapping[str, Any] = {
    **HARDENED,
    "network_mode": "none",
    "mem_limit": "1g",
    "memswap_limit": "1g",
    "pids_limit": 256,
}
