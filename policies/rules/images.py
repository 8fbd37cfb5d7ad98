"""The image that a container runs, and how it receives secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.model import Resource
from policies.rule import resource_rule
from policies.secret_names import SECRET_VALUE, in_words, is_secret

# Allowed repositories: our images are built here. A dot or a slash would name a registry.
ALLOWED_REPOSITORIES = re.compile(r"aidc-[a-z0-9-]+")
SSH_SERVERS = frozenset({"sshd", "openssh-server", "dropbear", "dropbear-bin", "dropbear-run", "tinysshd"})


def _reference(resource: Resource) -> str:
    """The image's reference: a container names it `image`, an image resource `name`."""
    return resource.text("image" if resource.kind == "container" else "name")


def _split(reference: str) -> tuple[str, str, str]:
    """(repository, tag, digest); a colon before the last slash belongs to a port."""
    name, _, digest = reference.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return f"{head}{slash}{last}", tag, digest


def _is_id(reference: str) -> bool:
    """Whether this is a bare image id, which is immutable."""
    return re.fullmatch(r"sha256:[0-9a-f]{64}", reference) is not None


@resource_rule(
    "container",
    "image",
    severity="high",
    level="mandatory",
    cis=("5.28",),
    fix="name the image by a digest, or by a tag that is a hash of its content",
)
def image_pinned(resource: Resource) -> Iterator[str]:
    """Checks whether an image's name is immutable."""
    reference = _reference(resource)
    _, tag, digest = _split(reference)
    hashed = re.fullmatch(r"[0-9a-f]{12,64}", tag) or re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    if not hashed and not _is_id(reference):
        yield f"image {reference} has neither a digest nor a content-hash tag"


@resource_rule(
    "container",
    "image",
    severity="medium",
    level="mandatory",
    also=("DS-0001",),
    fix="name the image by its content-hash tag",
)
def no_latest(resource: Resource) -> Iterator[str]:
    """Checks whether an image has a tag other than latest."""
    reference = _reference(resource)
    _, tag, digest = _split(reference)
    if tag == "latest":
        yield f"image {reference} is tagged latest"
    elif not tag and not digest and not _is_id(reference):
        yield f"image {reference} has no tag, which means latest"


@resource_rule(
    "container",
    "image",
    severity="high",
    level="mandatory",
    cis=("4.2",),
    fix="use one of the images in images/, or allow the repository in policies/rules/images.py",
)
def registry_allowlist(resource: Resource) -> Iterator[str]:
    """Checks whether an image comes from a trusted repository."""
    reference = _reference(resource)
    if not ALLOWED_REPOSITORIES.fullmatch(_split(reference)[0]) and not _is_id(reference):
        yield f"image {reference} comes from a repository that is not on the allowlist"


@resource_rule(
    "container",
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("5.7",),
    fix="remove it: use docker exec and the logs to look inside",
)
def no_sshd(resource: Resource) -> Iterator[str]:
    """Checks whether no SSH server is installed in an image or started in a container."""
    if resource.kind == "buildfile":
        for instruction in resource.get("instructions") or ():
            words = re.split(r"[\s\"',/\[\]]+", instruction.arguments)
            for server in sorted(SSH_SERVERS.intersection(words)):
                yield f"line {instruction.line}: {server} is in the image"
        return
    run = [word for key in ("command", "entrypoints") for word in resource.each(key)]
    run += resource.mapping("healthcheck").get("tests") or ()
    for server in sorted(SSH_SERVERS.intersection(re.split(r"[\s/]+", " ".join(map(str, run))))):
        yield f"{server} is run"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("4.10",),
    also=("DS-0031",),
    fix="deliver it as a file of mode 0400 in a seeded volume and pass the path (NAME_FILE)",
)
def no_secret_env(container: Resource) -> Iterator[str]:
    """Checks whether no secret is in a container's environment, command line, labels or own files."""
    for name, value in container.environment:
        if is_secret(name, value):
            yield f"environment variable {name} looks like a secret"
        elif SECRET_VALUE.search(value):
            yield f"environment variable {name} holds a key, a token or a password in a URL"
    words = {key: tuple(map(str, container.each(key))) for key in ("entrypoints", "command")}
    words["healthcheck.tests"] = tuple(map(str, container.mapping("healthcheck").get("tests") or ()))
    for key, arguments in words.items():
        for position in in_words(arguments):
            yield f"{key}[{position}] looks like a secret"
    shown = {str(item.get("label")): str(item.get("value") or "") for item in container.each("labels")}
    for key, pairs in (("label", shown), ("log option", container.mapping("logOpts"))):
        for name, value in pairs.items():
            if is_secret(name, str(value)) or SECRET_VALUE.search(str(value)):
                yield f"{key} {name} looks like a secret"
    if container.is_seed:  # Its uploads land in a volume; that is how secrets are delivered.
        return
    for upload in container.each("uploads"):
        yield f"file {upload.get('file')} is uploaded into the container's own layer"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    fix="set the upload's permissions to 0400 and its owner to the user that reads it",
)
def secret_file_mode(container: Resource) -> Iterator[str]:
    """Checks whether uploaded files, which may be secrets, are readable by their owner only."""
    for upload in container.each("uploads"):
        mode = str(upload.get("permissions") or "0644")
        if re.fullmatch(r"0?[0-7]00", mode) is None:
            yield f"file {upload.get('file')} has mode {mode}"
