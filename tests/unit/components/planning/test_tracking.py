"""Who logs in to tracking, and under which names."""

from __future__ import annotations

import base64

from components.planning import tracking
from components.planning.config import StackConfig
from components.planning.plan import make_plan
from components.planning.rotation import ROTATABLE


def test_a_login_is_what_a_browser_sends() -> None:
    scheme, _, text = tracking.authorization("admin", "a:b").partition(" ")
    assert (scheme, base64.b64decode(text)) == ("Basic", b"admin:a:b")


def test_every_password_can_be_rotated() -> None:
    assert {tracking.secret_of(user) for user in tracking.USERS} <= set(ROTATABLE)


def test_a_host_is_a_name_of_the_certificate_with_a_port() -> None:
    balancer = {"bind": "10.0.0.9", "ports": {"tracking": 15443}}
    plan = make_plan("dev", StackConfig.model_validate({"load_balancer": balancer}))
    hosts = tracking.hosts(plan)
    assert set(hosts) >= {"localhost:15443", "127.0.0.1:15443", "10.0.0.9:15443", "load-balancer:5443"}
    assert {host.partition(":")[0] for host in hosts} == set(tracking.balancer_names(plan))
