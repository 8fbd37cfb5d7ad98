"""What the engine lists is taken as it comes: other people's networks are odd."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from components.runtime.host import is_local
from operations.engine.client import Engine, _network
from operations.errors import OperationError


@pytest.mark.parametrize(
    ("subnet", "read"),
    [
        ("172.28.0.0/16", ["172.28.0.0/16"]),
        ("172.28.5.1/16", ["172.28.0.0/16"]),
        (None, []),
        ("", []),
        ("fd00:77::1/64", []),
        ("::ffff:10.0.0.0/104", []),
        ("nowhere", []),
    ],
)
def test_a_foreign_networks_subnet_is_read_or_left_out(subnet: str | None, read: list[str]) -> None:
    raw = {"Name": "x", "Id": "x", "IPAM": {"Config": [{"Subnet": subnet}]}}
    assert [str(s) for s in _network(raw).subnets] == read


@pytest.mark.parametrize("ipam", [None, {}, {"Config": None}, {"Config": [None]}, {"Config": [{}]}])
def test_a_network_without_addresses_has_none(ipam: Any) -> None:
    assert _network({"Name": "x", "Id": "x", "IPAM": ipam}).subnets == ()


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http+docker://localhost", True),
        ("unix:///var/run/docker.sock", True),
        ("http+docker://ssh", False),
        ("http://192.0.2.1:2375", False),
        ("https://engine:2376", False),
    ],
)
def test_an_engine_behind_ssh_is_on_another_machine(url: str, local: bool) -> None:
    assert is_local(url) is local


@pytest.mark.parametrize("code", [0, 3])
def test_an_exit_code_that_the_engine_notes_late_is_waited_for(code: int) -> None:
    codes = iter([None, None, code])
    api = SimpleNamespace(
        exec_create=lambda *_, **__: {"Id": "x"},
        exec_start=lambda _id: b"text",
        exec_inspect=lambda _id: {"ExitCode": next(codes)},
    )
    assert Engine(SimpleNamespace(api=api)).run("c", ["true"]) == (code, "text")


@pytest.fixture
def hanging() -> Iterator[tuple[Engine, socket.socket]]:
    """An engine at whose command one can talk at the other end of a socket."""
    ours, theirs = socket.socketpair()
    api = SimpleNamespace(
        exec_create=lambda *_, **__: {"Id": "x"},
        exec_start=lambda _id, socket: SimpleNamespace(
            _sock=ours, recv=ours.recv, fileno=ours.fileno, close=ours.close
        ),
        exec_inspect=lambda _id: {"ExitCode": 0},
    )
    yield Engine(SimpleNamespace(api=api)), theirs
    theirs.close()


@pytest.mark.parametrize("said", ["short\n", "x" * (8 << 20)])
def test_a_service_that_hangs_holds_no_command_up(hanging: tuple[Engine, socket.socket], said: str) -> None:
    with pytest.raises(OperationError, match="did not end within"):
        hanging[0].converse("c", ["home", "tell"], said, print, within=0.2)


def test_what_is_said_in_time_is_passed_on_line_by_line(hanging: tuple[Engine, socket.socket]) -> None:
    engine, theirs = hanging
    text, heard = b"one\ntwo", list[str]()
    theirs.sendall(b"\x01\x00\x00\x00" + len(text).to_bytes(4, "big") + text)
    theirs.shutdown(socket.SHUT_WR)
    assert engine.converse("c", ["home", "tell"], "hello\n", heard.append, within=60) == 0
    assert heard == ["one", "two"]
    assert theirs.recv(100) == b"hello\n"
