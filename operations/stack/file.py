"""Pulumi.<stack>.yaml, read without Pulumi.

The values are checked by `components.planning.validation`, which the Pulumi program runs as well.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from components.planning import rotation, strict_yaml
from components.planning.config import DATACENTER, STACK_NAME, HostFacts, LoadBalancer, Network, StackConfig
from components.planning.issues import ConfigError, Issue, shortened, suggest
from components.planning.paths import ROOT
from components.planning.receivers import EMAIL_PASSWORD, WEBHOOK_URL
from components.planning.validation import load
from components.runtime import regular
from components.runtime.host import ONE_ENGINE, ONE_ENGINE_FIX

SEED, ISSUED = "aidc:seed", "aidc:issued"
# Name → generation that an unfinished rotation has to reach. Removed when all of it is verified.
ROTATING = "aidc:rotating"
# Keys that `up` and `rotate` write; without the data they are meaningless.
WRITTEN = (SEED, ISSUED, rotation.GENERATIONS, rotation.RENEWED, ROTATING)
# Secrets of the receivers of alerts, which the user writes.
GIVEN = (WEBHOOK_URL, EMAIL_PASSWORD)
KEYS = (DATACENTER, *GIVEN, *WRITTEN)
# Pulumi knows no other keys at the top level, and deletes them.
PULUMI_KEYS = ("config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment")
# The name becomes part of commands and file names; its other rules are checked with the configuration.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class StackFile:
    """One stack's file. `config` is its `config:` mapping, `issues` are the faults of its structure."""

    stack: str
    path: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()
    secrets_provider: str = "passphrase"
    salted: bool = False

    @property
    def datacenter(self) -> object:
        return self.config.get(DATACENTER)

    @property
    def rotating(self) -> Mapping[str, int]:
        """Names whose rotation is not verified yet, with the generation that each has to reach."""
        return self.config.get(ROTATING) or {}

    def generations(self) -> rotation.Generations:
        """The generations in the file; only for a file without issues of a stack that has been up."""
        config = self.config
        return rotation.read(
            config.get(rotation.GENERATIONS), str(config[ISSUED]), config.get(rotation.RENEWED)
        )

    def has(self, key: str) -> bool:
        return self.config.get(key) not in (None, "")

    def section(self, name: str) -> Mapping[str, Any]:
        part = self.datacenter.get(name) if isinstance(self.datacenter, Mapping) else None
        return part if isinstance(part, Mapping) else {}

    def network(self) -> Network | None:
        """The address space, or None when that section is not valid: the rest can still be checked."""
        return _part(Network, self.section("network"))

    def load_balancer(self) -> LoadBalancer | None:
        """Address and published ports, or None when that section is not valid."""
        return _part(LoadBalancer, self.section("load_balancer"))

    def notebook(self) -> bool:
        """Whether a notebook may run."""
        return self.section("notebook").get("enabled") is True

    def gpus(self) -> list[int | str]:
        """Everything that the nodes assign, also where other parts of the file are not valid."""
        nodes = self.section("compute").get("nodes")
        lists = [n.get("gpus") for n in nodes if isinstance(n, Mapping)] if isinstance(nodes, list) else []
        return [g for given in lists if isinstance(given, list) for g in given if isinstance(g, int | str)]

    def check(self, host: HostFacts | None) -> tuple[StackConfig | None, list[Issue]]:
        """The typed configuration, or None, and every mistake in the file."""
        if not self.path.is_file():
            # Otherwise the defaults of an empty file would be checked, and their faults reported.
            return None, list(self.issues)
        if self.issues and not self.config:
            # It could not be read: otherwise defaults would be checked that nobody requested.
            return None, list(self.issues)
        try:
            return load(self.datacenter, self.stack, host), list(self.issues)
        except ConfigError as error:
            return None, [*self.issues, *error.issues]


def _part(model: type[M], raw: Mapping[str, Any]) -> M | None:
    try:
        return model.model_validate(raw)
    except ValidationError:
        return None


def path_of(stack: str, root: Path = ROOT) -> Path:
    return root / f"Pulumi.{stack}.yaml"


def read(stack: str, root: Path = ROOT) -> StackFile:
    """Read the file; its faults are returned as `issues`, never as an exception."""
    path = path_of(stack, root)
    if not PLAIN_NAME.fullmatch(stack):
        return StackFile(stack, path, issues=(_no_name(stack),))
    try:
        text = regular.read_text(path, strict_yaml.LARGEST)
    except FileNotFoundError:
        return StackFile(stack, path, issues=(unknown(stack, root),))
    except (OSError, UnicodeDecodeError) as error:
        return StackFile(stack, path, issues=(strict_yaml.unreadable(path.name, error),))
    read_in = strict_yaml.parse(text, path.name, own="aidc:")
    document = {} if read_in.value is None else read_in.value
    config = document.get("config") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(config or {}, Mapping):
        issue = Issue(path.name, "is not a mapping with the key `config`", "see Pulumi.dev.yaml")
        return StackFile(stack, path, issues=(*read_in.issues, issue))
    return StackFile(
        stack,
        path,
        config or {},
        (*read_in.issues, *_top_issues(path.name, document), *_key_issues(config or {})),
        str(document.get("secretsprovider", "passphrase")),
        "encryptionsalt" in document,
    )


def _no_name(stack: str, near: str = "") -> Issue:
    fix = "use 1 to 16 lower-case letters and digits, starting with a letter"
    return Issue("stack", f"{stack!r} is not a valid name", f"{near} {fix}".lstrip())


def unknown(stack: str, root: Path = ROOT) -> Issue:
    """There is no such stack: which there are, which one is near, and how to make a new one."""
    known = sorted(file.name.split(".")[1] for file in root.glob("Pulumi.*.yaml"))
    near = suggest(stack, known, "")
    if not STACK_NAME.fullmatch(stack):
        return _no_name(stack, near)
    name = path_of(stack, root).name
    new = f"for a new one, copy Pulumi.dev.yaml to {name} and change its cidr and ports"
    fix = f"{near} stacks here: {', '.join(known) or 'none'}; {new}".lstrip()
    return Issue(name, f"there is no stack {stack!r}: no such file", fix)


def _top_issues(name: str, document: Mapping[str, Any]) -> list[Issue]:
    """Keys besides `config`: when Pulumi writes, it deletes unknown ones with the comments above them."""
    fix = "remove it; put notes into comments below `config:`"
    no_text = [
        Issue(f"{name}: {key}", "is not text", "restore it as Pulumi wrote it, or remove it")
        for key in ("secretsprovider", "encryptedkey", "encryptionsalt")
        if not isinstance(document.get(key, ""), str)
    ]
    return no_text + [
        Issue(
            f"{name}: {key}",
            "is not a key of Pulumi, which would delete it when it writes the file",
            fix,
        )
        for key in document
        if key not in PULUMI_KEYS
    ]


def _key_issues(config: Mapping[str, Any]) -> list[Issue]:
    # With a misspelt key the whole data centre would silently fall back to defaults.
    issues = []
    for key in (k for k in map(str, config) if k not in KEYS and (k.startswith("aidc:") or ":" not in k)):
        fix = suggest(key, KEYS, f"known keys: {', '.join(KEYS)}")
        issues.append(Issue(f"config.{shortened(key)}", "unknown key", fix))
    if _is_plain(config.get(SEED)):
        fix = f"store it as a secret: pulumi config set --secret {SEED} (the value on stdin)"
        issues.append(Issue(f"config.{SEED}", "is plain text, and every password is derived from it", fix))
    for key in GIVEN:
        if _is_plain(config.get(key)):
            fix = f"store it as a secret: pulumi config set --secret {key} (the value on stdin)"
            issues.append(Issue(f"config.{key}", "is plain text, and whoever knows it can send", fix))
    issues += [_foreign(key) for key in map(str, config) if not key.startswith("aidc:") and ":" in key]
    issued = config.get(ISSUED)
    issues += rotation.issues(
        config.get(rotation.GENERATIONS), config.get(rotation.RENEWED), "" if issued is None else issued
    )
    rotating = config.get(ROTATING)
    if rotating is not None and (
        not isinstance(rotating, Mapping) or set(rotating) - set(rotation.ROTATABLE)
    ):
        fix = "remove it, and run the rotation again"
        issues.append(Issue(f"config.{ROTATING}", "is not in the form that `make rotate` writes", fix))
    return issues


def _foreign(key: str) -> Issue:
    """A setting of a provider, or of nothing at all, as `adic:datacenter`."""
    if key.startswith("docker:"):
        return Issue(f"config.{key}", ONE_ENGINE, ONE_ENGINE_FIX)
    return Issue(f"config.{key}", "nothing in this stack reads it", suggest(key, KEYS, "remove it"))


def _is_plain(value: object) -> bool:
    """Whether a secret stands there as it is; to YAML some passwords are numbers, or dates."""
    encrypted = isinstance(value, Mapping) and list(value) == ["secure"] and isinstance(value["secure"], str)
    return value is not None and not encrypted


def drop_salt(path: Path) -> None:
    """Remove `encryptionsalt` when no secret needs it any more."""
    text = path.read_text(encoding="utf-8")
    if "secure:" not in text:
        path.write_text(re.sub(r"(?m)^encryptionsalt:.*\n?", "", text), encoding="utf-8")


@contextmanager
def layout_kept(path: Path) -> Iterator[None]:
    """Inside, Pulumi may rewrite the file; afterwards only lines with another content have changed.

    Pulumi keeps comments, but destroys their alignment.
    """
    before = path.read_text(encoding="utf-8")
    try:
        yield
    finally:
        after = path.read_text(encoding="utf-8")
        kept = merge_layout(before, after)
        if yaml.safe_load(kept) == yaml.safe_load(after):
            path.write_text(kept, encoding="utf-8")


def merge_layout(before: str, after: str) -> str:
    """The lines of `after`; those that differ from `before` only in spaces are taken from `before`."""
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, [_bare(x) for x in old], [_bare(x) for x in new], autojunk=False)
    lines: list[str] = []
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        lines += old[old_start:old_end] if tag == "equal" else new[new_start:new_end]
    return "\n".join(lines) + "\n"


def _bare(line: str) -> str:
    # Leading spaces are structure in YAML; inside a line they are layout.
    indent = len(line) - len(line.lstrip())
    return line[:indent] + " ".join(line.split())
