"""What a scrub of the object store found, from the lines of `scrub` in the store's image. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

GOOD, AWAY, GONE = "ok", "offline", "missing"
# How the store's text begins for an object of which no drive knows anything.
DELETED = ("Object not found", "Version not found")
FINISHED = "finished"
# After these words nothing more is scanned; `stopped` means that time ran out.
ENDS = (FINISHED, "stopped")


@dataclass(frozen=True)
class Damage:
    """An object that has not all its shards. `lost`: too few of them are left to restore the others."""

    place: str
    states: Mapping[str, str]
    lost: bool
    healed: bool

    def __str__(self) -> str:
        nodes = ", ".join(f"{state} on {node}" for node, state in self.states.items())
        return f"{self.place}: {nodes}" + (" (too few shards are left)" if self.lost else "")


@dataclass(frozen=True)
class Scrub:
    """`scanned` objects and versions; `finished` is False if time ran out. `damage` is what was found."""

    scanned: int
    finished: bool
    damage: tuple[Damage, ...]

    @property
    def left(self) -> list[Damage]:
        """What is still damaged."""
        return [found for found in self.damage if not found.healed]


def read(text: str) -> Scrub:
    """Raises ValueError for anything that a scrub does not print, and for one that did not end."""
    lines = text.splitlines()
    items = [line for line in lines if line.startswith("{")]
    ends = [line.split() for line in lines if line.startswith("scanned ")]
    _word, number, state = ends[-1] if ends else ("", "0", "")
    if state not in ENDS:
        raise ValueError("the scrub did not end")
    # A store that meets an object twice tells of it twice.
    found = {damage.place: damage for damage in map(_damage, items) if damage}
    return Scrub(int(number), state == FINISHED, tuple(found.values()))


def _damage(line: str) -> Damage | None:
    """None for an object that was deleted after the scrub had listed it."""
    # What follows the item belongs to the list in which it stood.
    item, _end = json.JSONDecoder().raw_decode(line)
    before, after = _states(item, "before"), _states(item, "after")
    if set(before.values()) == {GONE} and str(item.get("detail")).startswith(DELETED):
        return None
    good = sum(state == GOOD for state in before.values())
    place, version = f"{item.get('bucket')}/{item.get('object')}", item.get("versionId") or "null"
    return Damage(
        place if version == "null" else f"{place} (version {version})",
        {node: state for node, state in before.items() if state != GOOD},
        # A drive that is away may still hold a good shard.
        lost=good + sum(state == AWAY for state in before.values()) < int(item.get("dataBlocks") or 0),
        healed=bool(after) and all(state == GOOD for state in after.values()),
    )


def _states(item: Mapping[str, Any], when: str) -> dict[str, str]:
    """Node → state of its shard."""
    drives = (item.get(when) or {}).get("drives") or ()
    return {_node(str(drive["endpoint"])): str(drive["state"]) for drive in drives}


def _node(endpoint: str) -> str:
    return urlsplit(endpoint).hostname or endpoint
