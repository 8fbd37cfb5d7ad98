"""Proof that a database role's new password works and its old one does not, asked of the server over TLS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from components.planning.databases import DATABASES, MONITOR, READER, roles, secret_of
from components.planning.flows import DATABASE
from components.runtime import tls
from components.runtime.files import FILES_DIR
from operations.rotation.subject import Subject

# Role → a database that it may connect to.
HOME: Mapping[str, str] = {
    **{role: database.name for database in DATABASES for role in (database.owner, database.application)},
    MONITOR: "postgres",
    READER: "postgres",
}
NAMES: Mapping[str, str] = {secret_of(role): role for role in roles()}
# The container's own address, so that the rules for clients hold. Passwords stay within the container.
ASK = (
    f'[ -n "$PGPASSWORD" ] || PGPASSWORD=$(cat {FILES_DIR}/passwords/$ROLE); export PGPASSWORD; '
    f"exec psql --no-psqlrc --no-password --tuples-only --no-align --command='SELECT 1' "
    f'"host=database port={DATABASE} user=$ROLE dbname=$HOME_OF sslmode=verify-full '
    f'sslrootcert={FILES_DIR}/ca.crt channel_binding=require connect_timeout=5" 2>&1'
)
SHOW = (
    f"openssl s_client -connect database:{DATABASE} -starttls postgres -verify_return_error "
    f"-CAfile {FILES_DIR}/ca.crt </dev/null 2>/dev/null"
)


def proof(subject: Subject, name: str) -> Iterator[str]:
    """`name` is one of NAMES."""
    role = NAMES[name]
    code, text = _ask(subject, role, "")
    if code != 0:
        yield f"the new password does not open the database: {text}"
    code, text = _ask(subject, role, subject.old(name))
    if code == 0:
        yield "the old password still opens the database"
    elif "password authentication failed" not in text:
        yield f"the old password is not known to be refused: {text}"


def _ask(subject: Subject, role: str, password: str) -> tuple[int, str]:
    variables = {"ROLE": role, "HOME_OF": HOME[role], "PGPASSWORD": password}
    code, text = subject.run(subject.container("database"), ["bash", "-c", ASK], variables)
    return code, " / ".join(text.strip().splitlines()[-2:])


def certificate(subject: Subject) -> str:
    """The certificate that a verified connection gets, PEM; empty when there is no such connection."""
    return tls.first_pem(subject.engine.output(subject.container("database"), ["bash", "-c", SHOW]) or "")
