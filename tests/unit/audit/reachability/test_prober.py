"""The prober as its users see it: a line in, a line out. On the loopback, as any user."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from audit.reachability import namespaces, prober
from audit.reachability.namespaces import NamespaceError, Prober

ORDER = {"do": "probe", "token": "t", "seconds": 0.5}


@pytest.fixture
def probing() -> Iterator[Prober]:
    made = Prober()
    yield made
    made.end()


@pytest.fixture
def target() -> str:
    """A port of the loopback that is free now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{trial.getsockname()[1]}"


def test_nobody_listens_and_the_port_is_refused(probing: Prober, target: str) -> None:
    assert probing.ask(**ORDER, tcp=[target], udp=[])["tcp"] == {target: "refused"}


def test_a_listener_is_open_over_both_protocols_and_notes_datagrams(probing: Prober, target: str) -> None:
    assert probing.ask(do="listen", tcp=[target], udp=[target]) == {"failed": {}}
    found = probing.ask(**ORDER, tcp=[target], udp=[target])
    assert found == {"tcp": {target: "open"}, "udp": {target: "answered"}}
    assert probing.ask(do="received") == {"udp": [f"t {target}"]}


def test_a_port_that_is_taken_is_said(probing: Prober, target: str) -> None:
    probing.ask(do="listen", tcp=[target], udp=[])
    failed = probing.ask(do="listen", tcp=[target], udp=[])["failed"]
    assert list(failed) == [f"tcp {target}"]


def test_a_listener_that_says_nothing_is_silent(probing: Prober) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{mute.getsockname()[1]}"
        assert probing.ask(**ORDER, tcp=[], udp=[where])["udp"] == {where: "silent"}


def test_a_name_server_is_asked_for_the_name(probing: Prober) -> None:
    assert probing.ask(do="ask", name="a.example", servers=["127.0.0.254"], seconds=0.3) == {
        "127.0.0.254": "silent"
    }


def test_a_prober_that_cannot_start_says_why() -> None:
    with pytest.raises(NamespaceError, match="No such file"):
        Prober("nsenter", "--net=/nonexistent").ask(do="facts")


def test_what_the_kernel_has_connected_counts_even_when_the_time_is_up(target: str) -> None:
    """On a busy machine nobody may be there to hear of it in time; silence would pass for blocked."""
    address, port = prober.split(target)
    with socket.create_server((address, port)):
        assert prober.connect([target], 0.0) == {target: "open"}
    assert prober.connect([target], 0.0) == {target: "refused"}


def test_every_datagram_that_came_in_is_told(probing: Prober, target: str) -> None:
    probing.ask(do="listen", tcp=[], udp=[target])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(200):
            sender.sendto(str(number).encode(), prober.split(target))
    assert len(probing.ask(do="received")["udp"]) == 200


def test_a_prober_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch, probing: Prober) -> None:
    monkeypatch.setattr(namespaces, "LIMIT", 0.1)
    with pytest.raises(NamespaceError, match="no answer"):
        probing.receive()
