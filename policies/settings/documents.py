"""YAML with line numbers: every mistake can be pointed at, and none is passed over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

PLAIN_TAG = "tag:yaml.org,2002:"


class SettingsError(Exception):
    """Settings hold mistakes; `problems` lists all of them as `file:line: field: what is wrong. Fix: …`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        count = f"{len(problems)} mistake{'s' if len(problems) > 1 else ''}"
        super().__init__(
            f"{count} in the settings of the policies; nothing was checked\n"
            + "\n".join(f"  {problem}" for problem in problems)
        )


@dataclass(frozen=True)
class Node:
    """A value and where it stands (`file:line`): a scalar, a list of nodes, or a map from texts to nodes."""

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


def problem(place: str, field: str, fault: str, fix: str) -> str:
    """One mistake in the form that all of them have."""
    return f"{place}: {field}: {fault}. Fix: {fix}" if field else f"{place}: {fault}. Fix: {fix}"


def suggest(given: object, known: Collection[str], otherwise: str) -> str:
    """`did you mean 'x'` for a near miss, else `otherwise`."""
    close = get_close_matches(str(given), sorted(known), n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise


def read(path: Path, problems: list[str], shown: str = "") -> Node | None:
    """The document in a file; None where there is none, or where it cannot be read.

    Mistakes that YAML itself forgives are added to `problems`, too, such as a key that is there twice.
    `shown` is the file's name in messages, by default with its folder's.
    """
    shown = shown or f"{path.parent.name}/{path.name}"
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        problems.append(problem(f"{shown}:1", "", "there is no such file", "restore it; it may be empty"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(problem(f"{shown}:1", "", f"it cannot be read ({error})", "make it a text in UTF-8"))
    except RecursionError:
        problems.append(problem(f"{shown}:1", "", "it is nested too deeply", "write it flat"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.append(problem(f"{shown}:{line}", "", f"this is no YAML ({error.problem})", "repair it"))
    except yaml.YAMLError as error:
        problems.append(problem(f"{shown}:1", "", f"this is no YAML ({error})", "repair it"))
    else:
        return None if root is None else _node(root, shown, problems)
    return None


def _node(node: yaml.Node, shown: str, problems: list[str], above: tuple[yaml.Node, ...] = ()) -> Node:
    place, above = f"{shown}:{node.start_mark.line + 1}", (*above, node)
    if node in above[:-1]:
        problems.append(problem(place, "", "an alias stands for what it is part of", "write the value out"))
        return Node(None, place)
    if not node.tag.startswith(PLAIN_TAG):
        problems.append(problem(place, node.tag, "is a tag of no known type", "remove it"))
    if isinstance(node, yaml.SequenceNode):
        return Node(tuple(_node(item, shown, problems, above) for item in node.value), place)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Node] = {}
        for key, value in node.value:
            name, line = str(key.value), f"{shown}:{key.start_mark.line + 1}"
            if name in found:
                problems.append(
                    problem(line, name, f"is already given at {found[name].place}", "remove one of the two")
                )
            found.setdefault(name, Node(_node(value, shown, problems, above).value, line))
        return Node(found, place)
    return Node(_scalar(node), place)


def _scalar(node: yaml.Node) -> Any:
    """The data of a scalar; its text where it only looks like a date, such as the 30th of February."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (ValueError, AttributeError, LookupError, yaml.YAMLError):
        # Also what an explicit tag says that the text does not hold, such as `!!bool x`.
        return node.value
    finally:
        loader.dispose()
