"""The ways out of a stack: to an outside object store, and to who is told of alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from components.planning.flows import ALERT_GATEWAY, STORE_GATEWAY
from policies.model import Resource, segment_of
from policies.rule import resource_rule
from policies.rules.services import HIDDEN

WAY_OUT = "egress"
GATEWAYS = frozenset({ALERT_GATEWAY, STORE_GATEWAY})
SETTINGS, PUBLIC = "/haproxy.cfg", ("/store-ca.crt", "/files.sha256")
# What each of the gateway's doors has to say first, so that connections pass to the declared names only.
CONTENT = "tcp-request content "
NAMED = re.compile(
    CONTENT + r"reject unless \{ req\.ssl_hello_type 1 \} \{ req\.ssl_sni -i( [a-z0-9.-]+)+ \}"
)
# Of a mail server that greets in plain no name can be asked: its door leads to it alone, at the same port.
MAIL, UNNAMED = "email", re.compile(r"starttls-(\d+)")
SERVER = re.compile(r"server \S+ [0-9.]+:(\d+)")


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
            yield from _faults(content, container.role)
    if any(name.startswith(("AWS_", "MINIO_")) for name, _ in container.environment):
        yield "its environment names keys"
    for volume in container.writable_volumes if not container.is_seed else ():
        yield f"it may write to {volume}, where data could wait to leave"


def _faults(settings: str, role: str) -> Iterator[str]:
    """What the settings of a gateway let through that they should not."""
    sections = _sections(settings)
    if [line for line in sections.get("defaults", ()) if line.startswith("mode ")] != ["mode tcp"]:
        yield "it opens TLS"
    doors = {
        name: lines
        for name, lines in sections.items()
        if name.startswith(("frontend", "listen")) and not _is_inside(lines)
    }
    if not doors:
        yield "it passes connections to any name"
    unnamed = 0
    for name, lines in doors.items():
        if any(re.search(r"^mode (?!tcp)|^bind .* ssl\b", line) for line in lines):
            yield f"it opens TLS: {name}"
        if NAMED.fullmatch(next((line for line in lines if line.startswith(CONTENT)), "")):
            continue
        unnamed += 1
        if role != ALERT_GATEWAY or unnamed > 1 or not _leads_to_mail(name, lines, sections):
            yield f"it passes connections to any name: {name}"


def _leads_to_mail(name: str, lines: Sequence[str], sections: dict[str, list[str]]) -> bool:
    """Whether a door is for one port of the mail server and has no other way on."""
    found = UNNAMED.fullmatch(name.removeprefix("frontend "))
    servers = [line for line in sections.get(f"backend {MAIL}", ()) if line.startswith("server")]
    ends = [SERVER.fullmatch(line) for line in servers]
    port = found.group(1) if found else ""
    binds = [line for line in lines if line.startswith("bind ")]
    return (
        [line.rpartition(":")[2] for line in binds] == [port]
        and [line for line in lines if line not in binds] == [f"default_backend {MAIL}"]
        and {end.group(1) if end else "" for end in ends} == {port}
    )


def _is_inside(lines: Sequence[str]) -> bool:
    """Whether only the container itself can ask there."""
    binds = [line for line in lines if line.startswith("bind ")]
    return bool(binds) and all(line.startswith("bind 127.0.0.1:") and "," not in line for line in binds)


def _sections(settings: str) -> dict[str, list[str]]:
    """Section of an HAProxy file → its lines, without comments and with single blanks."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in settings.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        if words[0] in ("global", "defaults", "frontend", "backend", "listen", "resolvers", "program"):
            name = " ".join(words)
        else:
            found.setdefault(name, []).append(" ".join(words))
    return found
