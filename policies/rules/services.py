"""What single services must be told, so that they encrypt, authenticate and refuse to delete."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.model import Resource, Stack
from policies.rule import Fault, resource_rule, stack_rule

RAY_ROLES = frozenset({"ray-head", "compute"})
ENCRYPTION = {"MINIO_KMS_AUTO_ENCRYPTION": "on"}
ENCRYPTION_KEY = "MINIO_KMS_SECRET_KEY_FILE"
VAULT_FLAGS = {
    "--append-only": "a writer could delete snapshots",
    "--private-repos": "a writer could reach the repositories of others",
    "--htpasswd-file": "anybody could write",
    "--tls": "passwords would cross the network in plain text",
}


ROOT_FILES = ("MINIO_ROOT_USER_FILE", "MINIO_ROOT_PASSWORD_FILE")
ID_VARIABLES = frozenset({"MINIO_ROOT_USER", "MINIO_ACCESS_KEY", "AWS_ACCESS_KEY_ID"})
# What is derived for an identity (components/secrets.py); a stack's state shows no more than a stand-in.
ACCESS_KEY = re.compile(r"[A-Z2-7]{20}")
ID_FILE = re.compile(r"/(root-user|users/[^/]+/id)$")
CREDENTIALS_FILE = re.compile(r"/aws-credentials$")
ID_LINE = re.compile(r"^aws_access_key_id = (.*)$", re.MULTILINE)
HIDDEN = "(secret)"


def _flags(container: Resource) -> set[str]:
    """Long options of the command, without their values."""
    return {str(argument).partition("=")[0] for argument in container.each("command")}


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    fix=f"set MINIO_KMS_AUTO_ENCRYPTION=on and {ENCRYPTION_KEY}",
)
def encryption_at_rest(container: Resource) -> Iterator[str]:
    """Checks whether the object store encrypts every object, whatever the client asks for."""
    if container.role != "object-store" or container.is_seed:
        return
    environment = dict(container.environment)
    for name, value in ENCRYPTION.items():
        if environment.get(name) != value:
            yield f"environment variable {name} is not {value}"
    if not environment.get(ENCRYPTION_KEY):
        yield f"environment variable {ENCRYPTION_KEY} names no key file"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    fix="pass --certs-dir with the certificate, the key and the CA",
)
def object_store_tls(container: Resource) -> Iterator[str]:
    """Checks whether the object store is given a certificate: without one it serves plain text."""
    if container.role == "object-store" and not container.is_seed and "--certs-dir" not in _flags(container):
        yield "the command has no --certs-dir"


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    fix="derive the id from the seed as the key is (components/identity.py), and give it as a file",
)
def secret_access_key(container: Resource) -> Iterator[str]:
    """Checks whether every S3 access key id is a secret: who knows one can write what looks unsigned."""
    environment = dict(container.environment)
    for name in sorted(ID_VARIABLES & set(environment)):
        yield f"environment variable {name} holds an access key id"
    if container.role == "object-store" and not container.is_seed:
        for name in ROOT_FILES:
            if not environment.get(name):
                yield f"environment variable {name} names no file"
    for upload in container.each("uploads"):
        file, content = str(upload.get("file")), str(upload.get("content") or "")
        ids = [content] if ID_FILE.search(file) else []
        if CREDENTIALS_FILE.search(file) and content != HIDDEN:
            ids = ID_LINE.findall(content) or [""]
        if any(identifier != HIDDEN and not ACCESS_KEY.fullmatch(identifier) for identifier in ids):
            yield f"file {file} holds an access key id that is not derived"


@stack_rule(
    severity="medium",
    level="mandatory",
    fix="leave the credentials and the AWS_* variables out of its files and environment",
)
def storage_key_scope(stack: Stack) -> Iterator[Fault]:
    """Checks whether only who can reach the object store holds a key of it."""
    keys = {
        volume
        for seed in stack.of("container")
        if seed.is_seed and any(CREDENTIALS_FILE.search(str(u.get("file"))) for u in seed.each("uploads"))
        for volume in seed.writable_volumes
    }
    for container in stack.of("container"):
        if container.is_seed or any(network.endswith("-storage") for network in container.networks):
            continue
        mounted = {str(mount.get("source")) for mount in container.each("mounts")}
        if keys & mounted or any(name.startswith("AWS_") for name, _ in container.environment):
            yield Fault.at(container, "it is given an S3 key and is not on the storage segment")


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    fix="add the option to the vault's command",
)
def vault_append_only(container: Resource) -> Iterator[str]:
    """Checks whether the vault only ever adds, for a known writer, over TLS."""
    if container.role != "vault" or container.is_seed:
        return
    given = _flags(container)
    for flag, otherwise in VAULT_FLAGS.items():
        if flag not in given:
            yield f"the command has no {flag}: {otherwise}"


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    fix="set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH",
)
def ray_token(container: Resource) -> Iterator[str]:
    """Checks whether Ray asks for a token: who may submit a job runs code on every node."""
    if container.role not in RAY_ROLES or container.is_seed:
        return
    environment = dict(container.environment)
    if environment.get("RAY_AUTH_MODE") != "token":
        yield "environment variable RAY_AUTH_MODE is not token"
    if not environment.get("RAY_AUTH_TOKEN_PATH"):
        yield "environment variable RAY_AUTH_TOKEN_PATH names no file"


@resource_rule(
    "container",
    severity="medium",
    level="mandatory",
    fix='set the sysctl net.ipv4.ip_forward to "0"',
)
def no_forwarding(container: Resource) -> Iterator[str]:
    """Checks whether a container does not route between its segments, past the firewall."""
    forwarding = str(container.mapping("sysctls").get("net.ipv4.ip_forward") or "")
    if container.networks and forwarding != "0":
        yield "net.ipv4.ip_forward is not 0"
