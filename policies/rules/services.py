"""Settings that make individual services encrypt, authenticate and refuse deletion."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from policies.model import Resource, Stack
from policies.rule import Fault, resource_rule, stack_rule

RAY_ROLES = frozenset({"ray-head", "compute"})
ENCRYPTION = {"MINIO_KMS_AUTO_ENCRYPTION": "on"}
ENCRYPTION_KEY = "MINIO_KMS_SECRET_KEY_FILE"
VAULT_FLAGS = {
    "--append-only": "a writer could delete snapshots",
    "--private-repos": "a writer could reach the repositories of others",
    "--htpasswd-file": "anyone could write",
    "--tls": "passwords would cross the network in plain text",
}
ROOT_FILES = ("MINIO_ROOT_USER_FILE", "MINIO_ROOT_PASSWORD_FILE")
ID_VARIABLES = frozenset({"MINIO_ROOT_USER", "MINIO_ACCESS_KEY", "AWS_ACCESS_KEY_ID"})
# The form of a derived id (components/planning/secrets.py); a stack's state shows only a placeholder.
ACCESS_KEY = re.compile(r"[A-Z2-7]{20}")
ID_FILE = re.compile(r"/(root-user|users/[^/]+/id)$")
CREDENTIALS_FILE = re.compile(r"/aws-credentials$")
# Keys of an outside store, which it has made itself.
OUTSIDE_CREDENTIALS_FILE = re.compile(r"/store-credentials$")
ID_LINE = re.compile(r"^aws_access_key_id = (.*)$", re.MULTILINE)
HIDDEN = "(secret)"
FALSE = frozenset({"0", "f", "F", "false", "False", "FALSE"})
# Options of the two servers that take the next word as their value, even if it looks like an option.
VALUED = frozenset(
    {
        "--htpasswd-file", "--certs-dir", "--path", "--listen", "--log", "--max-size", "--tls-cert",
        "--tls-key",
        "--tls-min-ver", "--cpu-profile", "--proxy-auth-username", "--address", "--console-address",
        "--config",
    }
)  # fmt: skip
FORWARDING = re.compile(r"net\.ipv[46]\.(ip_forward\w*|conf\..+\.(mc_)?forwarding|ip_forward_use_pmtu)")


def _flags(container: Resource) -> Mapping[str, str]:
    """Long options in force, with their values; the last one counts when an option is repeated.

    Options that are switched off (`--tls=false`), or lack a required value, are left out.
    """
    words = [str(argument) for argument in container.each("command")]
    if words[:1] and words[0].rpartition("/")[2] == "follow" and "--" in words:
        words = words[words.index("--") + 1 :]  # It runs the command that follows.
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word == "--":  # The end of the options.
            break
        name, sign, value = word.partition("=")
        if name.startswith("-"):
            name = f"--{name.lstrip('-')}"
            if name in VALUED and not sign:
                value = next(rest, "")
            found[name] = value if name in VALUED or sign else "true"
    return {name: value for name, value in found.items() if value and value not in FALSE}


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    fix=f"set MINIO_KMS_AUTO_ENCRYPTION=on and {ENCRYPTION_KEY}",
)
def encryption_at_rest(container: Resource) -> Iterator[str]:
    """Checks whether the object store encrypts every object, regardless of what the client requests."""
    if container.role != "object-store" or container.is_seed:
        return
    for name, value in ENCRYPTION.items():
        if container.variable(name) != value:
            yield f"environment variable {name} is not {value}"
    if not container.variable(ENCRYPTION_KEY):
        yield f"environment variable {ENCRYPTION_KEY} does not name a key file"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    fix="pass --certs-dir with the certificate, the key and the CA",
)
def object_store_tls(container: Resource) -> Iterator[str]:
    """Checks whether the object store has a certificate: without one it serves plain HTTP."""
    if container.role == "object-store" and not container.is_seed and "--certs-dir" not in _flags(container):
        yield "the command has no --certs-dir"


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    fix="derive the id from the seed, like the key (components/runtime/identity.py), and pass it as a file",
)
def secret_access_key(container: Resource) -> Iterator[str]:
    """Checks whether every S3 access key id is secret: knowing one can suffice for unsigned writes."""
    environment = dict(container.environment)
    for name in sorted(ID_VARIABLES & set(environment)):
        yield f"environment variable {name} holds an access key id"
    if container.role == "object-store" and not container.is_seed:
        for name in ROOT_FILES:
            if not environment.get(name):
                yield f"environment variable {name} does not name a file"
    for upload in container.each("uploads"):
        file, content = str(upload.get("file")), str(upload.get("content") or "")
        ids = [content] if ID_FILE.search(file) else []
        if CREDENTIALS_FILE.search(file) and content != HIDDEN:
            ids = ID_LINE.findall(content) or [""]
        if any(identifier != HIDDEN and not ACCESS_KEY.fullmatch(identifier) for identifier in ids):
            yield f"file {file} holds an access key id that is not derived"


def _is_key(file: str) -> bool:
    return bool(CREDENTIALS_FILE.search(file) or OUTSIDE_CREDENTIALS_FILE.search(file))


@stack_rule(
    severity="medium",
    level="mandatory",
    fix="remove the credentials and the AWS_* variables from its files and environment",
)
def storage_key_scope(stack: Stack) -> Iterator[Fault]:
    """Checks whether only containers that can reach the object store hold a key to it."""
    keys = {
        volume
        for seed in stack.of("container")
        if seed.is_seed and any(_is_key(str(upload.get("file"))) for upload in seed.each("uploads"))
        for volume in seed.writable_volumes
    }
    for container in stack.of("container"):
        if container.is_seed or any(network.endswith("-storage") for network in container.networks):
            continue
        mounted = {str(mount.get("source")) for mount in container.each("mounts")}
        if keys & mounted or any(name.startswith("AWS_") for name, _ in container.environment):
            yield Fault.at(container, "it receives an S3 key but is not on the storage segment")


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    fix="add the option to the vault's command",
)
def vault_append_only(container: Resource) -> Iterator[str]:
    """Checks whether the vault is append-only, requires authentication and serves TLS."""
    if container.role != "vault" or container.is_seed:
        return
    given = _flags(container)
    for flag, otherwise in VAULT_FLAGS.items():
        if flag not in given:
            yield f"the command has no {flag}: {otherwise}"
    if "--no-auth" in given:
        yield "the command has --no-auth: anyone could write"


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    fix="set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH",
)
def ray_token(container: Resource) -> Iterator[str]:
    """Checks whether Ray requires a token: anyone who can submit a job can run code on every node."""
    if container.role not in RAY_ROLES or container.is_seed:
        return
    if container.variable("RAY_AUTH_MODE") != "token":
        yield "environment variable RAY_AUTH_MODE is not token"
    if not container.variable("RAY_AUTH_TOKEN_PATH"):
        yield "environment variable RAY_AUTH_TOKEN_PATH does not name a file"


@resource_rule(
    "container",
    severity="medium",
    level="mandatory",
    fix='set the sysctl net.ipv4.ip_forward to "0"',
)
def no_forwarding(container: Resource) -> Iterator[str]:
    """Checks whether a container does not route between its segments, which would bypass the firewall."""
    # The kernel accepts a slash for a dot, and each interface has its own switch.
    given = {str(k).replace("/", "."): str(v) for k, v in container.mapping("sysctls").items()}
    if container.networks and "net.ipv4.ip_forward" not in given:
        yield "net.ipv4.ip_forward is not set, so the engine's default applies"
    for name, value in given.items():
        if FORWARDING.fullmatch(name) and value != "0":
            yield f"{name} is not 0"
