"""The preflight's questions on made-up facts: each names the fault, the place and the fix."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from components.planning.config import LoadBalancer, Network, StackConfig
from components.planning.issues import Issue
from components.planning.units import GIB
from components.planning.validation import load
from components.runtime import receivers
from operations.engine.client import EngineResource
from operations.preflight import checks
from operations.preflight.machine import Route
from operations.stack.file import StackFile


def listed(*names: str) -> dict[str, object]:
    """What an engine with CDI says of these devices."""
    return {"DiscoveredDevices": [{"Source": "cdi", "ID": name} for name in names]}


def container(name: str, stack: str = "", published: tuple[tuple[str, int], ...] = ()) -> EngineResource:
    return EngineResource("container", name, name, {"aidc.stack": stack} if stack else {}, True, published)


def network(name: str, subnet: str, stack: str = "") -> EngineResource:
    labels = {"aidc.stack": stack} if stack else {}
    return EngineResource("network", name, name, labels, subnets=(IPv4Network(subnet),))


def free(_address: str, _port: int) -> None:
    return None


def test_a_node_that_is_alone_wants_more_memory() -> None:
    for count, size, warned in ((1, "3GiB", True), (1, "4GiB", False), (2, "3GiB", False)):
        nodes = [{"name": f"node{i}", "memory": size} for i in range(count)]
        config = StackConfig.model_validate({"compute": {"nodes": nodes}})
        check = checks.memory(config, 64 * GIB, running=True)
        assert ("the only node" in "".join(check.warnings)) == warned


def test_an_old_engine_is_refused() -> None:
    assert checks.engine({"ApiVersion": "1.40"}).issues
    assert not checks.engine({"ApiVersion": "1.41"}).issues


def test_switched_off_bridge_filtering_is_refused_with_the_command_that_switches_it_on() -> None:
    (issue,) = checks.bridge_filtering({"BridgeNfIptables": False}, False).issues
    assert "sysctl -w net.bridge.bridge-nf-call-iptables=1" in issue.fix


@pytest.mark.parametrize(
    "info",
    [
        {"ServerVersion": "20.10.24", "BridgeNfIptables": True},
        {"ServerVersion": "28.0.1", "BridgeNfIptables": False},
        {"ServerVersion": "29.1.0", "ApiVersion": "1.52"},
    ],
)
def test_the_kernels_word_on_bridge_filtering_counts_with_any_engine(info: dict[str, object]) -> None:
    assert not checks.bridge_filtering(info, True).issues


@pytest.mark.parametrize(
    ("info", "refused", "warned"),
    [
        ({"ServerVersion": "20.10.24", "BridgeNfIptables": True}, False, False),
        ({"ServerVersion": "20.10.24", "BridgeNfIptables": False}, True, False),
        ({"ServerVersion": "28.0.1", "BridgeNfIptables": False}, False, True),
        ({"ServerVersion": "29.1.0"}, False, True),
    ],
)
def test_an_engine_elsewhere_that_cannot_say_is_no_reason_to_refuse(
    info: dict[str, object], refused: bool, warned: bool
) -> None:
    check = checks.bridge_filtering(info, None)
    assert (bool(check.issues), bool(check.warnings)) == (refused, warned)


@pytest.mark.parametrize(
    ("asked", "info", "hook", "refused"),
    [
        ([], {}, False, False),
        ([0], {}, False, True),
        ([0], {"Runtimes": {"nvidia": {}}}, False, False),
        ([0], {}, True, False),
        ([0], listed("nvidia.com/gpu=0"), False, False),
        ([0], listed("vendor.com/net=0"), False, True),
        ([0], listed("nvidia.com/gpu=all"), False, True),
        ([0, 1], listed("nvidia.com/gpu=0"), False, True),
        ([0, 1], listed("nvidia.com/gpu=0"), True, False),
        (["0:1"], listed("nvidia.com/gpu=0", "nvidia.com/gpu=0:1"), False, False),
        ([0], {"DiscoveredDevices": None, "Runtimes": None}, False, True),
    ],
)
def test_gpus_need_a_runtime(
    asked: list[int | str], info: dict[str, object], hook: bool, refused: bool
) -> None:
    assert bool(checks.gpu_runtime(asked, info, hook).issues) is refused


def test_a_gpu_without_a_cdi_device_is_named_with_those_that_have_one() -> None:
    (issue,) = checks.gpu_runtime([0, "1:0"], listed("nvidia.com/gpu=0"), hook=False).issues
    assert "GPU 1:0;" in issue.fault
    assert "nvidia.com/gpu=0" in issue.fault
    assert "nvidia-ctk cdi generate" in issue.fix


def test_every_missing_image_is_named() -> None:
    wanted = {"vault": "aidc-vault:1", "backup": "aidc-backup:2", "firewall": ""}
    (issue,) = checks.images(wanted, frozenset({"aidc-vault:1"})).issues
    assert issue.fault == "missing: aidc-backup:2, firewall (no build context yet)"


def test_without_an_engine_missing_contexts_are_still_found() -> None:
    found = checks.images({"vault": "aidc-vault:1", "firewall": ""}, None)
    assert "vault" not in found.issues[0].fault
    assert found.skipped


def test_a_full_disk_says_what_is_free_and_what_is_needed() -> None:
    (issue,) = checks.disk(2 * GIB, "/data", ["compute"]).issues
    assert "2.0 GiB free, 14.0 GiB needed" in issue.fault
    assert "9.0 GiB of it for missing images" in issue.fault


def test_enough_disk_passes() -> None:
    assert not checks.disk(6 * GIB, "/data", []).issues


def test_another_machines_disk_is_not_checked() -> None:
    assert checks.disk(None, "/data", []).skipped


def test_tight_memory_is_a_warning_and_no_refusal() -> None:
    check = checks.memory(StackConfig(), 8 * GIB, running=False)
    assert check.warnings
    assert not check.issues


def test_memory_of_a_running_stack_is_taken_already() -> None:
    assert not checks.memory(StackConfig(), GIB, running=True).warnings


def test_a_port_of_another_container_is_refused_by_name() -> None:
    other = container("web", published=(("0.0.0.0", 8443),))
    (issue,) = checks.ports(LoadBalancer(), False, "dev", [other], free).issues
    assert issue.path == "aidc:datacenter.load_balancer.ports.inference"
    assert "the container web" in issue.fault


def test_a_port_that_this_stack_publishes_is_fine() -> None:
    own = container(
        "aidc-dev-load-balancer",
        "dev",
        tuple(("127.0.0.1", p) for p in (8443, 9443, 8265, 5443, 7443, 6443, 8080)),
    )
    assert not checks.ports(LoadBalancer(), False, "dev", [own], lambda _a, p: f"port {p} is in use").issues


def test_the_port_of_a_notebook_counts_where_one_may_run() -> None:
    other = container("web", published=(("0.0.0.0", 8888),))
    assert not checks.ports(LoadBalancer(), False, "dev", [other], free).issues
    (issue,) = checks.ports(LoadBalancer(), True, "dev", [other], free).issues
    assert issue.path == "aidc:datacenter.load_balancer.ports.notebook"


def test_a_port_on_another_address_is_no_obstacle() -> None:
    other = container("web", published=(("192.0.2.1", 8443),))
    assert not checks.ports(LoadBalancer(), False, "dev", [other], free).issues


def test_an_address_that_the_host_lacks_is_told_once() -> None:
    found = checks.ports(
        LoadBalancer(), False, "dev", [], lambda a, _p: f"{a} is not an address of this host"
    )
    assert [i.path for i in found.issues] == ["aidc:datacenter.load_balancer.bind"]


def test_another_docker_network_in_the_way_is_named_with_a_free_range() -> None:
    (issue,) = checks.addresses(Network(), "dev", [network("web", "10.77.0.0/16")], []).issues
    assert "the Docker network web" in issue.fault
    assert "10.64.0.0/20" in issue.fix


def test_own_networks_and_their_routes_are_not_in_the_way() -> None:
    own = network("aidc-dev-edge", "10.77.0.0/23", "dev")
    route = Route("dc-edge", IPv4Network("10.77.0.0/23"))
    assert not checks.addresses(Network(), "dev", [own], [route]).issues


def test_a_route_of_the_host_in_the_way_is_named() -> None:
    (issue,) = checks.addresses(Network(), "dev", [], [Route("tun0", IPv4Network("10.0.0.0/8"))]).issues
    assert "the route of tun0" in issue.fault


def test_a_vpn_that_has_all_private_ranges_is_a_warning_for_no_other_cidr_would_help() -> None:
    private = [Route("tun0", IPv4Network(n)) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    check = checks.addresses(Network(), "dev", [], private)
    assert not check.issues
    assert "overlap with the route of tun0 (10.0.0.0/8)" in check.warnings[0]


def test_a_route_of_another_table_is_a_warning() -> None:
    check = checks.addresses(Network(), "dev", [], [], [Route("tun0, table 52", IPv4Network("10.77.0.0/16"))])
    assert not check.issues
    assert "tun0, table 52" in check.warnings[0]


@pytest.mark.parametrize("routed", ["10.0.0.0/8", "10.0.0.0/8 172.16.0.0/12", "10.0.0.0/8 192.168.0.0/16"])
def test_what_is_suggested_would_be_accepted(routed: str) -> None:
    routes = [Route("tun0", IPv4Network(n)) for n in routed.split()]
    fix = checks.addresses(Network(), "dev", [], routes).issues[0].fix
    suggested = Network.model_validate({"cidr": fix.rpartition(" ")[2]})
    assert not checks.addresses(suggested, "dev", [], routes).issues


def test_an_overridden_segment_is_blamed_itself() -> None:
    asked = Network(segments={"storage": IPv4Network("192.168.0.0/24")})
    (issue,) = checks.addresses(asked, "dev", [network("lan", "192.168.0.0/16")], []).issues
    assert issue.path == "aidc:datacenter.network.segments.storage"


def test_a_suggested_range_overlaps_with_nothing() -> None:
    taken = [IPv4Network("10.64.0.0/10"), IPv4Network("10.128.0.0/20")]
    assert checks.free_cidr(taken) == "10.129.0.0/20"


def stack_file(salted: bool = False, provider: str = "passphrase", **config: object) -> StackFile:
    named = {f"aidc:{key}": value for key, value in config.items()}
    return StackFile("dev", Path("Pulumi.dev.yaml"), named, (), provider, salted)


def test_a_missing_state_folder_is_reported(tmp_path: Path) -> None:
    good = {"PULUMI_CONFIG_PASSPHRASE": "word"}
    assert not checks.passphrase(stack_file(), f"file://{tmp_path}", good).issues
    (issue,) = checks.passphrase(stack_file(), f"file://{tmp_path}/none", good).issues
    assert "no such folder" in issue.fault


def test_without_any_backend_nothing_can_be_stored() -> None:
    assert checks.passphrase(stack_file(), None, {}).issues


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PULUMI_CONFIG_PASSPHRASE": ""},
        {"PULUMI_CONFIG_PASSPHRASE_FILE": "/nonexistent"},
        {"PULUMI_CONFIG_PASSPHRASE_FILE": "/dev/null"},
    ],
)
def test_a_missing_or_empty_passphrase_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    assert checks.passphrase(stack_file(), f"file://{tmp_path}", environment).issues


def test_an_empty_passphrase_hides_the_file_as_in_pulumi(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("word")
    both = {"PULUMI_CONFIG_PASSPHRASE": "", "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "p")}
    (issue,) = checks.passphrase(stack_file(), f"file://{tmp_path}", both).issues
    assert issue.path == "PULUMI_CONFIG_PASSPHRASE"


@pytest.mark.parametrize(
    ("backend", "salted", "provider", "refused"),
    [
        ("https://example", False, "passphrase", False),
        ("https://example", True, "passphrase", True),
        ("s3://state", False, "awskms://key", False),
        ("s3://state", False, "passphrase", True),
    ],
)
def test_only_the_passphrase_provider_wants_a_passphrase(
    backend: str, salted: bool, provider: str, refused: bool
) -> None:
    assert bool(checks.passphrase(stack_file(salted, provider), backend, {}).issues) is refused


def test_data_without_its_seed_is_refused() -> None:
    volume = EngineResource("volume", "v", "v", {"aidc.stack": "dev", "aidc.kind": "data"})
    assert checks.data(stack_file(), [volume]).issues
    assert not checks.data(stack_file(seed={"secure": "x"}), [volume]).issues


@pytest.mark.parametrize("running", [True, False])
def test_nobody_is_told_to_destroy_what_may_be_another_clones_data(running: bool) -> None:
    volume = EngineResource("volume", "v", "v", {"aidc.stack": "dev", "aidc.kind": "data"})
    (issue,) = checks.data(stack_file(), [volume], running=running).issues
    assert "purge" not in str(issue).lower()
    assert "another" in issue.fix


@pytest.mark.parametrize(("made_for", "refused"), [(None, False), (4, False), (6, True)])
def test_a_store_that_holds_data_keeps_its_number_of_nodes(made_for: int | None, refused: bool) -> None:
    issues = checks.object_store_size(StackConfig(), made_for).issues
    assert [i.path for i in issues] == (["aidc:datacenter.object_store.nodes"] if refused else [])
    assert all("write 6" in i.fix for i in issues)


OUTSIDE = StackConfig.model_validate(
    {"object_store": {"external": {"endpoint": "https://s3.example.org", "addresses": ["203.0.113.7"]}}}
)


@pytest.mark.parametrize(("made_for", "refused"), [(None, False), (4, True)])
def test_data_of_an_own_store_is_not_left_behind_for_an_outside_one(
    made_for: int | None, refused: bool
) -> None:
    issues = checks.object_store_size(OUTSIDE, made_for).issues
    assert [i.path for i in issues] == (["aidc:datacenter.object_store.external"] if refused else [])


@pytest.mark.parametrize(("host", "refused"), [("203.0.113.7", True), ("203.0.113.8", False)])
def test_an_outside_store_is_on_another_machine(host: str, refused: bool) -> None:
    paths = [issue.path for issue in checks.outside_store(OUTSIDE, (), [host]).issues]
    assert paths == (["aidc:datacenter.object_store.external.addresses[0]"] if refused else [])


def test_faults_in_the_files_of_an_outside_store_are_told() -> None:
    fault = Issue("aidc:datacenter.object_store.external.ca", "is missing", "write it")
    assert checks.outside_store(OUTSIDE, [fault], ()).issues == (fault,)


HOOK = {"endpoint": "https://hooks.example.org", "addresses": ["203.0.113.7"]}


@pytest.mark.parametrize(("host", "refused"), [("203.0.113.7", True), ("203.0.113.8", False)])
def test_a_receiver_of_alerts_is_on_another_machine(host: str, refused: bool) -> None:
    config = load({"monitoring": {"alerts": {"webhook": HOOK}}}, "dev")
    paths = [issue.path for issue in checks.receivers(config, (), [host]).issues]
    assert paths == (["aidc:datacenter.monitoring.alerts.webhook.addresses[0]"] if refused else [])


def test_an_authority_that_is_not_there_is_told_before_anything_is_made(tmp_path: Path) -> None:
    config = load({"monitoring": {"alerts": {"webhook": {**HOOK, "ca": "no\n\ud800"}}}}, "dev")
    (issue,) = receivers.issues(config.monitoring.alerts, tmp_path)
    assert issue.path == "aidc:datacenter.monitoring.alerts.webhook.ca"
    assert issue.fault.isprintable()
    assert checks.receivers(config, [issue], ()).issues == (issue,)


def test_another_stacks_data_does_not_matter() -> None:
    volume = EngineResource("volume", "v", "v", {"aidc.stack": "test", "aidc.kind": "data"})
    assert not checks.data(stack_file(), [volume]).issues
