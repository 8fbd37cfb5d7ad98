"""How images are built: base images, users, packages and secrets in the build files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.buildfile import Instruction
from policies.model import Resource
from policies.rule import resource_rule
from policies.rules.images import PLACE_NAME, SECRET_NAME, SECRET_VALUE

# Base images that are trusted: the distribution that the host's own packages come from, and nothing at all.
ALLOWED_BASES = frozenset({"debian:trixie-slim", "scratch"})
INSTALLERS = frozenset({"apt", "apt-get"})
UNVERIFIED = frozenset({"--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"})
PIP_VERBS = frozenset({"pip", "install", "sync"})
FETCHERS = frozenset({"curl", "wget"})
VERIFIERS = frozenset({"sha256sum", "sha512sum", "gpg", "gpgv", "cosign"})
KEY_FILE = re.compile(r"(^|/)(id_(rsa|ecdsa|ed25519)|\.env|\.netrc|\.npmrc|[^/]*\.(key|p12|pfx|jks))$")


def _instructions(buildfile: Resource, *names: str) -> Iterator[Instruction]:
    return (i for i in buildfile.get("instructions") or () if not names or i.name in names)


def _at(instruction: Instruction, text: str) -> str:
    return f"line {instruction.line}: {text}"


def _installs(words: tuple[str, ...]) -> bool:
    return words[0] in INSTALLERS and "install" in words


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("4.1",),
    also=("DS-0002",),
    fix="end the build file with USER and a number other than 0",
)
def image_user(buildfile: Resource) -> Iterator[str]:
    """Checks whether an image's own user is a number other than root's, should a container name none."""
    base, user = "", None
    for instruction in _instructions(buildfile, "FROM", "USER"):
        if instruction.name == "FROM":
            base, user = instruction.arguments, None  # A new stage begins as root.
        else:
            user = instruction
    if user is None:
        # An image that only carries files has nothing that could be run.
        runs = any(i.arguments != "[]" for i in _instructions(buildfile, "RUN", "CMD", "ENTRYPOINT"))
        if base != "scratch" or runs:
            yield "no USER, so it runs as root"
    elif not re.fullmatch(r"[1-9]\d*(:\d+)?", user.arguments):
        yield _at(user, f"USER {user.arguments} is root or a name")


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("4.2",),
    fix="build on a base of the list in policies/rules/build.py, or extend the list",
)
def base_allowlist(buildfile: Resource) -> Iterator[str]:
    """Checks whether an image is built on a base that is trusted."""
    stages: set[str] = set()
    for instruction in _instructions(buildfile, "FROM"):
        words = [word for word in instruction.arguments.split() if not word.startswith("--")]
        if words[0] not in ALLOWED_BASES | stages:
            yield _at(instruction, f"the base {words[0]} is not on the list")
        if len(words) == 3:  # FROM base AS stage
            stages.add(words[2])


@resource_rule(
    "buildfile",
    severity="low",
    level="mandatory",
    cis=("4.3",),
    fix="install with --no-install-recommends and remove /var/lib/apt/lists in the same RUN",
)
def minimal_packages(buildfile: Resource) -> Iterator[str]:
    """Checks whether only named packages are installed, and package lists do not stay in the image."""
    for instruction in _instructions(buildfile, "RUN"):
        installs = [words for words in instruction.commands if _installs(words)]
        if any("--no-install-recommends" not in words for words in installs):
            yield _at(instruction, "packages bring others that nobody named")
        if installs and "/var/lib/apt/lists" not in instruction.arguments:
            yield _at(instruction, "package lists stay in the image")


@resource_rule(
    "buildfile",
    severity="medium",
    level="mandatory",
    cis=("4.7",),
    fix="join update and install with && in one RUN",
)
def update_with_install(buildfile: Resource) -> Iterator[str]:
    """Checks whether package lists are fetched where packages are installed, not in a cached layer before."""
    for instruction in _instructions(buildfile, "RUN"):
        commands = list(instruction.commands)
        updates = any(words[0] in INSTALLERS and "update" in words for words in commands)
        if updates != any(_installs(words) for words in commands):
            yield _at(instruction, "update and install are not in one RUN")


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
    for instruction in _instructions(buildfile, "ADD"):
        yield _at(instruction, "ADD is used")


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
    for instruction in _instructions(buildfile, "ENV", "ARG"):
        # NAME=value …, or one NAME alone, or the old form NAME value.
        names = re.findall(r"(?:^|\s)(\w+)=", instruction.arguments) or instruction.arguments.split()[:1]
        for name in names:
            if SECRET_NAME.search(name.upper()) and not PLACE_NAME.search(name.upper()):
                yield _at(instruction, f"{instruction.name} {name} looks like a secret")
    for instruction in _instructions(buildfile, "COPY", "ADD"):
        for source in instruction.arguments.split()[:-1]:
            if KEY_FILE.search(source):
                yield _at(instruction, f"the file {source} looks like a secret")
    for instruction in _instructions(buildfile):
        if SECRET_VALUE.search(instruction.arguments):
            yield _at(instruction, f"{instruction.name} holds a key or a password in a URL")


@resource_rule(
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("4.11", "4.12"),
    fix="install by a hash-locked list (--require-hashes), and check a download's hash in the same RUN",
)
def verified_packages(buildfile: Resource) -> Iterator[str]:
    """Checks whether packages and downloads are verified: signed by the distribution, or known by hash."""
    for instruction in _instructions(buildfile, "RUN"):
        commands = list(instruction.commands)
        verified = any(VERIFIERS.intersection(words) for words in commands)
        for words in commands:
            program = words[0].rpartition("/")[2]
            if _installs(words) and UNVERIFIED.intersection(words):
                yield _at(instruction, "unsigned packages are taken")
            elif program in ("pip", "pip3", "uv") and PIP_VERBS.intersection(words):
                if "--require-hashes" not in words:
                    what = " ".join(w for w in words[1:] if not w.startswith("-") and w not in PIP_VERBS)
                    yield _at(instruction, f"{program} installs {what}, of which no hash is known")
            elif program in FETCHERS and not verified:
                yield _at(instruction, f"what {program} fetches is not verified")
