"""How images are built: base images, users and secrets in build files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.buildfile import Instruction
from policies.model import HIGHEST_ID, Resource
from policies.rule import resource_rule
from policies.secret_names import SECRET_VALUE, in_words, is_secret

# Trusted base images: the distribution that the host's own packages come from, and the empty image.
ALLOWED_BASES = frozenset({"debian:trixie-slim", "scratch"})
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
    """The instructions with these names, or all; what ONBUILD defers counts as if it were done here."""
    for instruction in buildfile.get("instructions") or ():
        if not names or instruction.name in names:
            yield instruction
        deferred = instruction.deferred
        if deferred and deferred.name in names:
            yield deferred


def at(instruction: Instruction, text: str) -> str:
    """A fault, prefixed with the line of its instruction."""
    return f"line {instruction.line}: {text}"


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    fix="write plain instructions: no directives, and COPY a separate script instead of a here-document",
)
def plain_build_file(buildfile: Resource) -> Iterator[str]:
    """Checks whether every engine parses a build file as these rules do, so that nothing hides from them."""
    for instruction in buildfile.get("instructions") or ():
        for fault in instruction.faults:
            yield at(instruction, fault)


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("4.1",),
    also=("DS-0002",),
    fix="end the build file with USER and a number other than 0; the same goes for the group",
)
def image_user(buildfile: Resource) -> Iterator[str]:
    """Checks whether an image's default user is a number other than root's."""
    base, user, runs = "", None, False
    for instruction in buildfile.get("instructions") or ():
        if instruction.name == "FROM":
            base, user, runs = instruction.rest, None, False  # A new stage begins as root.
        elif instruction.name == "USER":
            user = instruction
        elif instruction.name in ("RUN", "CMD", "ENTRYPOINT"):
            runs = runs or instruction.arguments != "[]"
    if user is None:
        # An image that only carries files has nothing to run.
        if base != "scratch" or runs:
            yield "no USER, so it runs as root"
    elif not all(_is_number(part) for part in user.arguments.split(":", 1)):
        yield at(user, f"USER {user.arguments} is root, a name or a number that the engine does not accept")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]*", text) is not None and int(text) <= HIGHEST_ID


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("4.2",),
    fix="use a base image on the allowlist in policies/rules/build.py, or extend it",
)
def base_allowlist(buildfile: Resource) -> Iterator[str]:
    """Checks whether an image is built on a trusted base, and copies files from trusted images only."""
    stages: list[str] = []
    for instruction in instructions(buildfile, "FROM", "COPY", "ADD", "RUN"):
        if instruction.name == "FROM":
            words = instruction.rest.split()
            if words and not _is_trusted(words[0], stages):
                yield at(instruction, f"the base {words[0]} is not on the allowlist")
            # FROM base AS stage; a stage without a name is called by its number.
            stages.append(words[2].lower() if len(words) == 3 else "")
            continue
        for option in instruction.options:
            for source in FROM_OPTION.findall(option):
                if not _is_trusted(source, stages) and not (source.isdecimal() and int(source) < len(stages)):
                    yield at(instruction, f"{instruction.name} reads {source}, which is not on the allowlist")
        if instruction.name == "RUN":
            for option in instruction.options:
                if re.match(r"--(security|network)=(?!none|default|sandbox)", option, re.IGNORECASE):
                    yield at(instruction, f"{option} opens the host to the build")


def _is_trusted(image: str, stages: list[str]) -> bool:
    """An image on the allowlist, with or without a digest, or a stage, whose name is case-insensitive."""
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
    """Checks whether files are added with COPY: ADD also fetches URLs and unpacks archives."""
    for instruction in instructions(buildfile, "ADD"):
        yield at(instruction, "ADD is used")


@resource_rule(
    "buildfile",
    severity="critical",
    level="mandatory",
    cis=("4.10",),
    also=("DS-0031",),
    fix="remove the secret, which every layer keeps; pass it to the container as a file",
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
                yield at(instruction, f"{instruction.name} contains what looks like a secret")
                break
    for instruction in instructions(buildfile):
        if SECRET_VALUE.search(instruction.arguments):
            yield at(instruction, f"{instruction.name} holds a key, a token or a password in a URL")


def _pairs(instruction: Instruction) -> Iterator[tuple[str, str | None]]:
    """NAME=value …, a single NAME (ARG), or the old form NAME value."""
    words = instruction.words
    if words and "=" not in words[0]:
        yield words[0], " ".join(words[1:]) or None
        return
    for word in words:
        name, _, value = word.partition("=")
        yield name, value
