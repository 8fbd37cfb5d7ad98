"""Proof that the front door opens with the viewer's new password alone, and reads figures with its own.

Its own counts at its own address alone, so it is tried from its container, where the old one comes as a
variable and the new one is read from its file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from components.front_door import FIGURES
from components.planning.flows import PAGE
from components.planning.monitoring import DOOR, DOOR_SECRET
from components.runtime import tls
from components.runtime.files import FILES_DIR
from operations.rotation import doors
from operations.rotation.subject import Subject

PATH = "/status.json"
# $URL, with the header $LOGIN.
ASK = f"""
import os, ssl, urllib.error, urllib.request
context = ssl.create_default_context(cafile="{FILES_DIR}/ca.crt")
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({{}}), urllib.request.HTTPSHandler(context=context))
try:
    asked = urllib.request.Request(os.environ["URL"], headers={{"Authorization": os.environ["LOGIN"]}})
    print(opener.open(asked, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""
SHOW = f"""
import socket, ssl
context = ssl.create_default_context(cafile="{FILES_DIR}/ca.crt")
with context.wrap_socket(socket.create_connection(("localhost", {PAGE}), 5), server_hostname="home") as shown:
    print(ssl.DER_cert_to_PEM_cert(shown.getpeercert(True)))
"""


def doors_of(subject: Subject) -> Mapping[str, doors.Door]:
    """Where the viewer's login opens the page."""
    here = {"URL": f"https://localhost:{PAGE}{PATH}"}
    return {
        "the front door at the load balancer": partial(doors.outside, subject, "home", PATH),
        "the front door": partial(doors.inside, subject, "home", ["python3", "-c", ASK], more=here),
    }


def proof(subject: Subject) -> Iterator[str]:
    """Its own login reads figures, and the one before does not."""
    there = {"URL": f"{FIGURES}?query=1"}
    ask = partial(doors.inside, subject, "home", ["python3", "-c", ASK], more=there)
    return doors.proof(subject, DOOR, DOOR_SECRET, {"the load balancer": ask})


def certificate(subject: Subject) -> str:
    """The certificate that a verified connection gets, PEM; empty when there is no such connection."""
    return tls.first_pem(subject.engine.output(subject.container("home"), ["python3", "-c", SHOW]) or "")
