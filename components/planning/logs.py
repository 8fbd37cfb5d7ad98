"""How lines come to the logs, who reads them, and what of VictoriaLogs can be seen from outside. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from components.planning.flows import COLLECTOR
from components.planning.plan import Plan, Service

READER = "reader"
# The name of the reader's password among the stack's secrets.
SECRET = "logs/reader"
SEGMENT = "monitor"
# Paths of the page and of the API that reads. A regular expression of HAProxy, which compares the path as it
# came: an encoded letter does not match, so nothing hides behind one.
ANSWERS = (
    "query|query_time_range|hits|facets|stats_query|stats_query_range|streams|stream_ids|field_names|field_values"
    "|stream_field_names|stream_field_values|tail"
)
LOOKED_AT = rf"^/select/(vmui/[A-Za-z0-9_./-]*|logsql/({ANSWERS})|buildinfo|tenant_ids)$"
# Of these, what the page asks by POST, as a query may be long.
ASKED = rf"^/select/logsql/({ANSWERS})$"


def options(plan: Plan, service: Service) -> Mapping[str, str]:
    """Options of the engine's syslog driver for a container.

    A datagram waits for nobody: with TCP no container would start while the logs are down. The engine
    keeps a copy of the newest lines, from which `docker logs` reads.
    """
    address = plan.service("logs").addresses[SEGMENT]
    return {
        "syslog-address": f"udp://{address}:{COLLECTOR}",
        "syslog-format": "rfc5424micro",
        "tag": service.name,
        "cache-max-size": "10m",
        "cache-max-file": "3",
    }


def settings(plan: Plan) -> str:
    """Whose lines the collector takes, and from where, as JSON."""
    document = {
        "gateway": plan.segment(SEGMENT).gateway,
        "listen": plan.service("logs").addresses[SEGMENT],
        "port": COLLECTOR,
        "services": {s.name: {"role": s.role, "container": s.container} for s in plan.services},
    }
    return json.dumps(document, indent=1) + "\n"
