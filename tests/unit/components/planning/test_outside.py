"""An outside store: where it is, whose keys it has, and what of the flow table changes."""

from __future__ import annotations

from typing import Any

import pytest

from components.planning.buckets import IDENTITIES
from components.planning.flows import FLOWS, OUTSIDE_STORE, STORE_CHECK, STORE_GATEWAY
from components.planning.issues import ConfigError
from components.planning.outside import RESTORE, read_credentials
from components.planning.plan import Plan, make_plan
from components.planning.validation import load

GOOD = "".join(
    f"[{name}]\naws_access_key_id = id-of-{name}\naws_secret_access_key = hunter2-{name}\n"
    for name in IDENTITIES
)


def plan(**external: Any) -> Plan:
    given = {"endpoint": "https://s3.example.org:9000", "addresses": ["203.0.113.7"], **external}
    return make_plan("dev", load({"object_store": {"external": given}}, "dev"))


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://10.1.2.3",
        "https://localhost",
        "https://s3.example.org/bucket",
        "https://user:pass@s3.example.org",
        "https://s3.example.org?x=1",
        "https://s3.example.org:0",
        "https://s3.example.org:99999",
        "https://S3_example.org",
        "https://s3.example.org\nalias",
        "ftp://s3.example.org",
        "https://a..org",
    ],
)
def test_only_a_name_with_tls_is_an_endpoint(endpoint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(endpoint=endpoint)
    assert [i.path for i in caught.value.issues] == ["aidc:datacenter.object_store.external.endpoint"]


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("https://s3.example.org", "https://s3.example.org"),
        ("https://s3.example.org:443/", "https://s3.example.org"),
        ("https://s3.example.org:9000", "https://s3.example.org:9000"),
    ],
)
def test_clients_name_the_store_as_its_own_clients_do(endpoint: str, url: str) -> None:
    assert plan(endpoint=endpoint).store.url == url


def test_an_address_that_is_named_twice_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"203\.0\.113\.7 more than once"):
        plan(addresses=["203.0.113.7", "203.0.113.7"])


def test_only_the_gateway_has_a_way_out() -> None:
    outside = [flow for flow in plan().flows if flow.destination == OUTSIDE_STORE]
    assert [(flow.source, flow.segment, flow.port) for flow in outside] == [(STORE_GATEWAY, "egress", 9000)]
    assert [s.name for s in plan().services if "egress" in s.addresses] == [STORE_GATEWAY]


def test_whoever_asked_the_own_store_asks_the_gateway() -> None:
    own = {f.source for f in FLOWS if f.destination == "object-store"} - {
        "object-store",
        "object-store-setup",
        "metrics",  # of an outside store it knows nothing
    }
    assert {f.source for f in plan().flows if f.destination == STORE_GATEWAY} == own | {STORE_CHECK}


def test_no_node_of_an_own_store_is_planned_beside_an_outside_one() -> None:
    assert not [service.name for service in plan().services if service.name.startswith("object-store")]


def test_a_stack_with_its_own_store_has_no_segment_that_leads_out() -> None:
    assert [s.name for s in make_plan("dev", load(None, "dev")).segments if not s.internal] == ["edge"]


def test_every_identity_has_its_pair() -> None:
    found, mistakes = read_credentials(GOOD, "keys.ini")
    assert not mistakes
    assert {name: pair.access_key for name, pair in found.items()} == {n: f"id-of-{n}" for n in IDENTITIES}


def test_a_key_for_the_restore_may_be_there_or_not() -> None:
    found, mistakes = read_credentials(
        GOOD + GOOD[: GOOD.index("\n[")].replace("compute", RESTORE), "keys.ini"
    )
    assert not mistakes
    assert RESTORE in found


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", len(IDENTITIES)),
        ("aws_access_key_id = x", 1),
        (GOOD.replace("[backup]", "[bakcup]"), 2),
        (GOOD.replace("aws_secret_access_key = hunter2-client", ""), 1),
        (GOOD.replace("id-of-client", "two words"), 1),
        (GOOD.replace("id-of-client", "id-of-compute"), 1),
        (GOOD + "region = x\n", 1),
        (GOOD + "[client]\n", 1),
    ],
)
def test_each_mistake_in_the_keys_is_named_and_no_key_is(text: str, faults: int) -> None:
    _, mistakes = read_credentials(text, "keys.ini")
    assert len(mistakes) == faults
    assert not [issue for issue in mistakes if "hunter2" in str(issue) or "two words" in str(issue)]


def test_no_key_shows_in_a_pair() -> None:
    assert "hunter2" not in repr(read_credentials(GOOD, "keys.ini"))
