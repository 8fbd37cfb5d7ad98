"""Loopback and the stack's address never go through a proxy, however proxy and exceptions are spelt."""

import os
import subprocess
from pathlib import Path

import pytest
from requests.utils import should_bypass_proxies

from operations.stack.proxies import direct

ROOT = Path(__file__).parents[4]
PROXY = "http://127.0.0.1:9"
EXCEPTIONS: list[dict[str, str]] = [
    {},
    {"NO_PROXY": "", "no_proxy": ""},
    {"no_proxy": "localhost, 127.0.0.1"},
    {"NO_PROXY": "example.com, .internal"},
    {"no_proxy": "a.example", "NO_PROXY": "b.example"},
    {"no_grpc_proxy": "c.example"},
]


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "grpc_proxy"])
@pytest.mark.parametrize("exceptions", EXCEPTIONS)
def test_the_exceptions_hold_loopback_and_all_that_was_given(name: str, exceptions: dict[str, str]) -> None:
    added = direct({name: PROXY, **exceptions}, "192.0.2.7")
    for spelling in ("no_proxy", "NO_PROXY"):
        assert added[spelling].split(",")[:4] == ["localhost", "127.0.0.1", "::1", "192.0.2.7"]
        assert " " not in added[spelling]
    given = ",".join(v for k, v in exceptions.items() if k != "no_grpc_proxy").replace(" ", "")
    assert set(filter(None, given.split(","))) <= set(added["no_proxy"].split(","))
    assert ("no_grpc_proxy" in added) == ("no_grpc_proxy" in exceptions)
    assert should_bypass_proxies("https://127.0.0.1:9443/", added["no_proxy"])


def test_without_a_proxy_nothing_is_added() -> None:
    assert direct({"PATH": "/bin", "http_proxy": ""}) == {}


def test_adding_twice_changes_nothing() -> None:
    once = {"http_proxy": PROXY, **direct({"http_proxy": PROXY, "NO_PROXY": "a, b"})}
    assert direct(once) == {k: v for k, v in once.items() if k != "http_proxy"}


@pytest.mark.parametrize("exceptions", EXCEPTIONS)
def test_the_shells_environment_says_the_same(exceptions: dict[str, str]) -> None:
    spelt = [n for low in ("http", "https", "all", "no") for n in (f"{low}_proxy", f"{low}_proxy".upper())]
    clean = {k: v for k, v in os.environ.items() if k not in (*spelt, "grpc_proxy", "no_grpc_proxy")}
    given = {**clean, "http_proxy": PROXY, **exceptions}
    script = "source toolchain/env.sh; source toolchain/env.sh; env --null"
    done = subprocess.run(
        ["bash", "-euc", script], cwd=ROOT, env=given, capture_output=True, text=True, check=True
    )
    found = dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)
    wanted = direct({"http_proxy": PROXY, **exceptions})
    for spelling in ("no_proxy", "NO_PROXY"):
        assert set(found[spelling].split(",")) == set(wanted[spelling].split(","))
    assert ("no_grpc_proxy" in found) == ("no_grpc_proxy" in exceptions)
