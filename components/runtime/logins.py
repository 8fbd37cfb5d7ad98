"""How services log in to the database."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.planning import databases
from components.planning.flows import DATABASE
from components.runtime.identity import Identity


def logins(identity: Identity, roles: Sequence[str]) -> pulumi.Output[str]:
    """libpq's password file for `roles`."""
    lines = [
        pulumi.Output.format(
            "database:{0}:*:{1}:{2}\n", DATABASE, role, identity.password(databases.secret_of(role))
        )
        for role in roles
    ]
    return pulumi.Output.concat(*lines)
