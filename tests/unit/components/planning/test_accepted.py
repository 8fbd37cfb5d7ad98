"""Every accepted configuration makes a plan that an engine accepts: limits, addresses, schedule."""

from ipaddress import IPv4Address
from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from components.compute import OBJECT_STORE_BYTES
from components.planning import cron
from components.planning.addressing import PRIVATE
from components.planning.config import Head, HostFacts, Node, StackConfig
from components.planning.issues import ConfigError
from components.planning.plan import make_plan
from components.planning.units import MIB, cpus_text
from components.planning.validation import load

HOST = HostFacts(cpus=8, memory=64 * 2**30, gpus=2)
# The minimum that Docker Engine accepts.
ENGINE_CPUS, ENGINE_MEMORY = 0.01, 6 * MIB

HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["1:30", "0x10", "yes", "3GiB\n", "３GiB", "1e3GiB", "0GiB", "9" * 5000 + "GiB", [], {}]),
)
CPUS = st.one_of(st.sampled_from([0.5, 1, 2, 0.25, 1.5]), st.floats(0, 9).map(lambda n: round(n, 2)), HOSTILE)
SIZES = st.one_of(
    st.sampled_from(["512MiB", "2GiB", "4GiB", "3 GiB"]),
    st.builds("{}{}".format, st.integers(0, 9000), st.sampled_from(["KiB", "MiB", "GiB", "TiB", "GB", ""])),
    HOSTILE,
)
NETWORKS = st.one_of(
    st.builds("10.{}.0.0/{}".format, st.integers(0, 255), st.integers(16, 24)),
    st.sampled_from(
        ["127.0.0.0/20", "169.254.0.0/16", "0.0.0.0/8", "240.0.0.0/4", "198.18.0.0/15", "100.64.0.0/16"]
    ),
    st.builds("{}/{}".format, st.ip_addresses(v=4), st.integers(0, 32)),
    HOSTILE,
)
BINDS = st.one_of(st.sampled_from(["127.0.0.1", "0.0.0.0"]), st.ip_addresses(v=4).map(str), HOSTILE)
PORTS = st.one_of(st.integers(1000, 70000), HOSTILE)
CRON = st.one_of(st.just("*/30 * * * *"), st.text("0123456789*/-, \n", max_size=14), HOSTILE)


def part(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


SERVICE = {"cpus": CPUS, "memory": SIZES}
RAY = {**SERVICE, "shm": SIZES}
STACKS = part(
    network=part(
        cidr=NETWORKS, segments=st.dictionaries(st.sampled_from(["edge", "storage"]), NETWORKS, max_size=1)
    ),
    load_balancer=part(bind=BINDS, ports=part(inference=PORTS, s3=PORTS, ray=PORTS), **SERVICE),
    compute=part(
        head=part(**RAY),
        nodes=st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["a", "b", "node-1", "X", "a\n"])}, optional=RAY),
            min_size=1,
            max_size=2,
        ),
    ),
    object_store=part(nodes=st.one_of(st.integers(3, 17), HOSTILE), **SERVICE),
    backup=part(schedule=CRON, **SERVICE),
)


def check(config: StackConfig) -> None:
    compute = config.compute
    services: list[Any] = [
        config.load_balancer,
        compute.head,
        *compute.nodes,
        config.object_store,
        config.backup,
    ]
    for service in services:
        assert ENGINE_CPUS <= service.cpus <= HOST.cpus
        assert float(cpus_text(service.cpus)) == service.cpus
        assert ENGINE_MEMORY <= service.memory <= HOST.memory
        assert service.memory % MIB == 0
    rays: list[Head | Node] = [compute.head, *compute.nodes]
    for ray in rays:
        assert OBJECT_STORE_BYTES < ray.shm < ray.memory
    assert cron.ever_runs(cron.parse(config.backup.schedule))
    assert config.backup.schedule.isprintable()
    bind = config.load_balancer.bind
    assert bind == IPv4Address(0) or not (bind.is_multicast or bind.is_unspecified or bind.is_reserved)
    plan = make_plan("dev", config)
    for segment in plan.segments:
        assert any(segment.subnet.subnet_of(private) for private in PRIVATE)
        places = [s.addresses[segment.name] for s in plan.services if segment.name in s.addresses]
        assert len(set(places)) == len(places)
        assert all(IPv4Address(p) in segment.subnet and p != segment.gateway for p in places)
        assert all(IPv4Address(p) < segment.subnet.broadcast_address for p in places)
    assert not any(a.subnet.overlaps(b.subnet) for a, b in combinations(plan.segments, 2))
    assert len({s.container for s in plan.services}) == len(plan.services)


def shrunk(raw: Any, error: ConfigError) -> Any:
    """`raw` without the parts that were refused, so that the rest is tried, too."""
    for issue in error.issues:
        path = issue.path.removeprefix("aidc:datacenter.").replace("[", ".").replace("]", "").split(".")
        target = raw
        for key in path[:-1]:
            target = target[int(key)] if isinstance(target, list) else target.get(key, {})
        if isinstance(target, dict):
            target.pop(path[-1], None)
    return raw


@settings(max_examples=600, deadline=None)
@given(raw=STACKS)
def test_what_is_accepted_an_engine_takes(raw: dict[str, Any]) -> None:
    for _ in range(3):
        try:
            check(load(raw, "dev", HOST))
        except ConfigError as error:
            raw = shrunk(raw, error)
        else:
            return
