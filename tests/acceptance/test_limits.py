"""Our verdict on limits is the engine's: containers are created by the dozen, never started, and removed."""

import uuid
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.errors import APIError
from hypothesis import given, settings
from hypothesis import strategies as st

from components.planning.issues import ConfigError
from components.planning.paths import ROOT
from components.planning.units import MIB
from components.planning.validation import load
from components.runtime.host import host_facts
from components.runtime.image import reference

CPUS = st.one_of(
    st.sampled_from([0.001, 0.009, 0.01, 0.1, 0.24, 0.25, 0.5, 1, 1.99, 2, 2.01, 3, 64, 1024]),
    st.integers(0, 300).map(lambda hundredths: hundredths / 100),
)
SIZES = st.one_of(st.sampled_from([1, 5, 6, 7, 127, 128, 256, 512]), st.integers(1, 4096))


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    client = docker.from_env()
    yield client.api
    client.close()


def engine_takes(engine: Any, cpus: float, memory: int, shm: int) -> bool:
    """Whether it creates a container with these limits (memory and shm in MiB)."""
    limits = engine.create_host_config(
        nano_cpus=round(cpus * 1e9),
        mem_limit=memory * MIB,
        memswap_limit=memory * MIB,
        shm_size=shm * MIB,
        network_mode="none",
    )
    name = f"aidc-x-limits-{uuid.uuid4().hex[:8]}"
    image = reference("firewall", ROOT / ".build")
    try:
        made = engine.create_container(image, ["true"], name=name, host_config=limits)
    except APIError:
        return False
    engine.remove_container(made["Id"], force=True)
    return True


def we_take(section: str, limits: dict[str, object]) -> bool:
    raw = {"compute": {"head": limits}} if section == "head" else {section: limits}
    try:
        load(raw, "dev", host_facts())
    except ConfigError:
        return False
    return True


@settings(max_examples=30, deadline=None)
@given(cpus=CPUS, memory=SIZES)
def test_what_is_accepted_for_a_service_the_engine_takes(engine: Any, cpus: float, memory: int) -> None:
    ours = we_take("load_balancer", {"cpus": cpus, "memory": f"{memory}MiB"})
    theirs = engine_takes(engine, cpus, memory, 64)
    if cpus >= 0.25 and memory >= 128:  # above the floors that only we have
        assert ours == theirs
    else:
        assert not ours


@settings(max_examples=30, deadline=None)
@given(cpus=CPUS, memory=SIZES, shm=SIZES)
def test_what_is_accepted_for_ray_the_engine_takes(engine: Any, cpus: float, memory: int, shm: int) -> None:
    ours = we_take("head", {"cpus": cpus, "memory": f"{memory}MiB", "shm": f"{shm}MiB"})
    if ours:
        assert engine_takes(engine, cpus, memory, shm)
    elif cpus >= 0.5 and memory >= 2048 and 320 <= shm < memory:
        assert not engine_takes(engine, cpus, memory, shm)
