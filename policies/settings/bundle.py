"""Waivers and levels, read together: all their mistakes at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from components.planning.issues import Issue
from components.planning.paths import ROOT
from policies.settings import levels, waivers
from policies.settings.documents import SettingsError
from policies.settings.levels import Levels
from policies.settings.waivers import Waiver


@dataclass(frozen=True)
class Settings:
    """The settings in force for one stack. Waivers of other stacks are included: they match nothing here."""

    waivers: tuple[Waiver, ...] = ()
    levels: Levels = field(default_factory=dict)


def stacks(root: Path = ROOT) -> frozenset[str]:
    """Names of the stacks that have a file `Pulumi.<stack>.yaml`."""
    return frozenset(path.name.split(".")[1] for path in root.glob("Pulumi.*.yaml"))


def load(stack: str, rules: Collection[str], root: Path = ROOT) -> Settings:
    """Waivers and levels for `stack`.

    Raises:
        SettingsError: with every mistake in both files, including those that concern other stacks.
    """
    issues: list[Issue] = []
    known, folder = stacks(root), root / "policies"
    found = waivers.load(rules, known, issues, folder / waivers.FILE)
    chosen = levels.load(stack, rules, known, issues, folder / levels.FILE)
    if issues:
        raise SettingsError(issues)
    return Settings(found, chosen)
