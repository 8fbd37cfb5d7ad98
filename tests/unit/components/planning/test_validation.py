"""Every mistake at once, each with its path and a fix; no test needs Docker."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.planning.config import HostFacts
from components.planning.issues import ConfigError
from components.planning.units import cpus_text
from components.planning.validation import load

DATA = Path(__file__).parents[3] / "testdata" / "stacks"
ROOT = Path(__file__).parents[4]
HOST = HostFacts(cpus=2, memory=24 * 2**30, gpus=0)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", sorted(DATA.glob("valid-*.yaml")), ids=lambda p: p.stem)
def test_valid_file_is_accepted(path: Path) -> None:
    load(read(path)["datacenter"], "dev", HOST)


@pytest.mark.parametrize("path", sorted(DATA.glob("invalid-*.yaml")), ids=lambda p: p.stem)
def test_invalid_file_is_refused_with_every_path(path: Path) -> None:
    case = read(path)
    with pytest.raises(ConfigError) as caught:
        load(case["datacenter"], case.get("stack", "dev"), HOST)
    found = {(issue.path.removeprefix("aidc:datacenter.")) for issue in caught.value.issues}
    assert found == set(case["expect"])


@pytest.mark.parametrize("path", sorted(DATA.glob("invalid-*.yaml")), ids=lambda p: p.stem)
def test_every_mistake_has_a_fix(path: Path) -> None:
    case = read(path)
    with pytest.raises(ConfigError) as caught:
        load(case["datacenter"], case.get("stack", "dev"), HOST)
    assert all(issue.fix and issue.fault for issue in caught.value.issues)


@pytest.mark.parametrize("path", [ROOT / "Pulumi.dev.yaml", ROOT / "Pulumi.test.yaml"], ids=lambda p: p.name)
def test_committed_stack_is_valid(path: Path) -> None:
    config = read(path)["config"]["aidc:datacenter"]
    load(config, path.name.split(".")[1], HOST)


def test_empty_configuration_is_a_whole_data_centre() -> None:
    assert len(load(None, "dev", HOST).compute.nodes) == 2


def test_unknown_host_is_not_checked() -> None:
    load({"compute": {"nodes": [{"name": "big", "cpus": 512, "gpus": [7]}]}}, "dev", None)


@pytest.mark.parametrize(
    ("cpus", "text"),
    [(1.0, "1.0"), (0.5, "0.5"), (0.25, "0.25"), (1.05, "1.05"), (10.0, "10."), (64.0, "64.0")],
)
def test_cpus_are_spelt_as_the_provider_reads_them_back(cpus: float, text: str) -> None:
    # nanoInt64ToDecimalString of the provider: else a second `up` would replace the container.
    assert cpus_text(cpus) == text


def test_cpus_that_the_provider_would_round_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"10\.05 becomes 10\.1 on its way to the engine"):
        load({"compute": {"nodes": [{"name": "big", "cpus": 10.05}]}}, "dev", None)


@pytest.mark.parametrize(
    ("cpus", "fault"), [(0.05, "is below 0.5, the minimum"), (1.005, "too many decimals")]
)
def test_the_fault_of_a_number_of_cpus_is_its_own(cpus: float, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        load({"compute": {"nodes": [{"name": "big", "cpus": cpus}]}}, "dev", None)


def test_a_key_of_any_length_is_named_in_few_words() -> None:
    with pytest.raises(ConfigError, match=r"k{100}…: unknown key") as caught:
        load({"backup": {"k" * 100_000: 1}}, "dev")
    assert len(str(caught.value)) < 500


def test_close_key_is_suggested() -> None:
    with pytest.raises(ConfigError, match="did you mean 'schedule'"):
        load({"backup": {"shedule": "0 * * * *"}}, "dev")


@pytest.mark.parametrize("part", ["logs", "drill", "monitoring", "database"])
def test_what_the_host_has_bounds_every_service(part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({part: {"cpus": 1000, "memory": "60TiB"}}, "dev", HOST)
    found = {issue.path.removeprefix("aidc:datacenter.") for issue in caught.value.issues}
    assert found == {f"{part}.cpus", f"{part}.memory"}


def test_an_entry_that_is_none_hides_no_mistake_in_one_whose_name_begins_alike() -> None:
    nightly = {"schedule": "0 3 * * *", "sources": {"buckets": ["nope"]}}
    with pytest.raises(ConfigError) as caught:
        load({"backup": {"jobs": {"night": 5, "nightly": nightly}}}, "dev", HOST)
    assert [issue.path.rpartition("jobs.")[2] for issue in caught.value.issues] == [
        "night",
        "nightly.sources.buckets[0]",
    ]


@pytest.mark.parametrize(
    ("given", "fault", "fix"),
    [
        ({"logs": {"retention_days": 0}}, "", "write a number of at least 1"),
        ({"logs": {"retention_days": 9999}}, "", "write a number of at most 1825"),
        ({"database": {"archive": {"keep_full": 53}}}, "", "write a number of at most 52"),
        ({"logs": {"storage": "100MiB"}}, "is below 256MiB, the minimum", "write a size"),
        ({"object_store": {"buckets": {"own": {"quota": "0GiB"}}}}, "is below 1MiB", "write a size"),
        (
            {"object_store": {"system_buckets": {"tracking": {"quota": "0MiB"}}}},
            "is below 1MiB",
            "write a size",
        ),
        ({"monitoring": {1: 2}}, "keys should be strings", "write the key in quotes"),
        ({"backup": {"prune_schedule": "often"}}, "five fields", "write five cron fields"),
        ({"database": {"storage": "65TiB"}}, "is above 64TiB, the maximum", "write a size"),
        ({"logs": 5}, "is not a mapping", "write a YAML mapping"),
        ({"compute": {"nodes": "node1"}}, "is not a list", "write a YAML list"),
        (
            {"object_store": {"buckets": {f"bucket-{n}": {"quota": "1GiB"} for n in range(97)}}},
            "has 97 entries",
            "declare at most 96 beside those of every stack",
        ),
        (
            {
                "monitoring": {
                    "alerts": {"webhook": {"endpoint": "https://a.example.org", "addresses": ["x"]}}
                }
            },
            "not a valid IPv4 address",
            "list the IPv4 addresses",
        ),
        ({"compute": {"nodes": [{"name": "files"}]}}, "is taken", "use 1 to 20"),
    ],
)
def test_the_fix_says_what_to_write(given: dict[str, Any], fault: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(given, "dev", HOST)
    (issue,) = caught.value.issues
    assert fault in issue.fault
    assert issue.fix.startswith(fix)


@pytest.mark.parametrize("key", ["a\nb", "\x1b[31mred", "\u202e"])
def test_a_key_that_a_terminal_would_obey_is_shown_escaped(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"backup": {"jobs": {key: {"sources": "all"}}}, key: 1}, "dev", HOST)
    assert len(caught.value.issues) == 2
    assert all(line.isprintable() for line in str(caught.value).splitlines())
    assert len(str(caught.value).splitlines()) == 5


def test_many_mistakes_in_one_part_hide_none_elsewhere() -> None:
    email = {"server": "localhost", "addresses": ["127.0.0.1"], "sender": "a", "to": []}
    raw = {
        "network": {"cidr": "10.60.0.0/30"},
        "monitoring": {"alerts": {"email": email, "alive_minutes": 5}},
        "object_store": {
            "buckets": {
                "Raw": {"quota": 5},
                "raw": {"quota": "1GiB", "object_lock": {"mode": "governance", "days": 1}},
            }
        },
        "backup": {"jobs": {"x": {"sources": {"buckets": ["nope"]}}}},
    }
    with pytest.raises(ConfigError) as caught:
        load(raw, "dev", HOST)
    assert {issue.path.removeprefix("aidc:datacenter.") for issue in caught.value.issues} >= {
        "network.cidr",
        "monitoring.alerts.alive_minutes",
        "monitoring.alerts.email.server",
        "object_store.buckets.Raw",
        "object_store.buckets.raw.object_lock",
        "backup.jobs.x.sources.buckets[0]",
    }


def test_a_list_that_must_not_be_empty_is_told_in_words() -> None:
    with pytest.raises(ConfigError, match="has 0 entries, which is too few"):
        load({"compute": {"nodes": []}}, "dev", None)
