"""Two fixtures per rule: the clean stack passes, and each violating change is found where it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from components.planning.flows import Flow
from policies.catalogue import MODULES, NAMES, RULES
from policies.evaluate import faults
from policies.model import Stack
from policies.rule import ResourceRule, Rule
from tests.policy.conftest import Props, labels, make_plant

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
    """A violation by omitting a property."""
    return Violation(rule, f"no-{prop}", key, lambda plant: plant[key].pop(prop))


def adds(rule: str, prop: str, item: Any, key: str = "vault", what: str = "") -> Violation:
    """A violation by adding an item to a list."""

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


def gateway(key: str, what: str, role: str = "store-gateway", **props: Any) -> Violation:
    """A violation by what a gateway has."""
    kind = "seed" if key.endswith("-seed") else "service"
    return sets("way-out-keyless", key, what, labels=labels(stack="test", role=role, kind=kind), **props)


NAMED_DOOR = """
frontend port-443
  bind 10.0.0.2:443
  tcp-request content reject unless { req.ssl_hello_type 1 } { req.ssl_sni -i hooks.example.org }
  use_backend webhook if { req.ssl_sni -i hooks.example.org }
"""
MAIL_DOOR = """
frontend starttls-587
  bind 10.0.0.2:587
  default_backend email
"""
MAIL_SERVER = """
backend email
  balance roundrobin
  server email-1 203.0.113.9:587
"""


def lets_through(what: str, text: str, role: str = "alert-gateway", mode: str = "tcp") -> Violation:
    """A gateway whose settings, beside the health check, are `text`."""
    inside = "\nfrontend health\n  mode http\n  bind 127.0.0.1:8404\n  monitor-uri /healthz\n"
    return gateway("backup-seed", what, role, uploads=settings(f"defaults\n  mode {mode}\n{text}{inside}"))


def settings(content: str) -> list[Props]:
    return [{"file": "/files/haproxy.cfg", "content": content, "permissions": "0400", "owner": "10010"}]


def without(rule: str, key: str, prop: str, item: str) -> Violation:
    """A violation by removing an item from a list of strings."""

    def change(plant: Any) -> None:
        plant[key][prop] = [entry for entry in plant[key][prop] if entry != item]

    return Violation(rule, f"no-{item}", key, change)


def flow(rule: str, key: str, source: str, destination: str) -> Violation:
    def change(plant: Any) -> None:
        plant.flows = (*plant.flows, Flow(source, destination, 8000, 8000, "tcp", "backup", "test"))

    return Violation(rule, f"flow-{source}-{destination}", key, change)


def builds(rule: str, line: str) -> Violation:
    """A violation by adding a line to the build file."""
    return Violation(rule, line, "build-file", lambda plant: plant.build(line))


def rebuilds(rule: str, old: str, new: str) -> Violation:
    """A violation by replacing words in the build file."""

    def change(plant: Any) -> None:
        lines = (
            replace(i, arguments=i.arguments.replace(old, new)) for i in plant["build-file"]["instructions"]
        )
        plant["build-file"]["instructions"] = tuple(lines)

    return Violation(rule, f"{old}-{new}", "build-file", change)


def _two_guests(plant: Any) -> None:
    """Neither of the two that write to it is the one that it is named after."""
    for key in ("backup", "pruner"):
        plant[key]["mounts"] = [{"type": "volume", "source": "aidc-test-readings", "target": "/readings"}]


def _type(type_: str, plant: Any) -> None:
    plant.types["component"] = type_


def _no_build_user(plant: Any) -> None:
    plant["build-file"]["instructions"] = plant["build-file"]["instructions"][:-1]


def _new_stage(plant: Any) -> None:
    plant.build("FROM scratch\nENTRYPOINT /server")


def _ipv6_address(plant: Any) -> None:
    plant["vault"]["networksAdvanced"][0]["ipv6Address"] = "fd00::2"


def _any_address(plant: Any) -> None:
    del plant["vault"]["networksAdvanced"][0]["ipv4Address"]


def upload(file: str, content: str) -> dict[str, Any]:
    return {"file": f"/files/{file}", "content": content, "permissions": "0400", "owner": "10001"}


CREDENTIALS = "[default]\naws_access_key_id = compute\naws_secret_access_key = x\n"


def _credentials_on_the_head(plant: Any) -> None:
    """The file that the nodes need, in a volume that the head mounts too."""
    derived = CREDENTIALS.replace("compute", "ABCDEFGHIJKLMNOPQRST")
    plant["backup-seed"]["uploads"].append(upload("aws-credentials", derived))


def _no_tls(plant: Any) -> None:
    plant.listens["vault"] = tuple(replace(listen, purpose="REST") for listen in plant.listens["vault"])


def _no_backup_flow(plant: Any) -> None:
    plant.flows = tuple(
        flow for flow in plant.flows if flow.source != "backup" or flow.destination == "vault"
    )


def _unlisted_bucket(plant: Any) -> None:
    plant["setup-seed"]["uploads"][0]["content"] += "results\n"


def _retold(before: str, after: str, plant: Any) -> None:
    """Another text in what the object store is told."""
    uploads = plant["setup-seed"]["uploads"]
    assert any(before in upload["content"] for upload in uploads)
    for told in uploads:
        told["content"] = told["content"].replace(before, after)


def _limited(number: float, plant: Any) -> None:
    plant["vault-limit"]["processes"] = number


# What a RUN takes from elsewhere, of which nobody knows a hash.
UNCHECKED = (
    "python3 -m pip install x",
    "python3.11 -I -m pip install x",
    "python3 -mpip install x",
    "pip3.11 install x",
    "pip3 install x",
    "env X=1 pip install x",
    "if true; then pip install x; fi",
    "(pip install x)",
    '["pip", "install", "x"]',
    '["sh", "-c", "pip install x"]',
    'sh -c "pip install x"',
    'bash -lc "a && pip install x"',
    "pip download x",
    "uv add x",
    "uvx x",
    "npx x",
    "npm install -g x",
    "npm -g i x",
    "yarn global add x",
    "git clone x",
    "git -C /x clone y",
    "gem install x",
    "cargo install x",
    "go install x@latest",
    "conda install x",
    "dpkg -i x.deb",
    "dpkg --install x.deb",
    "apt-get install ./x.deb",
    "python3 setup.py install",
    "$PIP install x",
    'echo "$(pip install x)"',
    "x=`pip install y`",
    "curl x | sh",
    "curl -fsS x | bash -s -- y",
    "wget -qO- x | python3",
    "curl x | sudo sh",
    "bash <(curl x)",
    "pi\\\np install x",
    "curl -O x && curl -O y && sha256sum -c sums",
    "curl -O x && sha256sum x",
    "curl -O x && sha256sum -c sums || true",
    "curl -O x; sha256sum -c sums; tar -xf x",
    "curl -O x # sha256sum -c",
    "sha256sum -c sums | tee log && curl -O x",
    "aria2c x",
    "busybox wget x",
    "python3 -c 'import urllib.request as u; u.urlretrieve(x)'",
    "perl -MLWP::Simple -e 'getstore(1)' https://x",
    "nc x 80",
    "docker pull x",
    "apk add x",
    "pip install --require-hashes --no-require-hashes x",
    "eval pip install x",
    "find / -exec pip install x \\;",
    "xargs pip install <x",
    "echo x | xargs pip install",
)
CLEAN_RUNS = (
    "curl -O x && sha256sum -c sums",
    "curl -O x && echo '0 x' | sha256sum --check && tar -xf x",
    "set -eu; curl -O x; sha256sum -c sums; tar -xf x",
    "curl -O x && curl -O y && sha256sum -c a && sha256sum -c b",
    "curl -O x && gpgv --keyring k x.sig x",
    "echo 'pip install x'",
    "echo pip install x",
    "python3 -m venv /x",
    "python3 -m compileall -q /x",
    "pip --version",
    "pip list",
    "curl --version",
    "git --version",
    "test -x /usr/bin/curl",
    "python3 -m pip install --require-hashes -r x",
    "uv pip sync --require-hashes x",
    "rm -f /usr/bin/pip",
    "pip3.11 install --require-hashes --requirement x",
    '["pip", "install", "--require-hashes", "-r", "x"]',
    "apt-get update && apt-get install --no-install-recommends curl git npm && rm -rf /var/lib/apt/lists/*",
    "apt-get update && env A=1 apt-get install -y --no-install-recommends x && rm -rf /var/lib/apt/lists/*",
    "echo $((1<<20)) > /x",
    "bash -c 'cat <<<hello'",
    "find /x -name '*.pyc' -delete",
    "[ -d /x ] || mkdir /x",
    "--mount=type=cache,target=/x --network=none true",
    "export PATH=/x:$PATH && true",
    "install -d /x",
)
CLEAN_LINES = (
    "FROM debian:trixie-slim@sha256:" + "0" * 64 + "\nUSER 1",
    "FROM scratch AS Build\nFROM debian:trixie-slim\nCOPY --from=build /x /x\nUSER 1",
    "FROM debian:trixie-slim AS build\nFROM BUILD\nCOPY --from=0 /x /x\nUSER 1",
    "FROM --platform=amd64 debian:trixie-slim\nUSER 1:1",
    "ENV TOKENIZERS_PARALLELISM=false MAX_TOKENS=512 PWD=/x",
    "ENV PASSWORD_FILE=/x SSL_CERT_FILE=/x AUTH_TYPE=basic",
    "COPY .env.example ca.crt tls.crt /x/",
    "LABEL org.author=x",
    "RUN --mount=type=bind,from=debian:trixie-slim,target=/m true",
    "ENV NVIDIA_VISIBLE_DEVICES=void",
    "USER 10001:10001",
)
CLEAN_PROPS: tuple[tuple[str, str, Props], ...] = (
    ("no-new-privileges", "vault", {"securityOpts": ["no-new-privileges:1"]}),
    ("no-new-privileges", "vault", {"securityOpts": ["no-new-privileges"]}),
    ("no-new-privileges", "vault", {"securityOpts": ["no-new-privileges:false", "no-new-privileges=true"]}),
    ("seccomp-on", "vault", {"securityOpts": ["seccomp=builtin"]}),
    ("non-root", "vault", {"user": "10001:10001", "groupAdds": ["10002", 10003.0]}),
    *(("log-cap",
    "vault", {"logOpts": {"max-size": size}}) for size in ("10MB", "10m", "1024", "0.5g", "10 MiB", "1KB")),
    *(
        ("no-secret-env", "vault", {"envs": [variable]})
        for variable in (
            "TOKENIZERS_PARALLELISM=false", "MAX_TOKENS=512", "MAX_NEW_TOKENS=8", "BYPASS=1", "COMPASS=x",
            "PWD=/tmp",
            "PASSWORD=", "MONKEY=x", "AUTHOR=x", "AWS_SHARED_CREDENTIALS_FILE=/x", "SSL_KEY_FILE=/x",
            "TOKEN_TTL=10m",
        )
    ),
    *(
        ("no-secret-env", "vault", {"command": command})
        for command in (
            ["--htpasswd-file", "/x", "--tls"], ["--tls-key", "/x", "--no-auth"], ["--token-file=/x"],
            ["--password-file=/x"],
        )
    ),
    *(("publish-explicit-ip",
    "balancer", {"ports": [{"internal": 1.0, "ip": ip}]}) for ip in ("::1", "[::1]", "192.0.2.1")),
    *(("fixed-subnet",
    "backup-network", {"ipamConfigs": [{"subnet": s}]}) for s in ("172.31.0.0/20", "192.168.0.0/16")),
    ("no-bind-volume", "files", {"driver": "local", "driverOpts": {}}),
    ("no-bind-volume", "files", {"driverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}),
    ("gpu-scope", "vault", {"envs": ["NVIDIA_VISIBLE_DEVICES=void"]}),
    ("no-forwarding", "vault", {"sysctls": {"net.ipv4.ip_forward": "0", "net.core.somaxconn": "1"}}),
    ("vault-append-only",
    "vault", {"command": ["v", "--append-only=true", "--private-repos", "--htpasswd-file=x", "--tls"]}),
    ("vault-append-only",
    "vault",
    {"command": ["v",
    "--append-only=false", "--append-only", "--private-repos", "--htpasswd-file=x", "--tls",
    "--no-auth=false"]}),
)  # fmt: skip
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
    *(
        adds("seccomp-on", "securityOpts", f"seccomp={profile}", what=profile)
        for profile in ('{"defaultAction":"SCMP_ACT_ALLOW"}', "/tmp/profile.json")
    ),
    *(
        adds("lsm-on", "securityOpts", option)
        for option in ("label=type:spc_t", "label:user:x", "apparmor=own", "apparmor:unconfined")
    ),
    *(
        sets("no-new-privileges",
        what=f"then-{value}", securityOpts=["no-new-privileges:true", f"no-new-privileges{value}"])
        for value in (":false", "=0", ":F", "=no")
    ),
    *(
        sets("non-root", what=f"user-{user}", user=user)
        for user in ("10001:0",
        "10001:docker", "4294967296", "2147483648", "10001:4294967296", "10001:", ":10001", "١")
    ),
    *(sets("non-root",
    what=f"added-{group}", groupAdds=[group]) for group in ("docker", "root", 0.0, "4294967296")),
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
    *(
        bind("no-docker-socket", path)
        for path in ("/run/user/1000",
        "/run/user", "/var/run/user/0", "/run/user/1/podman", "/home/x/.docker/run")
    ),
    *(
        bind("no-host-paths", path)
        for path in ("/bin",
        "/sbin", "/lib64", "/lib32", "/var/spool/cron", "/var/log", "/home/x", "/opt/x", "/var/cache")
    ),
    adds("no-host-paths", "volumes", {"volumeName": "/etc", "containerPath": "/x"}, what="named-by-path"),
    adds("no-host-paths", "uploads", {"file": "/x", "source": "/etc/shadow"}, what="upload-from-host"),
    *(
        sets("no-bind-volume", key="files", what=str(options), driverOpts=options)
        for options in (
            {"type": "ext4", "device": "/dev/vda1"},
            {"type": "overlay", "o": "lowerdir=/,upperdir=/tmp/u,workdir=/tmp/w"},
            {"type": "nfs", "device": ":/etc", "o": "addr=127.0.0.1"},
            {"Type": "none", "Device": "/"},
            {"type": "tmpfs", "device": "/dev/vda1"},
        )
    ),
    sets("no-bind-volume", key="files", what="sshfs", driver="sshfs"),
    sets("no-bind-volume", volumeDriver="sshfs"),
    *(
        adds("no-bind-volume", "mounts", mount, what=str(number))
        for number, mount in enumerate(
            (
                {"type": "npipe", "source": "x", "target": "/x"},
                {"type": "cluster", "source": "x", "target": "/x"},
                {"type": "volume", "target": "/x", "volumeOptions": {"driverName": "sshfs"}},
                {"type": "volume",
                "target": "/x", "volumeOptions": {"driverOptions": {"device": "/dev/vda1"}}},
            )
        )
    ),
    adds("no-bind-volume",
    "volumes", {"fromContainer": "aidc-test-vault"}, key="backup", what="volumes-from"),
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
    *(
        sets("gpu-scope", "node", what=f"{driver}-{device}", deviceRequests=[
            {"driver": driver, "deviceIds": [device]}
        ])
        for driver, device in (
            ("cdi", "vendor.com/files=etc"),
            ("cdi", "nvidia.com/gpu=all"),
            ("cdi", "0"),
            ("nvidia", "vendor.com/files=etc"),
            ("vendor", "0"),
        )
    ),
    sets("gpu-scope", runtime="nvidia"),
    adds("gpu-scope", "envs", "LD_PRELOAD=/evil.so", key="node"),
    *(
        adds("gpu-scope", "envs", f"{name}={value}", key=key, what=f"{key}-{name}-{value}")
        for key in ("vault", "node")
        for name,
        value in (("NVIDIA_VISIBLE_DEVICES",
        "all"), ("NVIDIA_VISIBLE_DEVICES", "0"), ("NVIDIA_MIG_CONFIG_DEVICES", "all"))
    ),
    adds("gpu-scope", "envs", "LD_AUDIT=/evil.so"),
    adds("gpu-scope",
    "mounts", {"type": "volume", "source": "x", "target": "/var/run/nvidia-container-devices/0"},
    what="mount"),
    sets("gpu-scope", key="node", gpus="all"),
    *(
        builds("gpu-scope", line)
        for line in ("ENV NVIDIA_VISIBLE_DEVICES=all",
        "ENV A=1 NVIDIA_VISIBLE_DEVICES=0", "ENV LD_PRELOAD /x.so")
    ),
    *(
        Violation("known-type", type_, "component", partial(_type, type_))
        for type_ in (
            "docker:index/service:Service", "docker-build:index:Image", "command:local:Command",
            "random:index:Id",
            "kubernetes:core/v1:Pod", "pulumi:providers:command", "pulumi-python:dynamic:Resource",
            "aidcx:a:B",
            "pulumi-python:dynamic/other:Ready",
        )
    ),
    sets("no-host-uts", utsMode="host"),
    sets("no-swarm", key="engine", what="active", swarm="active"),
    sets("no-insecure-registry", key="engine", insecureRegistries=["127.0.0.0/8", "10.0.0.0/8"]),
    sets("no-insecure-registry", key="engine", what="named", insecureRegistries=["registry:5000"]),
    sets("current-storage-driver", key="engine", storageDriver="aufs"),
    sets("no-experimental-engine", key="engine", experimental=True),
    adds("no-sshd", "command", "/usr/sbin/sshd", what="command"),
    adds("no-sshd", "entrypoints", "dropbear", what="entrypoint"),
    sets("no-sshd", healthcheck={"tests": ["CMD-SHELL", "pidof sshd"]}),
    builds("no-sshd", "RUN apt-get install --yes openssh-server"),
    builds("no-sshd", 'CMD ["/usr/sbin/sshd","-D"]'),
    Violation("image-user", "no-USER", "build-file", _no_build_user),
    Violation("image-user", "new-stage", "build-file", _new_stage),
    *(
        builds("image-user", f"USER {user}")
        for user in ("root", "0", "0:10001", "server", "00", "10001:0", "10001:docker", "4294967296", "$USER")
    ),
    builds("image-user", "ONBUILD RUN true\nUSER 0"),
    *(
        builds("plain-build-file", line)
        for line in ("RUN cat <<EOF",
        "COPY <<E /x", "RUNS x", "FROM", "RUN a \\\\", "RUN echo it's", "ONBUILD USER 1",
                     'SHELL ["python3", "-c"]', "# escape=`", "# syntax=x/y", "RUN a\u2028b")
    ),
    *(
        builds("base-allowlist", line)
        for line in (
            "FROM\tevil:1", "\ufeffFROM evil:1", "COPY --from=evil/uv:latest /uv /bin/uv",
            "ADD --from=evil /x /x",
            "COPY --chown=1 --from=evil:1 /x /x", "RUN --mount=type=bind,from=evil,target=/m true",
            "COPY --from=$X /x /x",
            'RUN --mount="type=bind,from=evil" true', "RUN --mount=type=bind,FROM=evil true",
            "COPY --from=7 /x /x",
            "RUN --security=insecure true", "RUN --network=host true", "ONBUILD COPY --from=evil:1 /x /x",
            "FROM debian:trixie-slim@sha256:0", "FROM $BASE", "FROM @sha256:" + "0" * 64,
        )
    ),
    *(
        builds("base-allowlist", f"FROM {base}")
        for base in ("debian", "debian:latest", "evil/debian:trixie-slim", "--platform=amd64 alpine AS build")
    ),
    rebuilds("minimal-packages", "--no-install-recommends ", ""),
    rebuilds("minimal-packages", "rm -rf /var/lib/apt/lists/*", "true"),
    rebuilds("update-with-install", "apt-get update", "true"),
    builds("update-with-install", "RUN apt-get update"),
    builds("update-with-install", "RUN --mount=type=cache,target=/x apt-get -q update"),
    *(
        builds("minimal-packages", f"RUN {run}")
        for run in (
            "env DEBIAN_FRONTEND=x apt-get install x", "/usr/bin/apt-get install x",
            'sh -c "apt-get install x"',
            "apt-get install --no-install-recommends x # rm -rf /var/lib/apt/lists", "apt -y install x",
            "dpkg -i x.deb", '["apt-get", "install", "x"]', "(apt-get install x)", "apt-get dist-upgrade",
            "apt-get install --no-install-recommends --install-recommends x && rm -rf /var/lib/apt/lists/*",
        )
    ),
    builds("copy-not-add", "ADD archive.tar /"),
    builds("copy-not-add", "ADD\thttps://x /"),
    builds("copy-not-add", "add x /"),
    builds("copy-not-add", "ONBUILD ADD x /"),
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
            "ENV MYSQL_PWD=hunter2", "ENV SMTP_PASS=hunter2", "ENV REDISCLI_AUTH=hunter2",
            "ENV GITHUB_PAT=ghp_hunter2",
            "ENV X=ghp_hunter2", "ENV A='b c' DB_PASS=hunter2", "LABEL password=hunter2",
            "ONBUILD ENV TOKEN=hunter2",
            'COPY ["server.key", "/"]', "COPY .aws/credentials /", "COPY .docker/config.json /",
            "COPY .env.production /",
            "COPY a/.ssh/ /", "COPY --chown=1 .kube/config /", "RUN login --password=hunter2",
            "RUN TOKEN=hunter2 get",
            'RUN ["login", "--pass", "hunter2"]', "RUN export API_KEY=hunter2",
            "CMD serve --requirepass hunter2",
            "RUN curl -H 'Authorization: Bearer hunter2hunter2'",
        )
    ),
    rebuilds("verified-packages", "--require-hashes ", ""),
    *(
        builds("verified-packages", line)
        for line in (
            "RUN uv pip install ray",
            "RUN CI=1 /opt/venv/bin/pip install --upgrade pip",
            *(f"RUN {run}" for run in UNCHECKED),
            "ONBUILD RUN pip install x",
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
    Violation("process-limit", "no-limit", "vault", lambda plant: plant.props.pop("vault-limit")),
    *(
        Violation("process-limit", f"{number}", "vault", partial(_limited, number))
        for number in (0.0, -1.0, 4194304.0)
    ),
    adds("process-limit", "ulimits", {"name": "nproc", "hard": 512.0}, what="nproc"),
    removes("file-limit", "ulimits"),
    sets("file-limit", what="unlimited", ulimits=[{"name": "nofile", "hard": -1.0}]),
    *(sets("restart-bounded", what=word, restart=word) for word in ("always", "unless-stopped", "no")),
    removes("restart-bounded", "maxRetryCount"),
    sets("restart-bounded", key="setup", what="job", restart="always"),
    removes("healthcheck", "healthcheck"),
    sets("healthcheck", what="none", healthcheck={"tests": ["NONE"]}),
    sets("healthcheck", what="empty", healthcheck={"tests": ["CMD"]}),
    removes("graceful-stop", "destroyGraceSeconds"),
    removes("log-cap", "logOpts"),
    sets("log-cap", what="of the copy", logDriver="syslog", logOpts={"max-size": "10m"}),
    *(sets("log-cap",
    what=size, logOpts={"max-size": size}) for size in ("-1", "0", "0m", "10x", "m", "ten")),
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
            "MYSQL_PWD=hunter2", "SMTP_PASS=hunter2", "REDISCLI_AUTH=hunter2", "GITHUB_PAT=ghp_hunter2",
            "X=ghp_hunter2",
            "dbPassword=hunter2", "PASSWORD_FILE=hunter2", "PASSWORD_MODE=hunter2", "SSHPASS=hunter2",
        )
    ),
    *(
        sets("no-secret-env", what=" ".join(command), command=command)
        for command in (
            ["--requirepass", "hunter2"], ["--pass=hunter2"], ["sh", "-c", "serve --password=hunter2"],
            ["sh", "-c", "PASSWORD=hunter2 serve"], ["-e", "TOKEN=hunter2"],
            ["--header", "Authorization: Bearer hunter2"],
        )
    ),
    adds("no-secret-env", "labels", {"label": "db.password", "value": "hunter2"}, what="label"),
    sets("no-secret-env", what="log-option", logOpts={"max-size": "1m", "splunk-token": "hunter2"}),
    adds("no-secret-env", "command", "--password=hunter2", what="command"),
    adds("no-secret-env", "command", "--secret-key", what="command-two-words"),
    adds("no-secret-env", "entrypoints", "https://user:hunter2@vault", what="entrypoint"),
    sets("no-secret-env", healthcheck={"tests": ["CMD", "get", "https://user:hunter2@vault"]}),
    adds("no-secret-env", "uploads", {"file": "/x", "content": "hunter2"}, what="upload"),
    sets("secret-file-mode", "backup-seed", "0444", uploads=[{"file": "/files/key", "permissions": "0444"}]),
    sets("secret-file-mode", "backup-seed", "default", uploads=[{"file": "/files/key"}]),
    *(
        sets("publish-explicit-ip", key="balancer", what=ip or "empty", ports=[{**PORT, "ip": ip}])
        for ip in (
            "", "0.0.0.0", "::", "::0", "0:0:0:0:0:0:0:0", "[::]", "0000::", "::%lo", "::ffff:0.0.0.0",
            "::0.0.0.0", "0",
            "*", "localhost", "224.0.0.1", "255.255.255.255",
        )
    ),
    sets("publish-explicit-ip", key="balancer", publishAllPorts=True),
    sets("publish-edge-only", ports=[PORT]),
    sets("no-low-host-port", key="balancer", what="443", ports=[{**PORT, "external": 443.0}]),
    removes("own-network", "networksAdvanced"),
    sets("own-network", what="bridge", networksAdvanced=[], networkMode="bridge"),
    joins("way-out-keyless", "vault", "aidc-test-egress"),
    gateway("backup-seed", "keys"),
    lets_through("opened", NAMED_DOOR, mode="http"),
    lets_through("opened-at-the-door", NAMED_DOOR.replace(":443\n", ":443 ssl crt /x\n")),
    lets_through("opened-by-the-door", NAMED_DOOR + "  mode http\n"),
    lets_through("no-door", ""),
    *(
        lets_through(f"any-name-{role}", "frontend a\n  bind 10.0.0.2:443\n  default_backend b\n", role)
        for role in ("store-gateway", "alert-gateway")
    ),
    lets_through(
        "accepted-before",
        NAMED_DOOR.replace("  tcp-request", "  tcp-request content accept\n  tcp-request", 1),
    ),
    lets_through("or-anything", NAMED_DOOR.replace(".org }\n", ".org } || TRUE\n", 1)),
    lets_through("any-name-beside", f"{NAMED_DOOR}\nfrontend b\n  bind *:25\n  default_backend webhook\n"),
    lets_through("mail-of-a-store", MAIL_DOOR + MAIL_SERVER, "store-gateway"),
    lets_through("mail-to-another-port", MAIL_DOOR + MAIL_SERVER.replace(":587", ":25")),
    lets_through("mail-from-another-port", MAIL_DOOR.replace(":587", ":25") + MAIL_SERVER),
    lets_through("mail-from-two-ports", MAIL_DOOR.replace("  bind", "  bind *:25\n  bind") + MAIL_SERVER),
    lets_through("mail-elsewhere", MAIL_DOOR.replace("d email", "d webhook") + MAIL_SERVER),
    lets_through("mail-and-elsewhere", MAIL_DOOR + "  use_backend webhook if TRUE\n" + MAIL_SERVER),
    lets_through("mail-to-nowhere", MAIL_DOOR),
    lets_through("mail-by-a-resolver", MAIL_DOOR + MAIL_SERVER.replace("203.0.113.9", "mail.example.org")),
    lets_through(
        "mail-twice",
        MAIL_DOOR + MAIL_DOOR.replace("587", "25") + MAIL_SERVER,
    ),
    gateway("backup", "environment", envs=["AWS_SHARED_CREDENTIALS_FILE=/etc/aidc/x"]),
    gateway("vault", "data"),
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
    *(
        sets("fixed-subnet", key="backup-network", what=subnet, ipamConfigs=[{"subnet": subnet}])
        for subnet in (
            "127.0.0.0/20", "169.254.0.0/16", "0.0.0.0/8", "240.0.0.0/4", "255.255.240.0/20", "198.18.0.0/15",
            "192.0.2.0/24", "224.0.0.0/8", "fd00::/64", "10.0.0.1/23", "10.0.0.0/7", "0.0.0.0/0", "",
        )
    ),
    removes("fixed-bridge", "options", "backup-network"),
    sets("fixed-bridge", "backup-network", driver="macvlan"),
    without("encryption-at-rest", "store", "envs", "MINIO_KMS_AUTO_ENCRYPTION=on"),
    without("encryption-at-rest", "store", "envs", "MINIO_KMS_SECRET_KEY_FILE=/etc/aidc/encryption-key"),
    without("object-store-tls", "store", "command", "--certs-dir"),
    *(
        without("vault-append-only", "vault", "command", flag)
        for flag in ("--append-only", "--private-repos", "--htpasswd-file", "--tls")
    ),
    *(
        adds("vault-append-only", "command", word)
        for word in ("--append-only=false",
        "--append-only=0", "--tls=F", "--private-repos=False", "--no-auth",
                     "--no-auth=true", "-no-auth", "--htpasswd-file=")
    ),
    *(
        sets("vault-append-only", what=" ".join(words), command=["follow", "x", "--", "vault-server", *words])
        for words in (
            ["--append-only=false", "--private-repos", "--htpasswd-file", "x", "--tls=false"],
            ["--private-repos", "--htpasswd-file", "x", "--tls", "--", "--append-only"],
            ["--private-repos", "--htpasswd-file", "x", "--tls", "--log", "--append-only"],
            ["--append-only", "--private-repos", "--tls", "--htpasswd-file"],
        )
    ),
    sets("object-store-tls", key="store", what="no-value", command=["minio", "server", "--certs-dir="]),
    adds("encryption-at-rest", "envs", "MINIO_KMS_AUTO_ENCRYPTION=off", "store", "twice"),
    adds("ray-token", "envs", "RAY_AUTH_MODE=disabled", "head", "twice"),
    without("secret-access-key", "store", "envs", "MINIO_ROOT_USER_FILE=/etc/aidc/root-user"),
    without("secret-access-key", "store", "envs", "MINIO_ROOT_PASSWORD_FILE=/etc/aidc/root-password"),
    adds("secret-access-key", "envs", "MINIO_ROOT_USER=AAAABBBBCCCCDDDDEEEE", "store", "plain"),
    adds("secret-access-key", "uploads", upload("root-user", "root"), "setup-seed", "root"),
    adds("secret-access-key", "uploads", upload("users/client/id", "client"), "setup-seed", "user"),
    adds("secret-access-key", "uploads", upload("aws-credentials", CREDENTIALS), "backup-seed", "constant"),
    adds("secret-access-key", "uploads", upload("aws-credentials", "[default]"), "backup-seed", "none"),
    adds("storage-key-scope", "envs", "AWS_SHARED_CREDENTIALS_FILE=/etc/aidc/aws-credentials", "head"),
    Violation("storage-key-scope", "mounted", "", _credentials_on_the_head),
    without("ray-token", "head", "envs", "RAY_AUTH_MODE=token"),
    without("ray-token", "node", "envs", "RAY_AUTH_TOKEN_PATH=/etc/aidc/ray-token"),
    Violation("fixed-address", "any", "vault", _any_address),
    sets("fixed-address", what="by-mode", networkMode="aidc-test-edge"),
    removes("no-forwarding", "sysctls"),
    *(
        sets("no-forwarding", what=f"{name}-{value}", sysctls={"net.ipv4.ip_forward": "0", name: value})
        for name, value in (
            ("net.ipv4.ip_forward", "1"), ("net.ipv4/ip_forward", "1"), ("net.ipv4.conf.all.forwarding", "1"),
            ("net.ipv4.conf.default.forwarding", "1"), ("net.ipv4/conf/eth0/forwarding", "1"),
            ("net.ipv4.ip_forward", "2"),
            ("net.ipv6.conf.all.forwarding", "1"), ("net.ipv4.conf.all.mc_forwarding", "1"),
        )
    ),
    joins("segment-membership", "vault", "aidc-test-storage"),
    joins("segment-membership", "backup", "foreign"),
    sets("segment-membership", what="by-mode", networkMode="aidc-test-edge"),
    sets("segment-membership", what="missing", networksAdvanced=[]),
    sets("disjoint-subnets", key="backup-network", ipamConfigs=[{"subnet": "10.78.2.0/24"}]),
    joins("vault-isolated", "store", "aidc-test-backup"),
    adds("vault-isolated", "mounts", VAULT_DATA, "backup", "its-volume"),
    sets("vault-isolated", "pruner", "default-network", networkMode="bridge"),
    joins("vault-isolated", "pruner", "aidc-test-storage"),
    sets("vault-isolated", "drill", "default-network", networkMode="bridge"),
    sets("vault-isolated", "drill", "may-write", mounts=[VAULT_DATA | {"readOnly": False}]),
    joins("vault-isolated", "drill", "aidc-test-storage"),
    flow("vault-isolated", "", "compute", "vault"),
    flow("vault-isolated", "", "vault", "object-store"),
    sets("named-and-labelled", what="foreign-name", name="vault"),
    removes("named-and-labelled", "labels"),
    removes("named-and-labelled", "labels", "files"),
    removes("named-and-labelled", "labels", "backup-network"),
    Violation("tls-in-transit", "plain-vault", "", _no_tls),
    Violation("backup-coverage", "no-flow", "store", _no_backup_flow),
    Violation("backup-coverage", "bucket", "", _unlisted_bucket),
    Violation("history-versioned", "suspended", "", partial(_retold, "<Status>Enabled", "<Status>Suspended")),
    Violation("history-locked", "governance", "", partial(_retold, "COMPLIANCE", "GOVERNANCE")),
    Violation("history-locked", "no-lock", "", partial(_retold, "<Mode>", "<Kind>")),
    *(
        Violation("versions-kept", action, "", partial(_retold, f'"s3:{action}",', ""))
        for action in ("DeleteObjectVersion", "BypassGovernanceRetention", "PutLifecycleConfiguration")
    ),
    Violation("versions-kept", "elsewhere", "", partial(_retold, '"arn:aws:s3:::*"', '"arn:aws:s3:::x"')),
    sets("pin-reviewed", key="pin", version="v3"),
    sets("pin-reviewed", key="pin", what="no-pin", pinned=False),
    sets("pin-reviewed", key="pin", what="of-tomorrow", ageDays=-1),
    removes("pin-reviewed", "reviewedVersion", "pin"),
    sets("review-fresh", key="pin", ageDays=91),
    Violation("files-readonly", "writable", "vault", lambda p: p["vault"]["mounts"][0].pop("readOnly")),
    Violation("one-writer", "guest", "backup", lambda p: p["backup"].update(mounts=p["store"]["mounts"])),
    Violation("one-writer", "two-guests", "", _two_guests),
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


@pytest.mark.parametrize(("rule", "key", "props"), CLEAN_PROPS, ids=str)
def test_the_rule_raises_no_false_alarm(rule: str, key: str, props: Props, plant: Any) -> None:
    plant[key].update(props)
    assert [fault for fault, clean in faults(BY_NAME[rule], plant.stack()) if not clean] == []


def test_a_bucket_that_no_job_shall_save_is_no_fault(plant: Any) -> None:
    _unlisted_bucket(plant)
    plant["backup-seed"]["uploads"].append(upload("unsaved", "results\n"))
    assert [fault for fault, clean in faults(BY_NAME["backup-coverage"], plant.stack()) if not clean] == []


@pytest.mark.parametrize("line", [*(f"RUN {run}" for run in CLEAN_RUNS), *CLEAN_LINES])
def test_a_good_line_of_a_build_file_breaks_no_rule(line: str, plant: Any) -> None:
    plant.build(line)
    stack = Stack((plant.resource("build-file"),))
    rules = (rule for rule in RULES if isinstance(rule, ResourceRule))
    assert [(r.name, fault.text) for r in rules for fault, clean in faults(r, stack) if not clean] == []


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


@pytest.mark.parametrize("rule", ["history-versioned", "history-locked", "versions-kept"])
def test_files_whose_content_is_hidden_say_nothing(rule: str, plant: Any) -> None:
    """A stack's state has a placeholder for what is encrypted in it."""
    for upload in plant["setup-seed"]["uploads"]:
        upload["content"] = "(secret)"
    assert [fault for fault, clean in faults(BY_NAME[rule], plant.stack()) if not clean] == []
