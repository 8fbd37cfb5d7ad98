"""An open load: it ends on a bug of its own, and closes what it opened."""

from __future__ import annotations

import pytest

from benchmark.cluster.connection import Connection, Endpoint
from benchmark.load import open_loop


def test_a_fault_of_one_sender_ends_the_load_instead_of_hanging_it() -> None:
    first = [True]

    def connect() -> open_loop.Send:
        if first.pop() if first else False:
            raise ValueError("planted")
        return lambda _: open_loop.Sent(ok=True)

    with pytest.raises(ValueError, match="planted"):
        open_loop.run_schedule([0.0] * 10, connect, senders=4)


def test_a_fault_while_sending_ends_the_load() -> None:
    def send(_: int) -> open_loop.Sent:
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        open_loop.run_schedule([0.0] * 10, lambda: send, senders=4)


def test_every_connection_of_a_load_is_closed(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Connection] = []

    def connection(target: Endpoint) -> Connection:
        opened.append(Connection(target))
        return opened[-1]

    monkeypatch.setattr(open_loop, "Connection", connection)
    open_loop.poisson_load(endpoint, workload="mlp", bodies=[b"{}"], rate=100, seconds=0.1, seed=1)
    assert len(opened) == open_loop.SENDERS
    assert all(each.connection is None for each in opened)
