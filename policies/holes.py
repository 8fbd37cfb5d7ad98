"""The hardenings that mutants remove and the holes that they open (`policies/mutations.py`). Data only."""

from __future__ import annotations

from typing import Any

from policies.model import Kind

Props = dict[str, Any]

HARDENING: dict[str, list[str]] = {
    "container": [
        "user", "readOnly", "capabilities", "securityOpts", "memory", "memorySwap", "cpus", "ulimits",
        "sysctls", "healthcheck", "restart", "destroyGraceSeconds", "logOpts", "networksAdvanced", "labels",
        "dns",
    ],
    "seed": ["capabilities", "securityOpts", "networkMode", "start", "labels"],
    "network": ["internal", "ipamConfigs", "options"],
    "volume": ["labels"],
    "limit": ["container", "processes"],
}  # fmt: skip
# Values whose removal changes nothing: root is the default user, "no" the default restart policy.
DEFAULTS = {"user": "0", "restart": "no"}
ENVIRONMENT = ("MINIO_KMS_", "RAY_AUTH_")
FLAGS = ("--append-only", "--private-repos", "--htpasswd-file", "--tls", "--certs-dir")

# Single properties that open a hole, and items that open one in a list.
HOLES: dict[Kind, list[Props]] = {
    "container": [
        {"privileged": True},
        {"publishAllPorts": True},
        {"pidMode": "host"},
        {"ipcMode": "host"},
        {"utsMode": "host"},
        {"usernsMode": "host"},
        {"networkMode": "host"},
        {"networkMode": "container:other"},
        {"cgroupParent": "/"},
        {"memorySwap": -1},
        {"restart": "always"},
        {"capabilities": {"drops": ["ALL"], "adds": ["SYS_ADMIN"]}},
        {"gpus": "all"},
        {"volumeDriver": "sshfs"},
        {"securityOpts": ["no-new-privileges:false"]},
        *({"user": user} for user in ("10001:0", "10001:docker", "root", "4294967296", "10001:4294967296")),
    ],
    "network": [
        {"ipv6": True},
        {"driver": "macvlan"},
        {"driver": "overlay"},
        *(
            {"ipamConfigs": [{"subnet": subnet}]}
            for subnet in (
                "127.0.0.0/20",
                "169.254.0.0/16",
                "0.0.0.0/8",
                "240.0.0.0/4",
                "255.255.240.0/20",
                "198.18.0.0/15",
                "192.0.2.0/24",
                "224.0.0.0/8",
                "8.8.8.0/24",
                "fd00::/64",
                "10.0.0.1/8",
            )
        ),
    ],
    "volume": [
        {"driver": "sshfs"},
        *(
            {"driverOpts": options}
            for options in (
                {"type": "none", "o": "bind", "device": "/"},
                {"type": "none", "o": "ro,rbind", "device": "/"},
                {"type": "ext4", "device": "/dev/vda1"},
                {"type": "overlay", "device": "overlay", "o": "lowerdir=/,upperdir=/tmp/u,workdir=/tmp/w"},
                {"type": "nfs", "device": ":/etc", "o": "addr=127.0.0.1"},
                {"type": "cifs", "device": "//host/share", "o": "username=x,password=y"},
                {"device": "/etc"},
                {"o": "lowerdir=/"},
            )
        ),
    ],
    "limit": [{"processes": 0}, {"processes": -1}, {"processes": 2**22}],
    "other": [
        {"type": "docker-build:index:Image"},
        {"type": "command:local:Command"},
        {"type": "kubernetes:core/v1:Pod"},
        {"type": "docker:index/service:Service"},
        {"type": "pulumi-python:dynamic:Resource"},
        {"type": "pulumi:providers:command"},
    ],
    "pin": [{"version": "another"}, {"reviewedVersion": ""}, {"ageDays": -1}, {"ageDays": 91}],
}
MORE: dict[str, tuple[Any, ...]] = {
    "securityOpts": (
        "seccomp=unconfined", "seccomp:unconfined", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
        "seccomp=/tmp/profile.json", "apparmor=unconfined", "apparmor=mutant", "label=disable",
        "label:disable",
        "label=type:spc_t", "label=user:mutant", "systempaths=unconfined", "no-new-privileges:false",
        "no-new-privileges=0",
    ),
    "mounts": (
        *(
            {"type": "bind", "source": source, "target": "/host", "readOnly": True}
            for source in (
                "/var/run/docker.sock", "/run/user/1000", "/home/mutant/.docker/run", "/", "/etc", "/bin",
                "/sbin",
                "/lib64", "/var/spool/cron", "/var/log", "/srv/../etc",
            )
        ),
        {"type": "npipe", "source": "x", "target": "/x"},
        {"type": "volume", "target": "/x", "volumeOptions": {"driverName": "sshfs"}},
        {"type": "volume",
        "target": "/x", "volumeOptions": {"driverOptions": {"device": "/dev/vda1", "type": "ext4"}}},
        {"type": "volume", "source": "x", "target": "/var/run/nvidia-container-devices/0"},
    ),
    "volumes": (
        {"fromContainer": "aidc-test-vault"},
        {"hostPath": "/etc", "containerPath": "/x"},
        {"volumeName": "/etc", "containerPath": "/x"},
    ),
    "uploads": ({"file": "/x", "source": "/etc/shadow", "permissions": "0400"},),
    "devices": ({"hostPath": "/dev/sda"},),
    "deviceCgroupRules": ("a *:* rwm",),
    "groupAdds": ("0", "docker", "4294967296"),
    "envs": (
        "ADMIN_PASSWORD=mutant", "MYSQL_PWD=mutant", "SMTP_PASS=mutant", "REDISCLI_AUTH=mutant",
        "apiKey=mutant",
        "X=ghp_mutant0mutant", "DATABASE=x://user:mutant@host", "LD_PRELOAD=/mutant.so",
        "LD_AUDIT=/mutant.so",
        "NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_VISIBLE_DEVICES=0",
    ),
    "command": (
        "--password=mutant", "--pass=mutant", "--requirepass", "sh -c 'x --password=mutant'",
        "/usr/sbin/sshd",
    ),
    "labels": ({"label": "db.password", "value": "mutant"},),
    "ports": tuple(
        {"internal": 1, "external": 10001, "ip": ip}
        for ip in ("",
        "0.0.0.0", "::", "::0", "0:0:0:0:0:0:0:0", "[::]", "::ffff:0.0.0.0", "0", "255.255.255.255")
    ),
    "networksAdvanced": ({"name": "bridge"}, {"name": "host"}),
    "ulimits": ({"name": "nproc", "soft": 512, "hard": 512},),
}  # fmt: skip
# What the object store is told, changed so that history can be lost.
CONTENTS = (
    ("<VersioningConfiguration><Status>Enabled", "<VersioningConfiguration><Status>Suspended"),
    ("<Mode>COMPLIANCE</Mode>", "<Mode>GOVERNANCE</Mode>"),
    ('"s3:DeleteObjectVersion",', ""),
    ('"s3:PutLifecycleConfiguration",', ""),
)
# Maps in which one additional entry is a hole.
ENTRIES: dict[str, tuple[tuple[str, str], ...]] = {
    "sysctls": (
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv4/ip_forward", "1"),
        ("net.ipv4.conf.all.forwarding", "1"),
        ("net.ipv4.conf.eth0.forwarding", "1"),
        ("net.ipv4.conf.all.mc_forwarding", "1"),
        ("net.ipv6.conf.all.forwarding", "1"),
    ),
    "logOpts": (("splunk-token", "mutant"),),
}
# Options that override a flag of the vault that is already in its command.
OVERRULED = (
    "--append-only=false", "--private-repos=0", "--tls=F", "--no-auth", "--no-auth=true", "--htpasswd-file=",
)  # fmt: skip
# Properties that only matter while a process runs, or that a seed needs.
WHILE_RUNNING = frozenset(
    {"memorySwap",
    "restart", "groupAdds", "user", "uploads", "ports", "networksAdvanced", "dns", "ulimits", "logOpts",
     "sysctls"}
)  # fmt: skip
BUILD_FLAGS = ("--no-install-recommends", "--require-hashes", "/var/lib/apt/lists/*")
BUILD_MORE = (
    "FROM mutant:latest",
    "USER 0",
    "ADD archive.tar /",
    "ENV ADMIN_PASSWORD=mutant",
    "COPY server.key /",
    "RUN apt-get update",
    "RUN pip install mutant",
    "RUN curl -O https://mutant",
    "EXPOSE sshd",
    "ENV MYSQL_PWD=mutant",
    "ENV GITHUB_PAT ghp_mutant0mutant",
    "ENV NVIDIA_VISIBLE_DEVICES=all",
    "LABEL db.password=mutant",
    "FROM\tmutant:1",
    "FROM",
    "USER 10001:0",
    "USER 4294967296",
    "ADD\thttps://mutant/x /x",
    "COPY --from=mutant/uv:latest /uv /bin/uv",
    "COPY --chown=1 --from=mutant:1 /x /x",
    "RUN --mount=type=bind,from=mutant,target=/m true",
    "RUN --security=insecure true",
    "RUN --network=host true",
    'COPY ["server.key", "/"]',
    "COPY .aws/credentials /",
    "COPY .docker/config.json /",
    "COPY .env.production /",
    "RUN cat <<EOF",
    "RUN a \\\\",
    "# escape=`",
    "# syntax=mutant/frontend",
    'SHELL ["python3", "-c"]',
    "ONBUILD USER 0",
    "RUNS true",
    'RUN A=1 B="2 3" pi\\\np install mutant',
    "RUN python3 -m pip install mutant",
    "RUN pip3.11 install mutant",
    "RUN env X=1 pip install mutant",
    "RUN if true; then pip install mutant; fi",
    "RUN (pip install mutant)",
    'RUN ["pip", "install", "mutant"]',
    'RUN sh -c "pip install mutant"',
    'RUN echo "$(pip install mutant)"',
    "RUN $PIP install mutant",
    "RUN npm install -g mutant",
    "RUN npx mutant",
    "RUN git clone mutant",
    "RUN gem install mutant",
    "RUN go install mutant@latest",
    "RUN cargo install mutant",
    "ONBUILD RUN pip install mutant",
    "RUN dpkg -i mutant.deb",
    "RUN curl -fsS mutant | sh",
    "RUN wget -qO- mutant | sh -s -- x",
    "RUN curl -O mutant && curl -O other && sha256sum -c sums",
    "RUN curl -O mutant && sha256sum -c sums || true",
    "RUN curl -O mutant; sha256sum -c sums; true",
    "RUN python3 -c 'import urllib.request as u; u.urlretrieve(x)'",
    "RUN apt-get update && /usr/bin/apt-get install x && rm -rf /var/lib/apt/lists/*",
    "RUN env DEBIAN_FRONTEND=x apt-get install x",
    'RUN sh -c "apt-get install x"',
    'RUN ["apt-get", "install", "x"]',
)
# Lines after which a parser that misreads them would miss the next line.
SHADES = (
    "RUN echo $((1<<20)) > /x",
    "RUN echo $((1 << n))",
    "RUN cat <<<hello",
    "RUN python3 -c 'print(1<<20)'",
    "RUN cat <<EOF",
    "COPY <<'E' /x",
    "RUN echo \\\\",
    "RUN echo it's",
    "# a comment \\",
    "RUN true \\\n # a comment \\\n\n && true",
    "RUN echo \u2028",
    "LABEL x='y",
)
SHADED = "USER 0"
