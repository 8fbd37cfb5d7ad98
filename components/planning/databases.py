"""The databases of a stack and who may do what in them, and the server's settings. Pure.

One database per client, with a schema of the same name: its owner makes and changes tables, its application
reads and writes rows and no more. Two roles serve all databases: `monitor` reads statistics, `backup` reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.planning.config import Database as Settings
from components.planning.units import MIB

MONITOR, READER = "monitor", "backup"
CONNECTIONS = 60
# Seconds after which a segment of the log is archived though it is not full: what a lost disk can cost.
ARCHIVE_TIMEOUT = 60


@dataclass(frozen=True)
class Database:
    """`application` is the role of the client itself, `owner` that of its migrations.

    `initial` maps the tables that the client fills by itself to how many rows it gives them at most: with no
    others the database counts as empty.
    """

    name: str
    initial: Mapping[str, int] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return f"{self.name}_owner"

    @property
    def application(self) -> str:
        return f"{self.name}_app"


# Runs and models, and apart from them who may see and change which. MLflow fills in something, tracking-setup
# two experiments, three names of models, the three users, and what the benchmark's may do with these five.
TRACKING = Database(
    "tracking",
    {
        "tracking.alembic_version": 1,
        "tracking.experiments": 3,
        "tracking.registered_models": 3,
        "tracking.workspaces": 1,
    },
)
TRACKING_AUTH = Database(
    "tracking_auth",
    {
        "tracking_auth.alembic_version_auth": 1,
        "tracking_auth.users": 3,
        "tracking_auth.roles": 1,
        "tracking_auth.role_permissions": 5,
        "tracking_auth.user_role_assignments": 1,
    },
)
DATABASES = (TRACKING, TRACKING_AUTH)


def roles(databases: Sequence[Database] = DATABASES) -> tuple[str, ...]:
    """Every role that logs in with a password."""
    clients = (role for database in databases for role in (database.owner, database.application))
    return (*clients, MONITOR, READER)


def secret_of(role: str) -> str:
    """The name of a role's password among the stack's secrets."""
    return f"database/{role}"


def declared(databases: Sequence[Database] = DATABASES) -> str:
    """What `database-roles` in the image reads."""
    lines = [f"database {d.name} {d.owner} {d.application}" for d in databases]
    return "\n".join([*lines, f"monitor {MONITOR}", f"reader {READER}"]) + "\n"


def access_rules(subnets: Sequence[str], databases: Sequence[Database] = DATABASES) -> str:
    """pg_hba.conf: TLS and a password from the networks of the clients; whatever is not listed is refused."""
    pairs = [(d.name, f"{d.owner},{d.application}") for d in databases]
    pairs += [("postgres", MONITOR), (",".join(["postgres", *(d.name for d in databases)]), READER)]
    lines = ["# type database user address method", "local all postgres peer"]
    for subnet in subnets:
        lines += [f"hostssl {name} {users} {subnet} scram-sha-256" for name, users in pairs]
    return "\n".join(lines) + "\n"


def server_settings(settings: Settings) -> str:
    """postgresql.conf, sized to the memory that the service may use."""
    mebibytes = settings.memory // MIB
    values: dict[str, str | float] = {
        "listen_addresses": "*",
        "unix_socket_directories": "/tmp",
        "max_connections": CONNECTIONS,
        "superuser_reserved_connections": 5,
        "ssl": "on",
        "ssl_cert_file": "/etc/aidc/tls.crt",
        "ssl_key_file": "/etc/aidc/tls.key",
        "ssl_min_protocol_version": "TLSv1.3",
        "password_encryption": "scram-sha-256",
        "authentication_timeout": "10s",
        # Ends connections whose client is gone, and sessions that forgot their transaction.
        "tcp_keepalives_idle": 60,
        "idle_in_transaction_session_timeout": "10min",
        "shared_buffers": f"{mebibytes // 4}MB",
        "effective_cache_size": f"{mebibytes * 5 // 8}MB",
        "work_mem": f"{max(4, mebibytes // 4 // CONNECTIONS)}MB",
        "maintenance_work_mem": f"{max(64, mebibytes // 16)}MB",
        "wal_compression": "zstd",
        "max_wal_size": "1GB",
        "archive_mode": "on",
        # pgBackRest looks for its own name in it.
        "archive_command": "database-archive push %p # by pgbackrest",
        "archive_timeout": ARCHIVE_TIMEOUT,
        "checkpoint_completion_target": 0.9,
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_line_prefix": "%m %q%u@%d ",
        "log_lock_waits": "on",
        "cluster_name": "aidc",
    }
    return "".join(f"{name} = {_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str | float) -> str:
    return str(value) if isinstance(value, int | float) else f"'{value}'"
