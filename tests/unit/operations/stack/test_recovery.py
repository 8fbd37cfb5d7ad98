"""What a refresh does not see is made again: seeds without their files, containers taken off a network."""

from unittest.mock import Mock

import pytest

from components.planning.secrets import fingerprint, joined
from operations.engine.client import Engine, EngineResource
from operations.stack.recovery import remove_unfilled, repair_attachments

SEED = "0f" * 32
FILES = {"a": "one", "b/c": "two"}
DIGEST = fingerprint(SEED, joined(FILES))


def removed(labels: dict[str, str], present: dict[str, str]) -> list[str]:
    engine = Mock(spec=Engine)
    engine.containers.return_value = [EngineResource("container", "seed", "id", labels)]
    engine.files.return_value = present
    remove_unfilled("dev", engine, SEED)
    return [call.args[0].name for call in engine.remove.call_args_list]


@pytest.mark.parametrize(
    ("labels", "present", "expected"),
    [
        ({"aidc.files": "a,b/c"}, FILES, []),
        ({"aidc.files": "a,b/c", "aidc.digest": DIGEST}, FILES, []),
        ({"aidc.files": "a,b/c"}, {"a": "one"}, ["seed"]),
        ({"aidc.files": "a,b/c", "aidc.digest": DIGEST}, {"a": "one"}, ["seed"]),
        ({"aidc.files": "a,b/c", "aidc.digest": DIGEST}, {**FILES, "a": "old"}, ["seed"]),
        ({"aidc.files": "a"}, {}, ["seed"]),
        ({"aidc.role": "vault"}, {}, []),
    ],
    ids=["no digest", "complete", "one is missing", "missing and digest", "one is old", "empty", "no seed"],
)
def test_only_seeds_without_their_files_are_removed(
    labels: dict[str, str], present: dict[str, str], expected: list[str]
) -> None:
    assert removed(labels, present) == expected


def made() -> dict[str, object]:
    wanted = [
        {"name": "fabric", "ipv4Address": "10.0.1.9", "aliases": ["node"]},
        {"name": "storage", "ipv4Address": "10.0.2.9", "aliases": ["node"]},
    ]
    resource = {
        "type": "docker:index/container:Container", "id": "id", "inputs": {"networksAdvanced": wanted}
    }  # fmt: skip
    return {"deployment": {"resources": [{"urn": "stack"}, resource]}}


def on(address: str, *aliases: str, running: bool = True) -> dict[str, object]:
    config = {"IPv4Address": address}
    return {"IPAMConfig": config, "IPAddress": address if running else "", "Aliases": [*aliases, "0f3a"]}


def repaired(networks: dict[str, dict[str, object]], paused: bool = False) -> list[str]:
    engine = Mock(spec=Engine)
    engine.containers.return_value = [
        EngineResource("container", "node", "id"),
        EngineResource("container", "other", "new"),
    ]
    engine.inspect.return_value = {"NetworkSettings": {"Networks": networks}, "State": {"Paused": paused}}
    repair_attachments("dev", made(), engine)
    return [call.args[0].name for call in engine.remove.call_args_list] + [
        f"woke {call.args[0]}" for call in engine.unpause.call_args_list
    ]


WHOLE = {"fabric": on("10.0.1.9", "node"), "storage": on("10.0.2.9", "node")}


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        (WHOLE, []),
        ({name: on(f"10.0.{n}.9", "node", running=False) for n, name in ((1, "fabric"), (2, "storage"))}, []),
        ({"storage": WHOLE["storage"]}, ["node"]),
        ({}, ["node"]),
        ({**WHOLE, "fabric": on("10.0.1.77", "node")}, ["node"]),
        ({**WHOLE, "fabric": on("10.0.1.9")}, ["node"]),
        ({**WHOLE, "bridge": on("172.17.0.2")}, []),
    ],
    ids=["whole", "stopped", "off one network", "off all", "another address", "no alias", "one more"],
)
def test_a_container_that_was_taken_off_a_network_is_made_again(
    networks: dict[str, dict[str, object]], expected: list[str]
) -> None:
    assert repaired(networks) == expected


def test_a_paused_container_is_woken() -> None:
    assert repaired(WHOLE, paused=True) == ["woke id"]
