"""Planned and running resources as flat fields, so that they can be compared one by one. Pure.

Both come in the provider's shape; policies.sources.live translates what the engine says. `Fields` map a field
such as `networks.aidc-dev-edge` to its value as text. Both sides spell a value the same way: sizes in MiB,
times in seconds, capabilities without prefix. What is absent on both sides is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from policies.model import Resource

Fields = dict[str, str]
# What the engine writes where nothing was asked for.
DEFAULT_SHM, DEFAULT_RUNTIME, DEFAULT_LOGS = "64", "runc", "json-file"
NO_NETWORK = ("none", "host")


def of(resource: Resource) -> Fields:
    """The fields of a container, network, volume or image; an image has those that containers inherit."""
    if resource.kind == "network":
        return _network(resource)
    if resource.kind == "volume":
        return _volume(resource)
    return present(_inherited(resource) if resource.kind == "image" else _container(resource))


def _container(r: Resource) -> Fields:
    capabilities = r.mapping("capabilities")
    mounts = {
        str(m.get("target")): f"{m.get('type')} {m.get('source')}, {access(not m.get('readOnly'))}"
        for m in r.each("mounts")
    }
    # A mode that names a network is what the provider joins; otherwise the mode says what kind of none it is.
    mode = r.text("networkMode")
    return {
        "image": r.text("image"),
        "user": r.text("user"),
        "hostname": r.text("hostname"),
        "network mode": mode if mode in NO_NETWORK or mode.startswith("container:") else "",
        "read-only root": flag(r.get("readOnly")),
        "privileged": flag(r.get("privileged")),
        "init": flag(r.get("init")),
        "capabilities added": capability_names(capabilities.get("adds")),
        "capabilities dropped": capability_names(capabilities.get("drops")),
        "security options": listed(option(o) for o in r.each("securityOpts")),
        "dns": listed(r.each("dns")),
        "hosts added": listed(f"{h.get('host')}:{h.get('ip')}" for h in r.each("hosts")),
        "publish all ports": flag(r.get("publishAllPorts")),
        "groups added": listed(r.each("groupAdds")),
        "memory MiB": number(r.get("memory")),
        "memory and swap MiB": number(r.get("memorySwap")),
        "shared memory MiB": DEFAULT_SHM if r.get("shmSize") is None else number(r.get("shmSize")),
        "cpus": number(r.get("cpus")),
        "processes at most": number(max(0, r.number("pidsLimit"))),
        "restart": r.text("restart") or "no",
        "restarts at most": number(r.get("maxRetryCount")),
        "stop timeout s": number(r.get("stopTimeout")),
        "log driver": r.text("logDriver") or DEFAULT_LOGS,
        "pid mode": r.text("pidMode"),
        "ipc mode": r.text("ipcMode") or "private",
        "user namespace": r.text("usernsMode"),
        "cgroup parent": r.text("cgroupParent"),
        "runtime": r.text("runtime") or DEFAULT_RUNTIME,
        "devices": listed(str(d.get("hostPath")) for d in r.each("devices")),
        "device requests": listed(
            device_request(q.get("driver"), q.get("deviceIds"), q.get("capabilities"))
            for q in r.each("deviceRequests")
        ),
        "published": listed(
            binding(p.get("ip"), p.get("external"), p.get("internal"), p.get("protocol"))
            for p in r.each("ports")
        ),
        "runs": _runs(r),
        **_inherited(r),
        **prefixed("mounts", mounts),
        **prefixed("networks", {str(n.get("name")): _addresses(n) for n in r.each("networksAdvanced")}),
        **prefixed("tmpfs", {k: listed(str(v).split(",")) for k, v in r.mapping("tmpfs").items()}),
        **prefixed("sysctls", r.mapping("sysctls")),
        **prefixed("log options", r.mapping("logOpts")),
        **prefixed(
            "ulimits",
            {str(u.get("name")): limit(u.get("soft"), u.get("hard")) for u in r.each("ulimits")},
        ),
        **prefixed(
            "aliases",
            {str(n.get("name")): listed(n.get("aliases") or ()) for n in r.each("networksAdvanced")},
        ),
    }


def _inherited(r: Resource) -> Fields:
    """What a container takes from its image unless told otherwise."""
    # Of what runs, `command` is the whole line; its parts stand apart.
    health, line = r.mapping("healthcheck"), r.mapping("configured") or r.props
    return {
        "command": words(line.get("command") or ()),
        "entrypoint": words(line.get("entrypoints") or ()),
        "health check": words(health.get("tests") or ()),
        "health interval s": number(seconds(health.get("interval"))),
        "health timeout s": number(seconds(health.get("timeout"))),
        "health start period s": number(seconds(health.get("startPeriod"))),
        "health retries": number(health.get("retries")),
        **prefixed("env", dict(r.environment)),
        **_labels(r),
    }


def _runs(r: Resource) -> str:
    """A job may have ended; a service must be running; a seed must never have been started."""
    if r.get("start") is False:
        return "never"
    status = r.text("status") if "status" in r.props else "running"
    return "yes" if status == "running" or r.is_job else f"no: {status}"


def _addresses(network: Mapping[str, Any]) -> str:
    """The addresses in use; of a plan, those that are asked for."""
    asked = (network.get("ipv4Address"), network.get("ipv6Address"))
    used = network.get("addressesInUse")
    return words(address for address in (asked if used is None else used) if address)


def _volume(resource: Resource) -> Fields:
    driver = "local" if resource.get("driver") is None else resource.text("driver")
    options = prefixed("driver options", resource.mapping("driverOpts"))
    return {"driver": driver, **options, **_labels(resource)}


def _network(resource: Resource) -> Fields:
    subnets = {str(c.get("subnet")): str(c.get("gateway") or "") for c in resource.each("ipamConfigs")}
    return present(
        {
            "driver": "bridge" if resource.get("driver") is None else resource.text("driver"),
            "internal": flag(resource.get("internal")),
            "IPv6": flag(resource.get("ipv6")),
            **prefixed("subnets", subnets),
            **prefixed("options", resource.mapping("options")),
            **_labels(resource),
        }
    )


def capability_names(value: Iterable[object] | None) -> str:
    return listed(str(item).upper().removeprefix("CAP_") for item in value or ())


def device_request(driver: object, identifiers: object, capabilities: object) -> str:
    """One request for devices; capabilities come as a list, or as the engine's list of lists."""
    names: list[str] = []
    for item in capabilities if isinstance(capabilities, list | tuple) else ():
        names += [str(i) for i in item] if isinstance(item, list | tuple) else [str(item)]
    chosen = identifiers if isinstance(identifiers, list | tuple) else ()
    return f"{driver or ''} {listed(chosen)} {listed(names)}"


def binding(address: object, external: object, internal: object, protocol: object) -> str:
    return f"{address or '0.0.0.0'}:{number(external)} to {number(internal)}/{protocol or 'tcp'}"


def limit(soft: object, hard: object) -> str:
    return f"{number(soft)}:{number(hard)}"


def seconds(text: object) -> float:
    """`4m0s` → 240. The engine's own numbers are nanoseconds and not for here."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", str(text or ""))
    return sum(float(number) * units[unit] for number, unit in parts)


def _labels(resource: Resource) -> Fields:
    return prefixed("labels", {str(i.get("label")): str(i.get("value")) for i in resource.each("labels")})


def prefixed(prefix: str, values: Mapping[str, object]) -> Fields:
    return {f"{prefix}.{key}": str(value) for key, value in values.items()}


def present(values: Mapping[str, str]) -> Fields:
    """Without what is empty; a key with a dot names an item, which may be empty and there."""
    return {key: value for key, value in values.items() if value or "." in key}


def access(writable: bool) -> str:
    return "writable" if writable else "read-only"


def flag(value: object) -> str:
    return "yes" if value else "no"


def number(value: object) -> str:
    """Without trailing zeros; 0 and absent are the same: not asked for. Below 0 the engine sets no limit."""
    amount = float(str(value or 0))
    if amount < 0:
        return "unlimited"
    return f"{amount:.3f}".rstrip("0").rstrip(".") if amount else ""


def words(items: Iterable[object]) -> str:
    return " ".join(str(item) for item in items)


def listed(items: Iterable[object]) -> str:
    return ", ".join(sorted(str(item).strip() for item in items))


def option(value: object) -> str:
    """The engine also takes the old spelling of a security option, with a colon."""
    return re.sub(r"^([\w-]+):", r"\1=", str(value).strip().lower())
