"""What build files install and download, and how that is verified."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from policies.buildfile import Instruction
from policies.model import Resource
from policies.programs import (
    ADDRESS,
    ALWAYS_BRING,
    APT,
    APT_VERBS,
    BRINGERS,
    FETCHERS,
    FETCHING_CODE,
    INTERPRETERS,
    PIP,
    PIP_VERBS,
    PRINTERS,
    PYTHON,
    SUMS,
    UNVERIFIED,
)
from policies.rule import resource_rule
from policies.rules.build import at, instructions
from policies.shell import SHELLS, Command


def _is_apt_install(words: Sequence[str]) -> bool:
    return _name(words) in APT and bool(APT_VERBS.intersection(words[1:]))


def _name(words: Sequence[str]) -> str:
    return words[0].rpartition("/")[2] if words else ""


def _suffixes(command: Command) -> Iterator[tuple[str, ...]]:
    """The command, and each later word with what follows: a wrapper program may run it."""
    if command.words and command.program in PRINTERS:
        yield command.words
        return
    for start in range(len(command.words)):
        yield command.words[start:]


def _apt_installs(instruction: Instruction) -> list[tuple[str, ...]]:
    return [words for c in instruction.script for words in _suffixes(c) if _is_apt_install(words)]


@resource_rule(
    "buildfile",
    severity="low",
    level="mandatory",
    cis=("4.3",),
    fix="install with --no-install-recommends and remove /var/lib/apt/lists in the same RUN",
)
def minimal_packages(buildfile: Resource) -> Iterator[str]:
    """Checks whether only named packages are installed, and no package lists stay in the image."""
    for instruction in instructions(buildfile, "RUN"):
        installs = _apt_installs(instruction)
        if any(not _is_minimal(words) for words in installs):
            yield at(instruction, "recommended packages are installed, too")
        if installs and not any(_removes_lists(command) for command in instruction.script):
            yield at(instruction, "package lists stay in the image")
        if any(
            _name(w) == "dpkg" and BRINGERS["dpkg"] & set(w) for c in instruction.script for w in _suffixes(c)
        ):
            yield at(instruction, "dpkg installs a file that does not come from a repository")


def _is_minimal(words: Sequence[str]) -> bool:
    return "--no-install-recommends" in words and not {"--install-recommends", "--install-suggests"} & set(
        words
    )


def _removes_lists(command: Command) -> bool:
    removed = any(word.startswith("/var/lib/apt/lists") for word in command.words)
    return any(view.program in ("rm", "find") for view in command.views) and removed


@resource_rule(
    "buildfile",
    severity="medium",
    level="mandatory",
    cis=("4.7",),
    fix="combine update and install with && in one RUN",
)
def update_with_install(buildfile: Resource) -> Iterator[str]:
    """Checks whether package lists are updated in the same layer in which packages are installed."""
    for instruction in instructions(buildfile, "RUN"):
        commands = [words for command in instruction.script for words in _suffixes(command)]
        updates = any(_name(words) in APT and "update" in words[1:] for words in commands)
        if updates != any(_is_apt_install(words) for words in commands):
            yield at(instruction, "update and install are not in one RUN")


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("4.11", "4.12"),
    fix="install from a hash-locked list (--require-hashes), and verify each download in the same RUN",
)
def verified_packages(buildfile: Resource) -> Iterator[str]:
    """Checks whether packages and downloads are verified by the distribution's signature or by hash."""
    for instruction in instructions(buildfile, "RUN", "CMD", "ENTRYPOINT"):
        script = instruction.script
        for command in script:
            yield from (at(instruction, fault) for fault in _unverified(command))
        if instruction.name != "RUN":
            continue
        fetched = sum(_fetches(command) for command in script)
        strict = any(c.program == "set" and any(re.match(r"-\w*e", w) for w in c.words[1:]) for c in script)
        verified = sum(_verifies(command, strict) for command in script)
        if fetched > verified:
            names = ", ".join(dict.fromkeys(c.program for c in script if _fetches(c)))
            yield at(instruction, f"{names}: {fetched} downloads, {verified} verified")


def _unverified(command: Command) -> Iterator[str]:
    """What one command installs or runs without verification."""
    if command.opaque:
        yield "a variable or a pattern decides which program runs"
    program = command.program
    script = bool(INTERPRETERS.fullmatch(program)) and (len(command.words) == 1 or command.words[1] == "-")
    shell = any(view.program in SHELLS for view in command.views) and "-c" not in command.words
    if command.piped and (shell or script):
        yield f"{program} runs its piped input"
    if INTERPRETERS.fullmatch(program):
        code = (word for word in command.words[1:] if re.search(r"[\s(;.]", word))
        if any(FETCHING_CODE.search(word) for word in code):
            yield f"{program} runs code that downloads or installs something"
    for words in _suffixes(command):
        yield from _unverified_installs(words, first=words == command.words)


def _unverified_installs(words: tuple[str, ...], *, first: bool) -> Iterator[str]:
    """Unverified software that these words install; `first` where they are certain to be a command."""
    name, given = _name(words), set(words[1:])
    if _is_apt_install(words) and any(UNVERIFIED.fullmatch(word) for word in words):
        yield "unsigned packages are allowed"
    elif _is_apt_install(words) and any(re.search(r"\.deb$|^\.?/", word) for word in words[1:]):
        yield f"{name} installs a file whose signature is not verified"
    elif PYTHON.fullmatch(name) and "setup.py" in given and given & {"install", "develop"}:
        yield f"{name} installs with setup.py"
    elif pip := _pip(words):
        if "--require-hashes" not in given or "--no-require-hashes" in given:
            verbs = PIP_VERBS | {"pip", "-m"}
            what = " ".join(word for word in words[1:] if not word.startswith("-") and word not in verbs)
            yield f"{pip} installs {what} without a known hash"
    elif given & BRINGERS.get(name, frozenset()) or (first and name in ALWAYS_BRING):
        yield f"{name} installs software that is not verified"


def _pip(words: Sequence[str]) -> str:
    """The program's name, where the words install Python packages; else empty."""
    name = _name(words)
    if PYTHON.fullmatch(name):
        # -m pip, -mpip, and options before it.
        module = re.search(r"(?:^| )-\w*m ?(pip|uv|pipx|easy_install)\b", " ".join(words))
        return f"{name} -m {module[1]}" if module and PIP_VERBS.intersection(words[1:]) else ""
    if not PIP.fullmatch(name):
        return ""
    if name == "uv" and "pip" not in words[1:]:
        return name if {"add", "sync", "run", "tool"}.intersection(words[1:]) else ""
    return name if PIP_VERBS.intersection(words[1:]) else ""


def _fetches(command: Command) -> int:
    """How many downloads of a command have to be verified."""
    if any("--version" in command.words or "--help" in command.words for _ in (0,)):
        return 0
    program = any(view.program in FETCHERS for view in command.views)
    if command.program in PRINTERS or any(
        _pip(words) or _is_apt_install(words) for words in _suffixes(command)
    ):
        return 0
    addresses = sum(1 for word in command.words if ADDRESS.search(word))
    return max(addresses, int(program))


def _verifies(command: Command, strict: bool) -> bool:
    """Whether a command verifies a download, and its failure ends the RUN."""
    if command.after not in ("", "&&", ")", *((";", "\n") if strict else ())):
        return False
    given = set(command.words[1:])
    if SUMS.fullmatch(command.program):
        return any(word in ("-c", "--check") or re.fullmatch(r"-[a-z0-9]*c[a-z]*", word) for word in given)
    if command.program == "gpg":
        return "--verify" in given
    if command.program == "cosign":
        return any(word.startswith("verify") for word in given)
    return command.program in ("gpgv", "sqv", "minisign") and bool(given)
