"""What single services must be told, so that they encrypt, authenticate and refuse to delete."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

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


FALSE = frozenset({"0", "f", "F", "false", "False", "FALSE"})
# Options of the two servers that take the next word as their value, whatever it looks like.
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
    """Long options that are in force, with their values; of an option that is there twice, the last.

    One that is switched off (`--tls=false`), or has no value where it needs one, is none.
    """
    words = [str(argument) for argument in container.each("command")]
    if words[:1] and words[0].rpartition("/")[2] == "follow" and "--" in words:
        words = words[words.index("--") + 1 :]  # It runs what comes then.
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word == "--":  # What follows is no option.
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
    """Checks whether the object store encrypts every object, whatever the client asks for."""
    if container.role != "object-store" or container.is_seed:
        return
    for name, value in ENCRYPTION.items():
        if container.variable(name) != value:
            yield f"environment variable {name} is not {value}"
    if not container.variable(ENCRYPTION_KEY):
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
    if "--no-auth" in given:
        yield "the command has --no-auth: anybody could write"


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
    if container.variable("RAY_AUTH_MODE") != "token":
        yield "environment variable RAY_AUTH_MODE is not token"
    if not container.variable("RAY_AUTH_TOKEN_PATH"):
        yield "environment variable RAY_AUTH_TOKEN_PATH names no file"


@resource_rule(
    "container",
    severity="medium",
    level="mandatory",
    fix='set the sysctl net.ipv4.ip_forward to "0"',
)
def no_forwarding(container: Resource) -> Iterator[str]:
    """Checks whether a container does not route between its segments, past the firewall."""
    # The kernel takes a slash for a dot, and each interface has a switch of its own.
    given = {str(k).replace("/", "."): str(v) for k, v in container.mapping("sysctls").items()}
    if container.networks and "net.ipv4.ip_forward" not in given:
        yield "net.ipv4.ip_forward is not set, so the engine's is in force"
    for name, value in given.items():
        if FORWARDING.fullmatch(name) and value != "0":
            yield f"{name} is not 0"
