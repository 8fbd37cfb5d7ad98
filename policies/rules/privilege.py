"""What a process inside a container may do: user, capabilities, kernel filters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from policies.model import HIGHEST_ID, Resource
from policies.rule import resource_rule

# Capabilities that a role may add after dropping all. Roles that are not listed may add none.
ALLOWED_CAPABILITIES: Mapping[str, frozenset[str]] = {
    # Loads nftables rules into the host's network namespace.
    "firewall": frozenset({"NET_ADMIN"}),
}
# The engine's own profiles, by name. Any other profile may allow everything.
DEFAULT_SECCOMP = frozenset({"builtin", "default"})
LSM_DEFAULTS: Mapping[str, frozenset[str]] = {
    "apparmor": frozenset({"docker-default"}),
    "label": frozenset({"type:container_t"}),
    "systempaths": frozenset(),
}
TRUE = frozenset({"1", "t", "T", "true", "True", "TRUE"})
# Each of these alone is a known way out of a container, or into its neighbours' traffic.
DEADLY_CAPABILITIES = frozenset(
    {
        "ALL",
        "SYS_ADMIN",
        "SYS_MODULE",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "DAC_READ_SEARCH",
        "NET_ADMIN",
        "NET_RAW",
        "BPF",
    }
)


def _capabilities(container: Resource, which: str) -> Iterator[str]:
    """Names without the `CAP_` prefix, upper case: Docker accepts both spellings."""
    value = container.mapping("capabilities").get(which)
    items: Iterable[object] = value if value is not None and not isinstance(value, str) else ()
    return (str(item).upper().removeprefix("CAP_") for item in items)


def _security_options(container: Resource) -> tuple[tuple[str, str], ...]:
    """Options as (key, value), in order: the engine also accepts the old spelling with a colon."""
    options = (str(option).strip() for option in container.each("securityOpts"))
    parted = (re.fullmatch(r"([\w-]+)(?:[=:](.*))?", option, re.DOTALL) for option in options)
    return tuple((match[1].lower(), (match[2] or "").strip()) for match in parted if match)


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    cis=("5.5",),
    also=("KSV-0017",),
    fix="remove privileged; add the single capability or device that the service needs",
)
def no_privileged(container: Resource) -> Iterator[str]:
    """Checks whether a container runs without the privileged flag, which would give it the whole host."""
    if container.get("privileged"):
        yield "privileged is set"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.4",),
    also=("KSV-0003",),
    fix='set capabilities.drops to ["ALL"]',
)
def caps_drop_all(container: Resource) -> Iterator[str]:
    """Checks whether a container drops all of Docker's default capabilities."""
    if "ALL" not in _capabilities(container, "drops"):
        yield 'capabilities.drops does not hold "ALL"'


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.4",),
    also=("KSV-0106",),
    fix="remove it from capabilities.adds, or allow it for the role in policies/rules/privilege.py",
)
def caps_allowlist(container: Resource) -> Iterator[str]:
    """Checks whether a container adds only the capabilities that its role needs."""
    allowed = ALLOWED_CAPABILITIES.get(container.role, frozenset())
    for capability in _capabilities(container, "adds"):
        if capability not in allowed:
            yield f"capability {capability} is added, which role {container.role or '(none)'} may not have"


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    cis=("5.4",),
    also=("KSV-0005", "KSV-0119", "KSV-0120"),
    fix="remove it from capabilities.adds and do the work outside the container",
)
def no_deadly_caps(container: Resource) -> Iterator[str]:
    """Checks whether a container adds no capability that allows it to break out."""
    for capability in _capabilities(container, "adds"):
        if capability in DEADLY_CAPABILITIES:
            yield f"capability {capability} is added"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("4.8", "5.26", "2.14"),
    also=("KSV-0001",),
    fix='set securityOpts to ["no-new-privileges:true"]',
)
def no_new_privileges(container: Resource) -> Iterator[str]:
    """Checks whether set-uid programs cannot raise the privileges of a container's processes."""
    given = [value for key, value in _security_options(container) if key == "no-new-privileges"]
    # Of several, the engine uses the last; without a value it is true.
    if not given or given[-1] not in ("", *TRUE):
        yield "no-new-privileges is not set"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.22", "2.17"),
    also=("KSV-0030",),
    fix="remove the seccomp option: Docker's default profile then applies",
)
def seccomp_on(container: Resource) -> Iterator[str]:
    """Checks whether a container keeps the engine's default seccomp filter."""
    for key, value in _security_options(container):
        if key == "seccomp" and value not in DEFAULT_SECCOMP:
            # An inline profile may allow everything: its contents are not examined.
            yield f"seccomp is {value if value.isalnum() else 'a custom profile'}"


@resource_rule(
    "container",
    severity="medium",
    level="mandatory",
    cis=("5.2", "5.3"),
    fix="remove the option: the host's AppArmor or SELinux default then applies",
)
def lsm_on(container: Resource) -> Iterator[str]:
    """Checks whether a container keeps the host's AppArmor or SELinux confinement and masked system paths."""
    for key, value in _security_options(container):
        if key in LSM_DEFAULTS and value not in LSM_DEFAULTS[key]:
            yield f"security option {key}={value} is set"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("4.1",),
    also=("KSV-0012", "DS-0002"),
    fix='set user to a number other than 0, such as "10001:10001"',
)
def non_root(container: Resource) -> Iterator[str]:
    """Checks whether a container runs as a numeric user other than root."""
    if container.is_seed:  # No process ever runs in it.
        return
    user = container.text("user")
    uid, colon, gid = user.partition(":")
    if not user:
        yield "user is not set, so the image decides"
    else:
        yield from _identity("user", uid, user)
    if colon:
        yield from _identity("group", gid, gid)
    for group in container.each("groupAdds"):
        for fault in _identity("group", _whole(group), _whole(group)):
            yield f"{fault} (in groupAdds)"


def _whole(number: object) -> str:
    """The engine sends every number as a float."""
    return f"{number:.0f}" if isinstance(number, float) else str(number)


def _identity(what: str, given: str, shown: str) -> Iterator[str]:
    """Faults of a user id or a group id."""
    if re.fullmatch(r"[0-9]+", given) is None:
        yield f"{what} {shown!r} is a name, which the image may map to root"
    elif int(given) == 0:
        yield f"{what} is root"
    elif int(given) > HIGHEST_ID:
        yield f"{what} {shown} is above the highest id that the engine accepts"
