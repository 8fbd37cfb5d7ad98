"""Look-ups in the exported inventory of a stack. Pure; StackError names the field that lacks something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.core.errors import StackError


def container_at(inventory: Mapping[str, Any], address: str) -> str:
    """The container of the service that has `address` in any segment."""
    for service in inventory.get("services", []):
        if address in service["addresses"].values():
            return str(service["container"])
    raise StackError(f"inventory.services: none has the address {address}")


def container_names(inventory: Mapping[str, Any]) -> list[str]:
    """All containers of the stack."""
    return [str(service["container"]) for service in inventory.get("services", [])]


def services_of_role(inventory: Mapping[str, Any], role: str) -> list[Mapping[str, Any]]:
    return [service for service in inventory.get("services", []) if service["role"] == role]
