"""The way out of a stack whose object store is an outside one."""

from __future__ import annotations

from collections.abc import Iterator

from components.planning.flows import STORE_GATEWAY
from policies.model import Resource, segment_of
from policies.rule import resource_rule
from policies.rules.services import HIDDEN

WAY_OUT = "egress"
SETTINGS, PUBLIC = "/haproxy.cfg", ("/store-ca.crt", "/files.sha256")
# What the gateway's own settings have to say: bytes pass unopened, and to the one name only.
PASSES = {"mode tcp": "it opens TLS", "req.ssl_sni": "it passes connections to any name"}


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    fix="leave the segment egress to the store gateway alone, and give that nothing but its settings",
)
def way_out_keyless(container: Resource) -> Iterator[str]:
    """Checks whether only the store gateway has a way out, and that it holds no key and opens no TLS."""
    if container.role != STORE_GATEWAY:
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
