"""Our backup against rclone and restic by hand: same objects, store, vault, limits and disk, in turns."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any

from benchmark.core import stats
from components.backup import WRITER
from components.planning import secrets
from components.planning.flows import MINIO, VAULT
from components.planning.units import MIB
from components.runtime.files import FILES_DIR
from operations.engine.client import Engine
from operations.engine.services import running
from operations.errors import OperationError
from operations.measuring.client import LoadClient
from operations.measuring.documents import BackupPair, Load
from operations.measuring.plain_store import NODE, PlainStore
from operations.measuring.record import host_load, load_of
from operations.measuring.throwaway import Throwaway, certificate, settings_file

PART = "bench-backup"
STAGING = "/staging"
# Of the data: half in objects of each size.
SIZES = (MIB, 32 * MIB)
CLIENTS = 4
OURS, BY_HAND = "ours", "by hand"
# What one would type; it compares nothing with the store, and reads nothing back.
SCRIPT = """
set -eu
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_STORE_TYPE=s3 RCLONE_CONFIG_STORE_PROVIDER=Minio
export RCLONE_CONFIG_STORE_ENV_AUTH=true RCLONE_CONFIG_STORE_ENDPOINT=$1
rclone copy --quiet store:"$2" /staging/by-hand
restic init --quiet
restic backup --quiet /staging/by-hand
"""
CLEAR = ["find", STAGING, "-mindepth", "1", "-delete"]


class Rig:
    """A store with objects in one bucket, a vault, and a container with the backup's program beside them."""

    def __init__(self, engine: Engine, stack: str, throwaway: Throwaway) -> None:
        self.engine, self.throwaway = engine, throwaway
        job, store = running(engine, stack, "backup"), running(engine, stack, "object-store-1")
        self.plain = PlainStore(throwaway, store, 4)
        self.endpoint = f"http://{NODE}1:{MINIO}"
        self.seed = token_hex(32)
        tls = certificate(self.seed, "vault")
        writer = secrets.password(self.seed, "vault/writer")
        self.vault = throwaway.start(
            "vault",
            running(engine, stack, "vault"),
            [
                "vault-server", "--listen", f":{VAULT}", "--path", "/data", "--append-only",
                "--private-repos",                "--htpasswd-file", f"{FILES_DIR}/htpasswd",
                "--tls", "--tls-cert", f"{FILES_DIR}/tls.crt", "--tls-key", f"{FILES_DIR}/tls.key",
            ],
            volumes={throwaway.volume("vault"): "/data", throwaway.volume("vault-files"): FILES_DIR},
            network=throwaway.prefix,
            files={
                f"{FILES_DIR}/htpasswd": secrets.bcrypt_entry(self.seed, WRITER, writer) + "\n",
                f"{FILES_DIR}/tls.crt": tls.certificate,
                f"{FILES_DIR}/tls.key": tls.key,
            },
        )  # fmt: skip
        self.bucket = PART
        settings = json.loads(settings_file(engine, stack, "backup", "backup.json"))
        keys, password = self.plain.keys, secrets.password(self.seed, "vault/repository")
        self.repository = f"rest:https://{WRITER}:{writer}@vault:{VAULT}/{WRITER}"
        self.job = throwaway.start(
            "job",
            job,
            ["sleep", "infinity"],
            volumes={throwaway.volume("staging"): STAGING, throwaway.volume("job-files"): FILES_DIR},
            environment=dict(line.split("=", 1) for line in job["Config"]["Env"]),
            network=throwaway.prefix,
            files={
                f"{FILES_DIR}/ca.crt": tls.authority,
                f"{FILES_DIR}/backup.json": json.dumps(
                    {**settings, "endpoint": self.endpoint, "jobs": {PART: only(self.bucket)}}
                ),
                f"{FILES_DIR}/repository-password": password,
                f"{FILES_DIR}/repository-password-before": password,
                f"{FILES_DIR}/aws-credentials": (
                    f"[default]\naws_access_key_id = {keys['access_key']}\n"
                    f"aws_secret_access_key = {keys['secret_key']}\n"
                ),
            },
        )

    def run(self, way: str, number: int) -> float:
        """Seconds of one backup into a new repository. Raises OperationError with its last words."""
        self._exec(self.job, CLEAR)
        self._exec(self.job, ["mkdir", f"{STAGING}/temporary"])
        repository = f"{self.repository}/{way.replace(' ', '-')}-{number}/"
        self.throwaway.write(self.job, f"{FILES_DIR}/repository", repository)
        hand = ["sh", "-c", SCRIPT, "by-hand", self.endpoint, self.bucket]
        begin = time.monotonic()
        self._exec(self.job, ["backup", "run"] if way == OURS else hand)
        seconds = time.monotonic() - begin
        # Past the server, which deletes nothing: room for the next one.
        self._exec(self.vault, ["find", f"/data/{WRITER}", "-mindepth", "1", "-delete"])
        return seconds

    def _exec(self, container: str, command: Sequence[str]) -> None:
        lines: list[str] = []
        code = self.engine.follow(container, list(command), lines.append)
        if code:
            said = " / ".join(lines[-3:]) or "without a word"
            raise OperationError(f"{container}: {command[0]} ended with {code}: {said}")


def only(bucket: str) -> Mapping[str, Any]:
    """A job that saves one bucket."""
    return {
        "schedule": "0 0 * * *",
        "buckets": [bucket],
        "databases": [],
        "log": False,
        "configuration": False,
    }


def measure(
    engine: Engine, stack: str, *, rounds: int, size: int, on_pair: Callable[[BackupPair], None]
) -> tuple[list[BackupPair], Load]:
    """Pairs of backups of `size` random bytes, in turns (ABBA)."""
    with Throwaway(engine, stack, PART) as throwaway:
        rig = Rig(engine, stack, throwaway)
        place = {"keys": rig.plain.keys, "urls": rig.plain.urls, "bucket": rig.bucket, "prefix": PART}
        with (
            LoadClient("client", rig.plain.client, place, make_bucket=True) as client,
            host_load(engine, stack) as host,
        ):
            for each in SIZES:
                client.fill(each, max(1, size // len(SIZES) // each), CLIENTS)
            taken: dict[str, list[float]] = {OURS: [], BY_HAND: []}
            pairs: list[BackupPair] = []
            for number, way in stats.alternating([OURS, BY_HAND], rounds):
                taken[way].append(rig.run(way, number))
                if len(taken[OURS]) == len(taken[BY_HAND]):
                    pairs.append(BackupPair(ours_s=taken[OURS][-1], by_hand_s=taken[BY_HAND][-1]))
                    on_pair(pairs[-1])
    return pairs, load_of(host)


def ratio(pairs: Sequence[BackupPair]) -> Mapping[str, Any]:
    """Throughput of ours to that by hand, with its interval."""
    return stats.ratio_interval([1 / p.by_hand_s for p in pairs], [1 / p.ours_s for p in pairs])
