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
    with pytest.raises(ConfigError, match="too many decimals"):
        load({"compute": {"nodes": [{"name": "big", "cpus": 10.05}]}}, "dev", None)


def test_close_key_is_suggested() -> None:
    with pytest.raises(ConfigError, match="did you mean 'schedule'"):
        load({"backup": {"shedule": "0 * * * *"}}, "dev")
