"""The ways out of a stack: to an outside object store, and to who is told of alerts."""

from __future__ import annotations

from collections.abc import Iterator

from components.planning.flows import ALERT_GATEWAY, STORE_GATEWAY
from policies.model import Resource, segment_of
from policies.rule import resource_rule
from policies.rules.services import HIDDEN

WAY_OUT = "egress"
GATEWAYS = frozenset({ALERT_GATEWAY, STORE_GATEWAY})
SETTINGS, PUBLIC = "/haproxy.cfg", ("/store-ca.crt", "/files.sha256")
# What the gateway's own settings have to say: bytes pass unopened, and to the one name only.
PASSES = {"mode tcp": "it opens TLS", "req.ssl_sni": "it passes connections to any name"}


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    fix="leave the segment egress to the gateways alone, and give them nothing but their settings",
)
def way_out_keyless(container: Resource) -> Iterator[str]:
    """Checks whether only gateways have a way out, and that they hold no key and open no TLS."""
    if container.role not in GATEWAYS:
        if WAY_OUT in {segment_of(network) for network in container.networks}:
            yield f"it joins {WAY_OUT}, which leads out"
        return
    for upload in container.each("uploads"):
        file, content = str(upload.get("file")), str(upload.get("content") or "")
        if not file.endswith((SETTINGS, *PUBLIC)):
            yield f"it receives {file}, which is more than its settings"
        elif file.endswith(SETTINGS) and content not in ("", HIDDEN):
            yield from (fault for word, fault in PASSES.items() if word not in content)
    if any(name.startswith(("AWS_", "MINIO_")) for name, _ in container.environment):
        yield "its environment names keys"
    for volume in container.writable_volumes if not container.is_seed else ():
        yield f"it may write to {volume}, where data could wait to leave"
