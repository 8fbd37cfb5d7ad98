"""How images are built: base images, users and secrets in the build files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.buildfile import Instruction
from policies.model import Resource
from policies.rule import resource_rule
from policies.secret_names import SECRET_VALUE, in_words, is_secret

# Base images that are trusted: the distribution that the host's own packages come from, and nothing at all.
ALLOWED_BASES = frozenset({"debian:trixie-slim", "scratch"})
HIGHEST_ID = 2**31 - 1  # What the engine takes for a user.
FROM_OPTION = re.compile(r"(?:^--|[,=])from\s*=\s*([^,\s]*)", re.IGNORECASE)
KEY_FILE = re.compile(
    r"(^|/)(id_(rsa|dsa|ecdsa|ed25519)(_sk)?|\.env(\.(?!example|sample|template)[^/]*)?|[^/]*\.env|\.netrc|_netrc|\.npmrc|\.pypirc"
    r"|\.pgpass|\.my\.cnf|\.git-credentials|\.htpasswd|htpasswd|\.vault-token|\.dockercfg|\.ssh|\.gnupg|\.aws|\.kube"
    r"|\.aws/credentials|aws-credentials|credentials(\.[^/]*)?|\.docker/config\.json|\.kube/config|kubeconfig|passphrase"
    r"|secrets?(\.[^/]*)?|service[_-]account[^/]*\.json|(priv|private|server|client|tls|ca|host)?[_-]?key\.pem|privkey[^/]*"
    r"|[^/]*\.(key|p12|p8|pfx|jks|ppk|kdbx|keystore))$",
    re.IGNORECASE,
)


def instructions(buildfile: Resource, *names: str) -> Iterator[Instruction]:
    """The instructions of these names, or all; what an ONBUILD defers counts as if it were done here."""
    for instruction in buildfile.get("instructions") or ():
        if not names or instruction.name in names:
            yield instruction
        deferred = instruction.deferred
        if deferred and deferred.name in names:
            yield deferred


def at(instruction: Instruction, text: str) -> str:
    """A fault with the line by which it can be shown at its place."""
    return f"line {instruction.line}: {text}"


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    fix="write plain instructions: a script of its own and COPY instead of a here-document, no directives",
)
def plain_build_file(buildfile: Resource) -> Iterator[str]:
    """Checks whether a build file is read here as every engine reads it, so that nothing hides from rules."""
    for instruction in buildfile.get("instructions") or ():
        for fault in instruction.faults:
            yield at(instruction, fault)


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("4.1",),
    also=("DS-0002",),
    fix="end the build file with USER and a number other than 0, for the group, too",
)
def image_user(buildfile: Resource) -> Iterator[str]:
    """Checks whether an image's own user is a number other than root's, should a container name none."""
    base, user, runs = "", None, False
    for instruction in buildfile.get("instructions") or ():
        if instruction.name == "FROM":
            base, user, runs = instruction.rest, None, False  # A new stage begins as root.
        elif instruction.name == "USER":
            user = instruction
        elif instruction.name in ("RUN", "CMD", "ENTRYPOINT"):
            runs = runs or instruction.arguments != "[]"
    if user is None:
        # An image that only carries files has nothing that could be run.
        if base != "scratch" or runs:
            yield "no USER, so it runs as root"
    elif not all(_is_number(part) for part in user.arguments.split(":", 1)):
        yield at(user, f"USER {user.arguments} is root, a name or no number that the engine takes")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]*", text) is not None and int(text) <= HIGHEST_ID


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("4.2",),
    fix="build on a base of the list in policies/rules/build.py, or extend the list",
)
def base_allowlist(buildfile: Resource) -> Iterator[str]:
    """Checks whether an image is built on a base that is trusted, and files are taken from no other image."""
    stages: list[str] = []
    for instruction in instructions(buildfile, "FROM", "COPY", "ADD", "RUN"):
        if instruction.name == "FROM":
            words = instruction.rest.split()
            if words and not _is_trusted(words[0], stages):
                yield at(instruction, f"the base {words[0]} is not on the list")
            # FROM base AS stage; without a name a stage has its number.
            stages.append(words[2].lower() if len(words) == 3 else "")
            continue
        for option in instruction.options:
            for source in FROM_OPTION.findall(option):
                if not _is_trusted(source, stages) and not (source.isdecimal() and int(source) < len(stages)):
                    yield at(instruction, f"{instruction.name} takes from {source}, which is not on the list")
        if instruction.name == "RUN":
            for option in instruction.options:
                if re.match(r"--(security|network)=(?!none|default|sandbox)", option, re.IGNORECASE):
                    yield at(instruction, f"{option} opens the host to the build")


def _is_trusted(image: str, stages: list[str]) -> bool:
    """An image of the list, whether or not it has a digest as well, or a stage: their names know no case."""
    name = re.sub(r"(?<=.)@sha256:[0-9a-f]{64}$", "", image)
    return name in ALLOWED_BASES or (image != "" and image.lower() in stages)


@resource_rule(
    "buildfile",
    severity="medium",
    level="mandatory",
    cis=("4.9",),
    also=("DS-0005",),
    fix="use COPY; fetch a file in a RUN that checks its hash",
)
def copy_not_add(buildfile: Resource) -> Iterator[str]:
    """Checks whether files come in by COPY: ADD also fetches addresses and unpacks archives."""
    for instruction in instructions(buildfile, "ADD"):
        yield at(instruction, "ADD is used")


@resource_rule(
    "buildfile",
    severity="critical",
    level="mandatory",
    cis=("4.10",),
    also=("DS-0031",),
    fix="leave the secret out: every layer keeps it; give it to the container as a file",
)
def no_build_secret(buildfile: Resource) -> Iterator[str]:
    """Checks whether no secret is written into an image."""
    for instruction in instructions(buildfile, "ENV", "ARG", "LABEL"):
        for name, value in _pairs(instruction):
            if is_secret(name, value):
                yield at(instruction, f"{instruction.name} {name} looks like a secret")
    for instruction in instructions(buildfile, "COPY", "ADD"):
        for source in instruction.words[:-1]:
            if KEY_FILE.search(source.rstrip("/")):
                yield at(instruction, f"the file {source} looks like a secret")
    for instruction in instructions(buildfile, "RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"):
        for command in instruction.script:
            set_ = [assigned.partition("=") for assigned in command.assignments]
            if any(is_secret(name, value) for name, _, value in set_) or any(in_words(command.words)):
                yield at(instruction, f"{instruction.name} holds what looks like a secret")
                break
    for instruction in instructions(buildfile):
        if SECRET_VALUE.search(instruction.arguments):
            yield at(instruction, f"{instruction.name} holds a key, a token or a password in a URL")


def _pairs(instruction: Instruction) -> Iterator[tuple[str, str | None]]:
    """NAME=value …, or one NAME alone (ARG), or the old form NAME value."""
    words = instruction.words
    if words and "=" not in words[0]:
        yield words[0], " ".join(words[1:]) or None
        return
    for word in words:
        name, _, value = word.partition("=")
        yield name, value
