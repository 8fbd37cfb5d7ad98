"""Two fixtures a rule: the clean stack passes, and each violating change of it is found where it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from components.flows import Flow
from policies.catalogue import MODULES, NAMES, RULES
from policies.evaluate import faults
from policies.rule import ResourceRule, Rule
from tests.policy.conftest import make_plant

BY_NAME = {rule.name: rule for rule in RULES}


@dataclass(frozen=True)
class Violation:
    """A change of the clean stack that `rule` must find in the resource under `key` of the fixture."""

    rule: str
    what: str
    key: str
    change: Callable[[Any], object]


def sets(rule: str, key: str = "vault", what: str = "", **props: Any) -> Violation:
    """A violation by setting properties."""
    return Violation(rule, what or "-".join(props), key, lambda plant: plant[key].update(props))


def removes(rule: str, prop: str, key: str = "vault") -> Violation:
    """A violation by leaving a property out."""
    return Violation(rule, f"no-{prop}", key, lambda plant: plant[key].pop(prop))


def adds(rule: str, prop: str, item: Any, key: str = "vault", what: str = "") -> Violation:
    """A violation by one more item in a list."""

    def change(plant: Any) -> None:
        plant[key][prop] = [*plant[key].get(prop, []), item]

    return Violation(rule, what or f"{prop}-{item if isinstance(item, str) else len(str(item))}", key, change)


def capability(rule: str, name: str) -> Violation:
    return sets(rule, what=name, capabilities={"drops": ["ALL"], "adds": [name]})


def bind(rule: str, source: str, read_only: bool = False) -> Violation:
    mount = {"type": "bind", "source": source, "target": "/host", "readOnly": read_only}
    return adds(rule, "mounts", mount, what=source)


def joins(rule: str, key: str, network: str) -> Violation:
    return adds(rule, "networksAdvanced", {"name": network}, key, what=f"{key}-joins-{network}")


def without(rule: str, key: str, prop: str, item: str) -> Violation:
    """A violation by one item less in a list of strings."""

    def change(plant: Any) -> None:
        plant[key][prop] = [entry for entry in plant[key][prop] if entry != item]

    return Violation(rule, f"no-{item}", key, change)


def flow(rule: str, key: str, source: str, destination: str) -> Violation:
    def change(plant: Any) -> None:
        plant.flows = (*plant.flows, Flow(source, destination, 8000, 8000, "tcp", "backup", "test"))

    return Violation(rule, f"flow-{source}-{destination}", key, change)


def builds(rule: str, line: str) -> Violation:
    """A violation by one more line in the build file."""
    return Violation(rule, line, "build-file", lambda plant: plant.build(line))


def rebuilds(rule: str, old: str, new: str) -> Violation:
    """A violation by other words in the build file."""

    def change(plant: Any) -> None:
        lines = (
            replace(i, arguments=i.arguments.replace(old, new)) for i in plant["build-file"]["instructions"]
        )
        plant["build-file"]["instructions"] = tuple(lines)

    return Violation(rule, f"{old}-{new}", "build-file", change)


def _unknown_type(plant: Any) -> None:
    plant.types["component"] = "docker:index/service:Service"


def _no_build_user(plant: Any) -> None:
    plant["build-file"]["instructions"] = plant["build-file"]["instructions"][:-1]


def _new_stage(plant: Any) -> None:
    plant.build("FROM scratch\nENTRYPOINT /server")


def _ipv6_address(plant: Any) -> None:
    plant["vault"]["networksAdvanced"][0]["ipv6Address"] = "fd00::2"


def _any_address(plant: Any) -> None:
    del plant["vault"]["networksAdvanced"][0]["ipv4Address"]


def _no_tls(plant: Any) -> None:
    plant.listens["vault"] = tuple(replace(listen, purpose="REST") for listen in plant.listens["vault"])


def _no_backup_flow(plant: Any) -> None:
    plant.flows = tuple(
        flow for flow in plant.flows if flow.source != "backup" or flow.destination == "vault"
    )


def _unlisted_bucket(plant: Any) -> None:
    plant["setup-seed"]["uploads"][0]["content"] += "results\n"


INLINE_BIND = {
    "type": "volume",
    "target": "/x",
    "volumeOptions": {"driverOptions": {"type": "none", "o": "bind", "device": "/"}},
}
SHARED = {"type": "bind", "source": "/srv", "target": "/srv", "bindOptions": {"propagation": "rshared"}}
VAULT_DATA = {"type": "volume", "source": "aidc-test-vault-data", "readOnly": True}
PORT = {"internal": 8000.0, "external": 18000.0, "ip": "127.0.0.1"}

VIOLATIONS = (
    sets("no-privileged", privileged=True),
    removes("caps-drop-all", "capabilities"),
    sets("caps-drop-all", what="some", capabilities={"drops": ["CAP_NET_RAW"]}),
    sets("caps-drop-all", key="backup-seed", what="seed", capabilities={}),
    capability("caps-allowlist", "CHOWN"),
    capability("caps-allowlist", "CAP_SETUID"),
    *(
        capability("no-deadly-caps", name)
        for name in ("SYS_ADMIN", "CAP_SYS_ADMIN", "cap_net_raw", "NET_ADMIN", "ALL")
    ),
    removes("no-new-privileges", "securityOpts"),
    sets("no-new-privileges", what="false", securityOpts=["no-new-privileges:false"]),
    adds("seccomp-on", "securityOpts", "seccomp=unconfined"),
    adds("seccomp-on", "securityOpts", "seccomp:unconfined"),
    adds("lsm-on", "securityOpts", "apparmor=unconfined"),
    adds("lsm-on", "securityOpts", "label:disable"),
    adds("lsm-on", "securityOpts", "systempaths=unconfined"),
    removes("non-root", "user"),
    *(sets("non-root", what=user, user=user) for user in ("0", "0:0", "00", "root", "backup", "-1")),
    sets("non-root", groupAdds=["0"]),
    sets("non-root", key="backup-seed", what="borrowed-seed-label", start=True),
    *(
        bind("no-docker-socket", path, read_only=True)
        for path in (
            "/var/run/docker.sock",
            "/run/docker.sock",
            "/run",
            "/var",
            "/",
            "//var//run/",
            "/run/user/1000/docker.sock",
            "/run/containerd",
        )
    ),
    adds("no-docker-socket", "volumes", {"hostPath": "/var/run/docker.sock", "containerPath": "/s"}),
    *(bind("no-host-paths", path) for path in ("/", "/etc/passwd", "/proc", "/srv/../etc", "//usr", "/var")),
    adds("no-host-paths", "volumes", {"hostPath": "/boot", "containerPath": "/boot"}),
    sets("no-bind-volume", key="files", driverOpts={"type": "none", "o": "bind", "device": "/etc"}),
    sets("no-bind-volume", key="files", what="rbind", driverOpts={"o": "ro,rbind", "device": "/"}),
    adds("no-bind-volume", "mounts", INLINE_BIND, what="inline"),
    sets("no-host-network", networkMode="host"),
    sets("no-joined-netns", networkMode="container:aidc-test-backup"),
    sets("no-host-pid", pidMode="host"),
    sets("no-host-pid", what="joined", pidMode="container:aidc-test-backup"),
    sets("no-host-ipc", ipcMode="host"),
    sets("no-host-userns", usernsMode="host"),
    sets("cgroup-default", cgroupParent="/"),
    sets("cgroup-default", cgroupnsMode="host"),
    adds("no-shared-propagation", "mounts", SHARED, what="rshared"),
    adds("gpu-scope", "devices", {"hostPath": "/dev/nvidia0"}, key="node"),
    sets("gpu-scope", "node", deviceCgroupRules=["c 195:* rwm"]),
    sets("gpu-scope", gpus="all"),
    sets("gpu-scope", deviceRequests=[{"driver": "nvidia"}]),
    sets("gpu-scope", runtime="nvidia"),
    adds("gpu-scope", "envs", "LD_PRELOAD=/evil.so", key="node"),
    Violation("known-type", "swarm-service", "component", _unknown_type),
    sets("no-host-uts", utsMode="host"),
    sets("no-swarm", key="engine", what="active", swarm="active"),
    adds("no-sshd", "command", "/usr/sbin/sshd", what="command"),
    adds("no-sshd", "entrypoints", "dropbear", what="entrypoint"),
    sets("no-sshd", healthcheck={"tests": ["CMD-SHELL", "pidof sshd"]}),
    builds("no-sshd", "RUN apt-get install --yes openssh-server"),
    builds("no-sshd", 'CMD ["/usr/sbin/sshd","-D"]'),
    Violation("image-user", "no-USER", "build-file", _no_build_user),
    Violation("image-user", "new-stage", "build-file", _new_stage),
    *(builds("image-user", f"USER {user}") for user in ("root", "0", "0:10001", "server", "00")),
    *(
        builds("base-allowlist", f"FROM {base}")
        for base in ("debian", "debian:latest", "evil/debian:trixie-slim", "--platform=amd64 alpine AS build")
    ),
    rebuilds("minimal-packages", "--no-install-recommends ", ""),
    rebuilds("minimal-packages", "rm -rf /var/lib/apt/lists/*", "true"),
    rebuilds("update-with-install", "apt-get update", "true"),
    builds("update-with-install", "RUN apt-get update"),
    builds("update-with-install", "RUN --mount=type=cache,target=/x apt-get -q update"),
    builds("copy-not-add", "ADD archive.tar /"),
    *(
        builds("no-build-secret", line)
        for line in (
            "ENV ADMIN_PASSWORD=hunter2",
            "ENV MODE=x API_KEY=hunter2",
            "ENV api_key hunter2",
            "ARG TOKEN",
            "COPY server.key /etc/aidc/",
            "COPY --chown=0 .env id_ed25519 /",
            "RUN git clone https://user:hunter2@host/x",
        )
    ),
    rebuilds("verified-packages", "--require-hashes ", ""),
    *(
        builds("verified-packages", line)
        for line in (
            "RUN uv pip install ray",
            "RUN CI=1 /opt/venv/bin/pip install --upgrade pip",
            "RUN curl -fsSLO host/x && tar -xf x",
            "RUN apt-get update && apt-get install --allow-unauthenticated x",
        )
    ),
    sets("image-pinned", key="image", what="image", name="aidc-vault:1.2"),
    sets("no-latest", key="image", what="image", name="aidc-vault:latest"),
    sets("registry-allowlist", key="image", what="image", name="evil:0123456789ab"),
    removes("readonly-root", "readOnly"),
    sets("readonly-root", readOnly=False),
    *(
        sets("tmpfs-hardened", what=options or "none", tmpfs={"/tmp": options})
        for options in ("", "noexec,nosuid", "noexec,size=1m", "nosuid,size=1m")
    ),
    removes("memory-limit", "memory"),
    removes("memory-limit", "memorySwap"),
    sets("memory-limit", what="unlimited-swap", memorySwap=-1.0),
    removes("cpu-limit", "cpus"),
    removes("process-limit", "ulimits"),
    sets("process-limit", what="unlimited", ulimits=[{"name": "nproc", "hard": -1.0}]),
    *(sets("restart-bounded", what=word, restart=word) for word in ("always", "unless-stopped", "no")),
    removes("restart-bounded", "maxRetryCount"),
    sets("restart-bounded", key="setup", what="job", restart="always"),
    removes("healthcheck", "healthcheck"),
    sets("healthcheck", what="none", healthcheck={"tests": ["NONE"]}),
    sets("healthcheck", what="empty", healthcheck={"tests": ["CMD"]}),
    removes("graceful-stop", "destroyGraceSeconds"),
    removes("log-cap", "logOpts"),
    sets("log-cap", what="unlimited", logOpts={"max-size": "-1"}),
    *(
        sets("image-pinned", what=image, image=image)
        for image in ("aidc-vault", "aidc-vault:1.2", "aidc-vault:latest", "host:5000/aidc-vault")
    ),
    *(
        sets("no-latest", what=image, image=image)
        for image in ("aidc-vault", "aidc-vault:latest", "host:5000/aidc-vault", "x/y:latest")
    ),
    *(
        sets("registry-allowlist", what=image, image=image)
        for image in (
            "evil:0123456789ab",
            "host:5000/aidc-vault:0123456789ab",
            "evil/aidc-vault:0123456789ab",
            "aidc-x.example/y:0123456789ab",
        )
    ),
    *(
        adds("no-secret-env", "envs", variable, what=variable.partition("=")[0])
        for variable in (
            "MINIO_ROOT_PASSWORD=hunter2",
            "api_key=hunter2",
            "AWS_SECRET_ACCESS_KEY=hunter2",
            "RESTIC_REPOSITORY=rest:https://user:hunter2@vault:8000/",
            "CERT=-----BEGIN EC PRIVATE KEY-----hunter2",
        )
    ),
    adds("no-secret-env", "command", "--password=hunter2", what="command"),
    adds("no-secret-env", "command", "--secret-key", what="command-two-words"),
    adds("no-secret-env", "entrypoints", "https://user:hunter2@vault", what="entrypoint"),
    sets("no-secret-env", healthcheck={"tests": ["CMD", "get", "https://user:hunter2@vault"]}),
    adds("no-secret-env", "uploads", {"file": "/x", "content": "hunter2"}, what="upload"),
    sets("secret-file-mode", "backup-seed", "0444", uploads=[{"file": "/files/key", "permissions": "0444"}]),
    sets("secret-file-mode", "backup-seed", "default", uploads=[{"file": "/files/key"}]),
    *(
        sets("publish-explicit-ip", key="balancer", what=ip or "empty", ports=[{**PORT, "ip": ip}])
        for ip in ("", "0.0.0.0", "::")
    ),
    sets("publish-explicit-ip", key="balancer", publishAllPorts=True),
    sets("publish-edge-only", ports=[PORT]),
    sets("no-low-host-port", key="balancer", what="443", ports=[{**PORT, "external": 443.0}]),
    removes("own-network", "networksAdvanced"),
    sets("own-network", what="bridge", networksAdvanced=[], networkMode="bridge"),
    joins("own-network", "vault", "bridge"),
    removes("closed-dns", "dns"),
    sets("closed-dns", dns=["192.0.2.53"]),
    sets("closed-dns", what="one-more", dns=["127.0.0.1", "192.0.2.53"]),
    *(
        removes("internal-network", "internal", f"{segment}-network")
        for segment in ("service", "fabric", "storage", "backup")
    ),
    sets("internal-network", key="backup-network", what="borrowed-name", name="edge", internal=False),
    sets("ipv4-only", key="backup-network", ipv6=True),
    sets("ipv4-only", key="backup-network", what="subnet", ipamConfigs=[{"subnet": "fd00::/64"}]),
    Violation("ipv4-only", "address", "vault", _ipv6_address),
    removes("fixed-subnet", "ipamConfigs", "backup-network"),
    sets("fixed-subnet", key="backup-network", what="public", ipamConfigs=[{"subnet": "8.8.8.0/24"}]),
    removes("fixed-bridge", "options", "backup-network"),
    sets("fixed-bridge", "backup-network", driver="macvlan"),
    without("encryption-at-rest", "store", "envs", "MINIO_KMS_AUTO_ENCRYPTION=on"),
    without("encryption-at-rest", "store", "envs", "MINIO_KMS_SECRET_KEY_FILE=/etc/aidc/encryption-key"),
    without("object-store-tls", "store", "command", "--certs-dir"),
    *(
        without("vault-append-only", "vault", "command", flag)
        for flag in ("--append-only", "--private-repos", "--htpasswd-file", "--tls")
    ),
    without("ray-token", "head", "envs", "RAY_AUTH_MODE=token"),
    without("ray-token", "node", "envs", "RAY_AUTH_TOKEN_PATH=/etc/aidc/ray-token"),
    Violation("fixed-address", "any", "vault", _any_address),
    sets("fixed-address", what="by-mode", networkMode="aidc-test-edge"),
    removes("no-forwarding", "sysctls"),
    joins("segment-membership", "vault", "aidc-test-storage"),
    joins("segment-membership", "backup", "foreign"),
    sets("segment-membership", what="by-mode", networkMode="aidc-test-edge"),
    sets("segment-membership", what="missing", networksAdvanced=[]),
    sets("disjoint-subnets", key="backup-network", ipamConfigs=[{"subnet": "10.78.2.0/24"}]),
    joins("vault-isolated", "store", "aidc-test-backup"),
    adds("vault-isolated", "mounts", VAULT_DATA, "backup", "its-volume"),
    flow("vault-isolated", "", "compute", "vault"),
    flow("vault-isolated", "", "vault", "object-store"),
    sets("named-and-labelled", what="foreign-name", name="vault"),
    removes("named-and-labelled", "labels"),
    removes("named-and-labelled", "labels", "files"),
    removes("named-and-labelled", "labels", "backup-network"),
    Violation("tls-in-transit", "plain-vault", "", _no_tls),
    Violation("backup-coverage", "no-flow", "store", _no_backup_flow),
    Violation("backup-coverage", "bucket", "", _unlisted_bucket),
    sets("pin-reviewed", key="pin", version="v3"),
    sets("pin-reviewed", key="pin", what="no-pin", pinned=False),
    sets("pin-reviewed", key="pin", what="of-tomorrow", ageDays=-1),
    removes("pin-reviewed", "reviewedVersion", "pin"),
    sets("review-fresh", key="pin", ageDays=91),
    Violation("files-readonly", "writable", "vault", lambda p: p["vault"]["mounts"][0].pop("readOnly")),
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_clean_stack_keeps_the_rule(rule: Rule, plant: Any) -> None:
    found = list(faults(rule, plant.stack()))
    assert [fault for fault, clean in found if not clean] == []
    assert found, "the clean fixture holds nothing that the rule looks at"


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda v: f"{v.rule}-{v.what}")
def test_the_rule_finds(violation: Violation, plant: Any) -> None:
    rule = BY_NAME[violation.rule]
    violation.change(plant)
    found = [fault for fault, clean in faults(rule, plant.stack()) if not clean]
    assert found
    if violation.key:
        assert {fault.resource for fault in found} == {plant.resource(violation.key).name}
    for fault in found:
        message = rule.message(fault.resource, fault.text)
        assert fault.resource in message
        assert rule.remediation in message
        assert "hunter2" not in message, "a message must not hold a secret"


def test_every_rule_has_a_violating_fixture() -> None:
    assert {violation.rule for violation in VIOLATIONS} == NAMES


@pytest.mark.parametrize("rule", [r for r in RULES if isinstance(r, ResourceRule)], ids=lambda r: r.name)
def test_every_kind_that_the_rule_looks_at_has_both_fixtures(rule: ResourceRule) -> None:
    kinds = make_plant().kinds
    violating = {kinds[v.key] for v in VIOLATIONS if v.rule == rule.name}
    assert violating == set(rule.on)
    assert set(rule.on) <= set(kinds.values())


def test_fixtures_have_names_of_their_own() -> None:
    names = [(violation.rule, violation.what, violation.key) for violation in VIOLATIONS]
    assert len(set(names)) == len(names)


def test_rule_names_are_unique() -> None:
    assert len(NAMES) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_rule_describes_itself(rule: Rule) -> None:
    assert rule.description.startswith("Checks whether ")
    assert rule.description.endswith(".")
    assert rule.remediation
    assert not rule.remediation.endswith(".")


def test_every_rule_of_a_module_is_in_the_catalogue() -> None:
    defined = {id(value) for module in MODULES for value in vars(module).values() if isinstance(value, Rule)}
    assert defined == {id(rule) for rule in RULES}
