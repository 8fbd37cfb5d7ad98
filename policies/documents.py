"""YAML settings of the policies, read with line numbers, so that every mistake can be pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class SettingsError(Exception):
    """A settings file holds mistakes; `problems` lists all of them as `file:line: what, and the fix`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True)
class Entry:
    """One item of a list or one value of a map: plain data, and where it stands."""

    key: str
    value: Any
    place: str


def entries(path: Path) -> Iterator[Entry]:
    """The top-level items of a YAML list or map; a missing or an empty file has none.

    Raises:
        SettingsError: the file is no YAML, or is neither a list nor a map.
    """
    if not path.exists():
        return
    shown = f"{path.parent.name}/{path.name}"
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError([f"{shown}:{line}: this is no YAML ({error.problem})"]) from None
    if root is None:
        return
    if isinstance(root, yaml.SequenceNode):
        for node in root.value:
            yield Entry("", _plain(node), f"{shown}:{node.start_mark.line + 1}")
    elif isinstance(root, yaml.MappingNode):
        for key, node in root.value:
            yield Entry(str(_plain(key)), _plain(node), f"{shown}:{key.start_mark.line + 1}")
    else:
        raise SettingsError([f"{shown}:{root.start_mark.line + 1}: expected a list or a map of entries"])


def _plain(node: yaml.Node) -> Any:
    """The data of a node. `construct_document` because nested nodes are otherwise filled in later."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()
