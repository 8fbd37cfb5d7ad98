"""What causes each alert: real faults of a running stack, in the order in which they can be had together.

Some need a while, or stay until the stack is gone: what comes later does not undo what was before.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import requests

from components.planning.flows import DATABASE, MINIO
from components.planning.units import MIB
from tests.acceptance.conftest import OUT, s3_client
from tests.acceptance.disks import place
from tests.acceptance.test_backup import AS_ROOT
from tests.alerts.site import Site, aidc, docker

# In the database's own container.
PSQL = "psql --no-psqlrc --quiet --tuples-only --no-align --host=/tmp --username=postgres --dbname=tracking"
LASTS_S = 6000
CUT = """
table ip fault {{
  chain out {{
    type filter hook output priority 0;
    tcp dport {port} drop
  }}
}}
"""
# Takes memory until little is left, and gives back what others need, at once on a busy machine as well; the
# kernel would end it first.
EAT = """
import mmap, os, time
os.nice(-15)
open("/proc/self/oom_score_adj", "w").write("1000")
def found(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/meminfo") if line.startswith(name + ":"))
held, total, piece = [], found("MemTotal"), 64 << 20
while True:
    left = found("MemAvailable")
    if left > 0.048 * total:
        held.append(mmap.mmap(-1, piece))
        held[-1].write(b"x" * piece)
    elif left < 0.04 * total and held:
        held.pop().close()
    else:
        time.sleep(0.1)
"""
# A series with a label that is longer than may be.
LONG = """
import time, ray
from ray.util.metrics import Gauge
@ray.remote(num_cpus=0)
def tell():
    # What nobody holds, or sets, any more is not told.
    gauge = Gauge("long", description="Too long.", tag_keys=("words",))
    for _ in range(200):
        gauge.set(1, {"words": "x" * 600})
        time.sleep(3)
ray.init(address="auto")
ray.get(tell.remote())
"""


@dataclass(frozen=True)
class Cause:
    """`do` causes `alerts`, of which each one's summary holds the words beside it: what its labels name,
    where its rule has any.

    `models`: some have to be served.
    """

    alerts: dict[str, str]
    do: Callable[[Site], None]
    models: bool = False


def foreign_figures(site: Site) -> None:
    """A service leaves something else than its figures: a folder in place of the file. Removed again."""
    folder = place(site.name("home"), "/readings") / "home.prom"

    def work() -> None:
        folder.unlink(missing_ok=True)
        folder.mkdir(exist_ok=True)
        site.wait("ReadingsRefused", "firing", 600)
        shutil.rmtree(folder)

    site.once(work)


def damaged_block(site: Site) -> None:
    """Eight bytes of a table change on the disk; the server reads them after it was started again."""
    host = site.inside("database")
    made = "CREATE TABLE damaged AS SELECT generate_series(1, 1000) AS id; CHECKPOINT"
    host.check_output(f"{PSQL} --command=%s", made)
    file = host.check_output(f"{PSQL} --command=%s", "SELECT pg_relation_filepath('damaged')")
    path = place(site.name("database"), "/data") / "pgdata" / file.strip()
    with path.open("r+b") as table:
        table.seek(4096)
        table.write(b"damaged!")
    docker("restart", site.name("database"))
    answers = f"{PSQL} --command='SELECT 1'"
    for _ in range(60):
        if host.run(answers).rc == 0:
            break
        time.sleep(1)
    read = host.run(f"{PSQL} --command=%s", "SELECT count(*) FROM damaged")
    assert "invalid page" in read.stderr, read.stderr
    # The count stays; a dump would fail.
    host.check_output(f"{PSQL} --command=%s", "DROP TABLE damaged")


def open_transaction(site: Site) -> None:
    """One that holds its number until all is over."""
    wait = f"{PSQL} --command 'BEGIN' --command 'SELECT txid_current(), pg_sleep({LASTS_S})'"
    docker("exec", "--detach", site.name("database"), "bash", "-c", wait)


def sessions(site: Site) -> None:
    """Nearly as many as there may be, also after other clients have left."""
    often = f"{PSQL} --command"
    clients = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = $$client backend$$"
    asleep = f"{often} 'SELECT pg_sleep({LASTS_S})'"

    def work() -> None:
        host = site.inside("database")
        while "firing" not in site.watch.of("DatabaseSessionsAlmostUsedUp").since:
            limit = int(host.check_output(f"{often} 'SHOW max_connections'"))
            used = int(host.check_output(f"{often} %s", clients))
            for _ in range(limit - used - 2):
                docker("exec", "--detach", site.name("database"), "bash", "-c", asleep)
            if site.over.wait(20):
                return

    site.once(work)


def full_logs(site: Site) -> None:
    """VictoriaLogs finds less than 512 MiB free, and only reads."""
    site.disks.fill(site.name("logs"), 0.2)


def full_vault(site: Site) -> None:
    """The vault holds nine tenths of what it may, once a run has saved what the store got."""
    keys = site.access["s3"]
    source = OUT / "random"
    with source.open("wb") as file:
        for _ in range(19):
            file.write(os.urandom(50 * 10**6))
    client = s3_client(site.inventory, keys["access_key"], keys["secret_key"], site.ca_file)
    client.upload_file(str(source), "datasets", "random")
    source.unlink()
    site.inside("backup").check_output("backup run --job everything")


def unreadable_object(site: Site) -> None:
    """An object with a key that nobody has, as in the test of partial backups."""
    node = site.inside("object-store")
    said = {part: node.check_output(f"cat /etc/aidc/root-{part}").strip() for part in ("user", "password")}
    told = json.dumps({**said, "key": "unreadable", "do": "put"})
    site.inside("backup").check_output("printf %s %s | python3 -c %s", "%s", told, AS_ROOT)
    assert site.inside("backup").run("backup run --job everything").rc == 3


def vault_away(site: Site) -> None:
    """A run of the other job finds no vault."""
    docker("stop", "--time", "5", site.name("vault"))
    assert site.inside("backup").run("backup run --job second").rc == 1
    docker("start", site.name("vault"))


def killed_pruner(site: Site) -> None:
    """Whatever the pruner starts is killed."""
    pruner = site.name("vault-pruner")
    pruning = subprocess.Popen(["docker", "exec", pruner, "backup", "prune"])
    end = time.monotonic() + 120
    while pruning.poll() is None and time.monotonic() < end:
        for line in docker("top", pruner, "-o", "pid,args").splitlines():
            number, *words = line.split()
            if words[0] == "restic":
                subprocess.run(["kill", "-KILL", number], check=False)
        time.sleep(0.2)
    assert pruning.wait(1) != 0


def damaged_pack(site: Site) -> None:
    """One byte of every pack in the vault is another: nothing can be restored."""
    packs = [p for p in (place(site.name("vault"), "/data") / "backup/data").rglob("*") if p.is_file()]
    assert packs
    for pack in packs:
        with pack.open("r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes([first[0] ^ 1]))
    assert site.inside("drill").run("backup trial").rc != 0


def hung_service(site: Site) -> None:
    """The drill hangs, once it has told its state."""

    def work() -> None:
        site.wait("DrillFailed", "firing", 600)
        docker("pause", site.name("drill"))

    site.once(work)


def archive_cut_off(site: Site) -> None:
    """No packet of the database reaches the store: neither the log nor a base backup goes there."""
    database, image = site.name("database"), site.inventory.by_role("firewall")[0].image
    command = ["docker", "run", "--rm", "--interactive", "--cap-drop=ALL", "--cap-add=NET_ADMIN", "--user=0"]
    command += [f"--network=container:{database}", image, "nft", "--file", "-"]
    subprocess.run(command, input=CUT.format(port=MINIO), text=True, check=True)
    host = site.inside("database")
    for statement in ("CREATE TABLE more (id int)", "SELECT pg_switch_wal()"):
        host.check_output(f"{PSQL} --command=%s", statement)
    site.once(lambda: host.run("database-archive run full"))


def refused_packets(site: Site) -> None:
    """The metrics service asks the database, which no flow declares."""
    address = site.inventory.by_role("database")[0].addresses["storage"]
    script = f"for ((i = 0; i < 150; i++)); do echo x >/dev/udp/{address}/{DATABASE} || true; done"
    site.inside("metrics").check_output("bash -c %s", script)


def flood_of_lines(site: Site) -> None:
    """A service writes more lines than are taken of one, and the collector hangs for some seconds."""
    lines = "for ((i = 0; i < 200000; i++)); do echo flood $i; done >/proc/1/fd/1"

    def work() -> None:
        site.inside("compute").run("bash -c %s", lines)
        top = docker("top", site.name("logs"), "-o", "pid,args").splitlines()
        collector = next(line.split()[0] for line in top if "-m collector" in line)
        os.kill(int(collector), signal.SIGSTOP)
        try:
            site.inside("compute").run("bash -c %s", lines)
        finally:
            os.kill(int(collector), signal.SIGCONT)

    site.once(work)


def tracking_away(site: Site) -> None:
    """MLflow is stopped, and asked all the same."""
    docker("stop", "--time", "5", site.name("tracking"))
    url = site.endpoint("tracking") + "/health"
    login = next(iter(site.access["tracking"].items()))

    def work() -> None:
        requests.get(url, auth=login, verify=site.ca_file, timeout=30)
        time.sleep(0.5)

    site.meanwhile(work)


def frozen_nodes(site: Site) -> None:
    """Inference is asked while its nodes hang for some seconds, again and again."""
    nodes = [node.container for node in site.inventory.by_role("compute")]
    url = site.endpoint("inference") + "/v1/models"
    token = f"Bearer {site.access['inference_token']}"
    ask = (
        "import sys, concurrent.futures as f, requests as r\n"
        "login = {'Authorization': sys.argv[2]}\n"
        "one = lambda _: r.get(sys.argv[1], headers=login, verify=sys.argv[3], timeout=60)\n"
        "list(f.ThreadPoolExecutor(48).map(one, range(48)))"
    )
    command = [sys.executable, "-c", ask, url, token, site.ca_file]

    def work() -> None:
        if "firing" in site.watch.of("SlowAnswers").since:
            site.over.wait(5)
            return
        docker("pause", *nodes)
        asking = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(3.5)
        docker("unpause", *nodes)
        asking.wait()

    site.meanwhile(work)


def restarts(site: Site) -> None:
    """The front door is started again and again; what it tells has to be read in between."""

    def work() -> None:
        for _ in range(3):
            site.over.wait(75)
            docker("restart", "--time", "2", site.name("home"))

    site.once(work)


def full_disks(site: Site) -> None:
    """The engine's disk, where the metrics see it, and those of the store."""
    site.disks.fill(site.name("metrics"), 0.085)
    for node in site.inventory.by_role("object-store"):
        site.disks.fill(node.container, 0.05)


def memory(site: Site) -> None:
    """Another program uses nearly all of the machine's memory."""

    def work() -> None:
        eater = subprocess.Popen([sys.executable, "-c", EAT])
        try:
            site.wait("MemoryAlmostUsedUp", "firing", 2400)
        finally:
            eater.kill()
            eater.wait()

    site.once(work)


def unfit_node(site: Site) -> None:
    """The room for temporary files of a node is full when it is checked."""
    host = site.inside("compute", 1)
    free = int(host.check_output("df --output=avail --block-size=1 /tmp | tail -n 1"))
    host.check_output("fallocate --length %s /tmp/filler", str(free - 16 * MIB))
    aidc("node", "--out", str(OUT))
    host.check_output("rm /tmp/filler")


def long_figures(site: Site) -> None:
    """A task tells Ray of a series that is too long to be kept."""
    docker("exec", "--detach", site.name("compute", 0), "python3", "-c", LONG)


def stalled_training(site: Site) -> None:
    """Two ranks hold their nodes, and wait for nothing."""
    script = OUT / "stalled.py"
    script.write_text(f"import time\ntime.sleep({LASTS_S})\n")
    assert aidc("submit", str(script), "--ranks", "2", "--name", "stalled", "--detach") == 0


def failed_audit(site: Site) -> None:
    """The audit of a stack with all these faults."""
    assert aidc("audit", "--out", str(OUT)) == 1


def store_node_away(site: Site) -> None:
    """One node of the store is stopped, and started again when that was told."""
    node = site.name("object-store", 3)
    docker("stop", "--time", "10", node)

    def work() -> None:
        site.wait("DriveOffline", "firing", 1200)
        site.wait("ServiceDown", "firing", 600)
        docker("start", node)
        site.wait("StoreAlmostFull", "firing", 1200)
        healing(site)

    site.once(work)


def healing(site: Site) -> None:
    """A drive that lost everything is filled again by the others, on little of a processor."""
    node = site.name("object-store", 3)
    docker("stop", "--time", "10", node)
    data = place(node, "/data")
    for entry in [e for e in data.iterdir() if e.name != "lost+found"]:
        subprocess.run(["rm", "--recursive", str(entry)], check=True)
    docker("start", node)
    time.sleep(20)
    docker("update", "--cpus", "0.05", node)


def refusing_receiver(site: Site) -> None:
    """The receiver answers 500, after it had what fired so far."""

    def work() -> None:
        site.wait("DiskAlmostFull", "firing", 1500)
        site.over.wait(60)
        (site.receiver / "refuse").touch()

    site.once(work)


CAUSES = (
    Cause({"CertificateExpires": "certificates expires in", "Watchdog": ""}, lambda site: None),
    Cause({"DatabaseDamaged": "1 blocks"}, damaged_block),
    Cause({"DatabaseTransactionOpen": "open for 1h"}, open_transaction),
    Cause({"LogsLeftOut": "lines of compute-node1", "LogsLost": "were lost"}, flood_of_lines),
    Cause({"ReadingsRefused": "home leaves figures"}, foreign_figures),
    Cause({"FiguresLeftOut": "figures of metrics"}, long_figures),
    Cause({"TrainingStalled": "1 trainings"}, stalled_training),
    Cause({"NodeRefused": "node2"}, unfit_node),
    Cause({"VaultAlmostFull": "the vault holds"}, full_vault),
    Cause({"BackupPartial": "backup of everything cannot"}, unreadable_object),
    Cause({"BackupFailed": "backup of second is failed"}, vault_away),
    Cause({"PruneFailed": "cannot be pruned"}, killed_pruner),
    Cause({"DrillFailed": "drill is failed"}, damaged_pack),
    Cause({"ReadingsStale": "drill.prom"}, hung_service),
    Cause({"ArchiveFails": "(push)", "BaseBackupFails": "(backup)"}, archive_cut_off),
    Cause({"DatabaseSessionsAlmostUsedUp": "sessions are open"}, sessions),
    Cause({"TrafficRefused": "packets (forward)"}, refused_packets),
    Cause({"LogsNotStored": "cannot be stored", "LogsSilent": "no line"}, full_logs),
    Cause({"BackendDown": "at tracking", "ManyErrors": "of tracking"}, tracking_away),
    Cause({"DiskAlmostFull": "% left", "StoreAlmostFull": "% left"}, full_disks),
    Cause(
        {"ServiceDown": "object-store-4", "DriveOffline": "1 drives", "StoreHeals": "healing"},
        store_node_away,
    ),
    Cause({"SlowAnswers": "on average"}, frozen_nodes, models=True),
    Cause({"MemoryAlmostUsedUp": "memory left"}, memory),
    Cause({"RestartLoop": "home was restarted"}, restarts),
    Cause({"NotificationsFail": "webhook does not take"}, refusing_receiver),
    Cause({"AuditFailed": "security audit found"}, failed_audit),
)


def chosen(only: str) -> tuple[Cause, ...]:
    """The causes of the alerts that `only` names, separated by commas; empty: all.

    Raises ValueError for a name that no cause has.
    """
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    if unknown := wanted - {name for cause in CAUSES for name in cause.alerts}:
        raise ValueError(f"ONLY: no alert has the name {', '.join(sorted(unknown))}")
    return tuple(cause for cause in CAUSES if not wanted or wanted & set(cause.alerts))


# It must heal for an hour: seen to begin, and its time is left to the unit test.
BEGUN = {"StoreHeals"}
CHOSEN = chosen(os.environ.get("ONLY", ""))
