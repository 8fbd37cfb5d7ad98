"""Exceptions from a proxy: loopback, which Pulumi's processes use, and the stack's own address.

Every library reads its own spelling of `no_proxy`: Pulumi's gRPC only the lower-case one, and before that
`no_grpc_proxy`; some do not accept blanks. So both are set, to the values of either.
"""

from __future__ import annotations

from collections.abc import Mapping

from operations.stack.file import read

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
SPELLINGS = ("no_proxy", "NO_PROXY")
GRPC = "no_grpc_proxy"


def direct(environment: Mapping[str, str], *addresses: str) -> dict[str, str]:
    """The variables to add to a child's `environment`; none where it uses no proxy."""
    if not any(environment.get(v) for name in PROXIES for v in (name, name.upper())):
        return {}
    own = [*LOOPBACK, *(a for a in addresses if a != "0.0.0.0")]
    value = _joined(own, *(environment.get(name, "") for name in SPELLINGS))
    more = {GRPC: _joined(own, environment[GRPC])} if environment.get(GRPC) else {}
    return dict.fromkeys(SPELLINGS, value) | more


def published(stack: str) -> list[str]:
    """The host's address on which the stack publishes its ports, if its file has a valid one."""
    balancer = read(stack).load_balancer() if stack else None
    return [str(balancer.bind)] if balancer else []


def _joined(own: list[str], *lists: str) -> str:
    given = (part.strip() for text in lists for part in text.replace(" ", ",").split(","))
    return ",".join(dict.fromkeys([*own, *(part for part in given if part)]))
