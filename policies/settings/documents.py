"""YAML with line numbers: every mistake can be pointed at, and none is ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.planning.issues import ConfigError, Issue
from components.runtime import regular

PLAIN_TAG = "tag:yaml.org,2002:"


class SettingsError(ConfigError):
    """Waivers, levels or reviews hold mistakes."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__(issues, "in the settings of the policies; nothing was checked")


@dataclass(frozen=True)
class Node:
    """A value and its place (`file:line`): a scalar, a list of nodes, or a map from strings to nodes."""

    value: Any
    place: str

    @property
    def items(self) -> tuple[Node, ...] | None:
        """The items of a list; None for anything else."""
        return self.value if isinstance(self.value, tuple) else None

    @property
    def fields(self) -> Mapping[str, Node] | None:
        """The entries of a map; None for anything else."""
        return self.value if isinstance(self.value, dict) else None


def read(path: Path, issues: list[Issue], shown: str = "") -> Node | None:
    """The document in a file; None where there is none, or where it cannot be read.

    Mistakes that YAML itself tolerates, such as a duplicate key, are added to `issues`, too. `shown` is the
    file's name in messages, by default with its folder's.
    """
    shown = shown or f"{path.parent.name}/{path.name}"
    try:
        root = yaml.compose(regular.read_text(path), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        issues.append(Issue.at(f"{shown}:1", "", "there is no such file", "restore it; it may be empty"))
    except (OSError, UnicodeDecodeError) as error:
        issues.append(
            Issue.at(f"{shown}:1", "", f"it cannot be read ({error})", "make it readable UTF-8 text")
        )
    except RecursionError:
        issues.append(Issue.at(f"{shown}:1", "", "it is nested too deeply", "flatten it"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        issues.append(
            Issue.at(f"{shown}:{line}", "", f"this is not valid YAML ({error.problem})", "correct it")
        )
    except yaml.YAMLError as error:
        issues.append(Issue.at(f"{shown}:1", "", f"this is not valid YAML ({error})", "correct it"))
    else:
        return None if root is None else _node(root, shown, issues)
    return None


def _node(node: yaml.Node, shown: str, issues: list[Issue], above: tuple[yaml.Node, ...] = ()) -> Node:
    place, above = f"{shown}:{node.start_mark.line + 1}", (*above, node)
    if node in above[:-1]:
        issues.append(
            Issue.at(place, "", "an alias refers to a value that contains it", "write the value out")
        )
        return Node(None, place)
    if not node.tag.startswith(PLAIN_TAG):
        issues.append(Issue.at(place, node.tag, "is an unknown tag", "remove it"))
    if isinstance(node, yaml.SequenceNode):
        return Node(tuple(_node(item, shown, issues, above) for item in node.value), place)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Node] = {}
        for key, value in node.value:
            name, line = str(key.value), f"{shown}:{key.start_mark.line + 1}"
            if name in found:
                issues.append(
                    Issue.at(line, name, f"is already given at {found[name].place}", "remove one of the two")
                )
            found.setdefault(name, Node(_node(value, shown, issues, above).value, line))
        return Node(found, place)
    return Node(_scalar(node), place)


def _scalar(node: yaml.Node) -> Any:
    """The value of a scalar; its text where it only looks like a date, such as the 30th of February."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (ValueError, AttributeError, LookupError, yaml.YAMLError):
        # Also where the text does not match its explicit tag, such as `!!bool x`.
        return node.value
    finally:
        loader.dispose()
