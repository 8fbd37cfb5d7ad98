"""Who looks at the metrics, and what of the metrics server can be seen from outside. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

VIEWER = "viewer"
# The name of the viewer's password among the stack's secrets.
SECRET = "monitoring/viewer"
# The front door, and the name of its password: it reads figures and alerts through the load balancer.
DOOR, DOOR_SECRET = "home", "monitoring/home"
QUERY, RULES = "/prometheus/api/v1/query", "/prometheus/vmalert/api/v1/rules"
# Paths of the page and of the API that reads; the page puts /prometheus in front. A regular expression of
# HAProxy, which compares the path as it came: an encoded letter does not match, so nothing hides behind one.
LOOKED_AT = (
    r"^(/prometheus)?/(vmui/[A-Za-z0-9_./-]*"
    r"|api/v1/(query|query_range|series|labels|label/[A-Za-z0-9_:]+/values|metadata|rules|alerts)"
    r"|api/v1/status/(tsdb|top_queries|active_queries|metric_names_stats|buildinfo)"
    r"|prettify-query|expand-with-exprs"
    r"|vmalert/api/v1/(rules|rule|alerts|alert|group|groups|notifiers))$"
)

# Of these, what the page asks by POST, as a query may be long.
ASKED = r"^(/prometheus)?/api/v1/(query|query_range)$"


def token(access_key: str, secret_key: str) -> str:
    """The bearer token with which an identity of the object store reads its metrics (a JWT, RFC 7519, HS512).

    It does not expire; a new key ends it.
    """
    parts = ({"alg": "HS512", "typ": "JWT"}, {"iss": "prometheus", "sub": access_key})
    signed = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{signed}.{_encoded(hmac.new(secret_key.encode(), signed.encode(), hashlib.sha512).digest())}"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
