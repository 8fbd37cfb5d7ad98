"""The YAML on which its parsers agree: ours (YAML 1.1) and Pulumi's (1.2 with leftovers of 1.1).

`parse` accepts only what both read alike, and refuses the rest with its line: unquoted dates, `1:30`, `yes`,
`0o17`, `1e3`, tags, duplicate keys, and aliases (Pulumi rewrites the file and replaces them by their values).
Pure; raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from components.planning.issues import Issue, escaped

TAG = "tag:yaml.org,2002:"
# The plain scalars that every parser reads as the same number, truth value or null.
INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,15})\.[0-9]{1,17}")
CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}
# What some parser reads as something other than a string.
NUMBER = re.compile(
    r"""[-+]?(
        [0-9][0-9_,]* | 0[xX][0-9a-fA-F_]* | 0[oO][0-7_]* | 0[bB][01_]*     # octal with leading zeros, too
      | ([0-9][0-9_]*\.?[0-9_]* | \.[0-9][0-9_]*)([eE][-+]?[0-9_]+)?
      | [0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?                             # sexagesimal: 1:30 is 90
      | \.(inf|Inf|INF)
    )
    | \.(nan|NaN|NAN)""",
    re.X,
)
TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?", re.S)
WORDS = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|=|<<")
DEEPEST = 100
# Bytes of a stack's file, far more than a hundred buckets with all their keys have: its check takes seconds.
LARGEST = 256 << 10
RESOLVER: Any = yaml.SafeLoader("")
TOO_DEEP, MEANT = "is nested too deeply", "see Pulumi.dev.yaml for the intended structure"


@dataclass(frozen=True)
class Document:
    """`value` holds dicts, lists and scalars; refused scalars appear as their text."""

    value: Any
    issues: tuple[Issue, ...] = ()


def parse(text: str, name: str, *, own: str = "") -> Document:
    """Read `text`; `name` is the file's in messages.

    With `own`, such as `aidc:`, values below `config` in another namespace are not checked.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        # Half of the time that the whole takes, and hardly any file has one.
        issues = list(dict.fromkeys(_aliases(text, name))) if "*" in text else []
    except yaml.YAMLError as error:
        return Document(None, (unreadable(name, error),))
    except (RecursionError, ValueError) as error:
        deep = isinstance(error, RecursionError)
        fault = TOO_DEEP if deep else f"is not readable YAML: {error}"
        return Document(None, (Issue(name, fault, MEANT),))
    if root is None or issues:
        return Document(None, tuple(issues))
    reader = _Reader(name, own)
    value = reader.read(root, ())
    return Document(value, tuple(reader.issues))


def unreadable(name: str, error: Exception) -> Issue:
    """The YAML library's message, with the line if it is known."""
    if isinstance(error, OSError):
        return Issue(name, f"cannot be read: {error.strerror}", "make it a file that can be read")
    if isinstance(error, UnicodeDecodeError):
        return Issue(name, f"is not UTF-8 text: {error.reason} at byte {error.start}", "save it as UTF-8")
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    fault, fix = f"is not readable YAML: {problem}", "correct the line; lists need [a, b] or - a"
    return Issue(name, fault, fix, mark.line + 1 if mark else None)


def _aliases(text: str, name: str) -> Iterator[Issue]:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            fault = f"*{event.anchor} is an alias: Pulumi replaces it by its value when it writes this file"
            yield Issue(name, fault, "write the value out", _line(event))


def _line(part: Any) -> int:
    return int(part.start_mark.line) + 1


class _Reader:
    """Turns nodes into values and collects what is ambiguous."""

    def __init__(self, name: str, own: str) -> None:
        self.name, self.own = name, own
        self.issues: list[Issue] = []

    def read(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        if len(path) > DEEPEST:
            self._refuse(node, TOO_DEEP, MEANT)
            return None
        if path[:1] == ("config",) and len(path) == 2 and self._is_foreign(path[1]):
            return _any(node)
        if isinstance(node, yaml.MappingNode):
            self._tag(node, "map")
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self._tag(node, "seq")
            return [self.read(item, (*path, str(i))) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _is_foreign(self, key: str) -> bool:
        return bool(self.own) and ":" in key and not key.startswith(self.own)

    def _mapping(self, node: yaml.MappingNode, path: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, "a key is not a string", "write `key: value`")
                continue
            if not isinstance(self._scalar(key), str):
                self._refuse(key, f"the key {key.value!r:.40} is not a string", "write it in quotes")
            if not key.value.isprintable():
                # It is part of the path of whatever is wrong below it, and no key of ours.
                fix = "write letters, digits and signs that can be seen"
                self._refuse(key, f"the key {key.value!r:.40} holds what does not print", fix)
                continue
            if key.value in found:
                first = lines[key.value]
                fault = f"{key.value!r:.40} is already given in line {first}"
                self._refuse(key, fault, "remove one of the two")
                continue
            lines[key.value] = _line(key)
            found[key.value] = self.read(value, (*path, key.value))
        return found

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        if node.style is not None:
            self._tag(node, "str")
            return text
        implicit = RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
        if node.tag != implicit:
            self._tag(node, "")
            return text
        if text.lower() in CONSTANTS and (
            text.islower() or text.isupper() or text.istitle() or text in ("", "~")
        ):
            return CONSTANTS[text.lower()]
        if INTEGER.fullmatch(text):
            return int(text)
        if FLOAT.fullmatch(text):
            return float(text)
        if implicit != f"{TAG}str" or any(p.fullmatch(text) for p in (NUMBER, TIMESTAMP, WORDS)):
            self._refuse(
                node,
                f"{text!r:.60} is ambiguous: YAML parsers read it differently",
                "write a string in quotes, a number in plain decimal digits, a truth value as true or false",
            )
        return text

    def _tag(self, node: yaml.Node, kind: str) -> None:
        if node.tag != TAG + kind:
            shown = "!!" + node.tag.removeprefix(TAG) if node.tag.startswith(TAG) else node.tag
            self._refuse(
                node, f"has the tag {escaped(shown):.40}", "remove the tag; write a string in quotes"
            )

    def _refuse(self, node: yaml.Node, fault: str, fix: str) -> None:
        self.issues.append(Issue(self.name, fault, fix, _line(node)))


def _any(node: yaml.Node) -> Any:
    """A value in another namespace, for its structure only."""
    if isinstance(node, yaml.MappingNode):
        return {str(getattr(k, "value", "")): _any(v) for k, v in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_any(item) for item in node.value]
    return node.value
