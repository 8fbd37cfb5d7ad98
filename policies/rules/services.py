"""What single services must be told, so that they encrypt, authenticate and refuse to delete."""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Resource
from policies.rule import resource_rule

RAY_ROLES = frozenset({"ray-head", "compute"})
ENCRYPTION = {"MINIO_KMS_AUTO_ENCRYPTION": "on"}
ENCRYPTION_KEY = "MINIO_KMS_SECRET_KEY_FILE"
VAULT_FLAGS = {
    "--append-only": "a writer could delete snapshots",
    "--private-repos": "a writer could reach the repositories of others",
    "--htpasswd-file": "anybody could write",
    "--tls": "passwords would cross the network in plain text",
}


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
