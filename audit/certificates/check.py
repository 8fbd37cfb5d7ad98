"""The part `certificates`. Effects: connects to every TLS listener."""

from __future__ import annotations

from audit.certificates import collect, expiry
from audit.context import Context
from audit.records import Certificates
from audit.verdicts import Part


def check(context: Context) -> Part:
    """The certificate of every TLS listener."""
    # If the engine is on another machine, only its published ports can be asked.
    inner = context.snapshot.running if context.local else frozenset()
    found = collect.ask(expiry.listeners(context.inventory, inner), context.ca_pem)
    return Part(tuple(expiry.rows(found)), Certificates(certificates=expiry.records(found)))
