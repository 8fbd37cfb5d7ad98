"""YAML as people write it: all mistakes are reported, each with its line, without a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from benchmark.core import regular
from benchmark.core.errors import ConfigError

BASE_60 = re.compile(r"^[-+]?\d+(:[0-5]?\d)+(\.\d*)?$")


class _Loader(yaml.SafeLoader):
    """Notes duplicate keys and values that YAML cannot convert, and goes on."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.problems: list[str] = []

    def note(self, node: yaml.Node, problem: str) -> None:
        self.problems.append(f"line {node.start_mark.line + 1}: {problem}")

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    self.note(key, f"{key.value}: is given twice; keep one of them")
                seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode) and node.style is None and BASE_60.match(node.value):
            self.note(
                node,
                f"{node.value}: YAML reads this as a number in base 60; put it in quotes, or write it out",
            )
        try:
            return super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            value = node.value if isinstance(node, yaml.ScalarNode) else "the value"
            kind = str(node.tag).rpartition(":")[2]
            self.note(node, f"{_short(value)}: is not a valid {kind}; if it is text, put it in quotes")
            self.constructed_objects[node] = None
            return None


def read(path: Path) -> dict[str, Any]:
    """The mapping in a file; ConfigError with everything that is wrong with it as YAML."""
    try:
        text = regular.read_text(path, encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    try:
        loader = _Loader(text)
        content = loader.get_single_data()
    except RecursionError:
        raise ConfigError([f"{path}: is nested too deeply"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError([f"{path}: {where}is not YAML: {getattr(error, 'problem', error)}"]) from error
    if loader.problems:
        raise ConfigError([f"{path}: {problem}" for problem in dict.fromkeys(loader.problems)])
    if not isinstance(content, dict):
        raise ConfigError([f"{path}: must be a mapping with name, data, model, …"])
    return content


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}… ({len(text)} characters)"
