"""pgbench through TLS and SCRAM, and over a local socket, on throw-away servers in turns.

One server has the stack's settings and is asked both ways, so that data, cache and disk are the same; the
other one is what `initdb` makes by default, asked over its socket.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from secrets import token_hex, token_urlsafe
from typing import Any

from benchmark.core import stats
from components.planning.flows import DATABASE
from components.runtime.files import FILES_DIR
from operations.engine.client import Engine
from operations.engine.services import running
from operations.errors import OperationError
from operations.measuring.documents import DatabaseRatio, DatabaseRow, Load
from operations.measuring.record import host_load, load_of
from operations.measuring.throwaway import Throwaway, certificate, settings_file

PART = "bench-database"
SERVER, NAME = "server", "bench"
SCALE = 10  # 150 MB: more than the caches of a small server, less than those of the machine
TLS, SOCKET, PLAIN = "tls", "socket", "plain"
RATIOS = ((TLS, SOCKET), (TLS, PLAIN))
# Mode → options of pgbench.
MODES: Mapping[str, tuple[str, ...]] = {
    "read and write": ("--client=8", "--jobs=2"),
    "read": ("--select-only", "--client=8", "--jobs=2"),
    "connect and read": ("--select-only", "--connect", "--client=1"),
}
ACCESS = f"local all all trust\nhostssl {NAME} {NAME} samenet scram-sha-256\n"
# The socket lies in the data's volume, which the client has, too. Archiving would need the stack's store.
START = """
set -eu
case $1 in
  stack) initdb --pgdata=/data/pgdata --username=postgres --auth=trust --encoding=UTF8 \
    --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C --data-checksums >/tmp/initdb.log ;;
  default) initdb --pgdata=/data/pgdata --username=postgres --auth=trust >/tmp/initdb.log ;;
esac
mkdir /data/socket
"""
OURS = (
    START
    + f"exec postgres -D /data/pgdata -c config_file={FILES_DIR}/postgresql.conf"
    + f" -c hba_file={FILES_DIR}/pg_hba.conf -c unix_socket_directories=/data/socket -c archive_mode=off"
)
THEIRS = START + "exec postgres -D /data/pgdata -c listen_addresses= -c unix_socket_directories=/data/socket"


class Rig:
    """Both servers with their data, and a client beside them."""

    def __init__(self, engine: Engine, stack: str, throwaway: Throwaway) -> None:
        self.engine = engine
        like, network = running(engine, stack, "database"), throwaway.network()
        tls, password = certificate(token_hex(32), SERVER), token_urlsafe(24)
        ours, plain = throwaway.volume("ours"), throwaway.volume("plain")
        create = f"CREATE ROLE {NAME} LOGIN PASSWORD '{password}';\nCREATE DATABASE {NAME} OWNER {NAME};\n"
        servers = {
            SERVER: throwaway.start(
                SERVER,
                like,
                ["bash", "-c", OURS, "start", "stack"],
                volumes={ours: "/data", throwaway.volume("files"): FILES_DIR},
                network=network,
                files={
                    f"{FILES_DIR}/postgresql.conf": settings_file(
                        engine, stack, "database", "postgresql.conf"
                    ),
                    f"{FILES_DIR}/pg_hba.conf": ACCESS,
                    f"{FILES_DIR}/tls.crt": tls.certificate,
                    f"{FILES_DIR}/tls.key": tls.key,
                    f"{FILES_DIR}/create.sql": create,
                },
            ),
            "plain": throwaway.start(
                "plain",
                like,
                ["bash", "-c", THEIRS, "start", "default"],
                volumes={plain: "/data", throwaway.volume("plain-files"): FILES_DIR},
                files={f"{FILES_DIR}/create.sql": create},
            ),
        }
        for container in servers.values():
            self._prepare(container)
        self.client = throwaway.start(
            "client",
            like,
            ["sleep", "infinity"],
            volumes={ours: "/ours", plain: "/plain", throwaway.volume("client-files"): FILES_DIR},
            network=network,
            files={
                f"{FILES_DIR}/ca.crt": tls.authority,
                f"{FILES_DIR}/pgpass": f"{SERVER}:{DATABASE}:{NAME}:{NAME}:{password}\n",
            },
        )
        self.hosts = {TLS: SERVER, SOCKET: "/ours/socket", PLAIN: "/plain/socket"}
        for way in (SOCKET, PLAIN):
            self._pgbench(way, "--initialize", "--quiet", f"--scale={SCALE}")

    def _prepare(self, container: str) -> None:
        """Role and database, as soon as the server answers."""
        wait = (
            "for n in $(seq 60); do pg_isready --quiet --host=/data/socket && exit 0; sleep 0.5; done; exit 1"
        )
        create = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={FILES_DIR}/create.sql"]
        local = ["--host=/data/socket", "--username=postgres", "--dbname=postgres"]
        for command in (["sh", "-c", wait], ["psql", *local, *create]):
            self._run(container, command)

    def segment(self, way: str, mode: str, seconds: int) -> dict[str, float]:
        """Transactions per second and milliseconds of one run of pgbench."""
        return parsed(self._pgbench(way, "--no-vacuum", f"--time={seconds}", *MODES[mode]))

    def _pgbench(self, way: str, *options: str) -> str:
        command = ["pgbench", f"--host={self.hosts[way]}", f"--username={NAME}", *options, NAME]
        return self._run(self.client, command)

    def _run(self, container: str, command: list[str]) -> str:
        secured = {
            "PGPASSFILE": f"{FILES_DIR}/pgpass",
            "PGSSLROOTCERT": f"{FILES_DIR}/ca.crt",
            "PGCHANNELBINDING": "require",
            "PGSSLMODE": "verify-full",
        }
        over_tls = f"--host={SERVER}" in command
        code, text = self.engine.run(container, command, secured if over_tls else {"PGSSLMODE": "disable"})
        if code:
            said = " / ".join(text.strip().splitlines()[-3:]) or "without a word"
            raise OperationError(f"{container}: {command[0]} ended with {code}: {said}")
        return text


def parsed(text: str) -> dict[str, float]:
    """The figures that pgbench prints; `connect_ms` is the mean where each transaction connects anew.

    Raises OperationError when they are not there, or when a transaction failed.
    """
    tps = re.search(r"^tps = ([0-9.]+)", text, re.M)
    latency = re.search(r"^latency average = ([0-9.]+) ms", text, re.M)
    connect = re.search(r"^average connection time = ([0-9.]+) ms", text, re.M)
    failed = re.search(r"^number of failed transactions: ([0-9]+)", text, re.M)
    if not tps or not latency or (failed and int(failed[1])):
        raise OperationError(f"pgbench: no figures, or failed transactions: {text.strip()[-300:]}")
    found = {"tps": float(tps[1]), "latency_ms": float(latency[1])}
    return {**found, "connect_ms": float(connect[1])} if connect else found


def measure(
    engine: Engine, stack: str, *, rounds: int, seconds: int, on_row: Callable[[DatabaseRow], None]
) -> tuple[list[DatabaseRow], list[DatabaseRatio], Load]:
    """Every mode by every way, in turns (ABBA)."""
    rows: list[DatabaseRow] = []
    ratios: list[DatabaseRatio] = []
    with Throwaway(engine, stack, PART) as throwaway, ExitStack() as opened:
        rig = Rig(engine, stack, throwaway)
        host = opened.enter_context(host_load(engine, stack))
        for mode in MODES:
            taken: dict[str, list[dict[str, float]]] = {way: [] for way in rig.hosts}
            for way in taken:
                rig.segment(way, mode, 1)  # caches and connections are warm afterwards
            for _, way in stats.alternating(list(taken), rounds):
                taken[way].append(rig.segment(way, mode, seconds))
            for way, segments in taken.items():
                rows.append(row(mode, way, segments))
                on_row(rows[-1])
            ratios += [ratio(mode, way, to, taken) for way, to in RATIOS]
    return rows, ratios, load_of(host)


def row(mode: str, way: str, segments: list[dict[str, float]]) -> DatabaseRow:
    connects = [segment["connect_ms"] for segment in segments if "connect_ms" in segment]
    return DatabaseRow(
        mode=mode,
        way=way,
        tps=[segment["tps"] for segment in segments],
        median_tps=statistics.median(segment["tps"] for segment in segments),
        latency_ms=statistics.median(segment["latency_ms"] for segment in segments),
        connect_ms=statistics.median(connects) if connects else None,
    )


def ratio(mode: str, way: str, to: str, taken: Mapping[str, list[dict[str, float]]]) -> DatabaseRatio:
    """Transactions per second of one way to those of another."""
    found: Mapping[str, Any] = stats.ratio_interval(
        [segment["tps"] for segment in taken[to]], [segment["tps"] for segment in taken[way]]
    )
    interval = {name: found[name] for name in ("ratio", "low", "high", "pairs")}
    return DatabaseRatio(mode=mode, way=way, to=to, **interval)
