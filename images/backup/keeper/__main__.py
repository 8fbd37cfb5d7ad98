"""Backs the stack up into the vault, and gives it back.

  backup schedule                     every job now, then each by the crontab
  backup run [--job NAME] [--scheduled] [--progress]  a job, or all; scheduled: dumps and reading back only
                                      when due; exit code 0 complete, 3 partial, 1 failed, 2 no such job
  backup check [--health]             exit code 0 when the newest run of each job is complete, 3 when one is
                                      partial, 1 when one failed or is late
  backup status                       the state of each job, and of all together, as JSON (aidc.backup/1)
  backup metrics                      the state as Prometheus reads it
  backup configuration FILE           stack.yaml or state.json as they were handed over, secrets encrypted
  backup keys [BUCKET]                what a snapshot holds, one line of JSON an object
  backup cat BUCKET KEY               one object's content
  backup dump DATABASE                a database as pg_dump wrote it, for pg_restore
  backup drill [--at TIME]            restore the newest of each source for trial, on the vault's disk: JSON
  backup archive --snapshot ID [--at TIME]  its archive of the database, laid out on the vault's disk: JSON
  backup restore BUCKET               put a bucket's objects back; credentials on standard input
  backup inspect [--at TIME]          the snapshots that a rebuild may restore, on the vault's disk: JSON
  backup recover [--plan]             `make restore`: the order as JSON on standard input, its course as JSON
  backup trial-schedule|trial|trial-check|trial-status|trial-metrics      the same of the drill
  backup prune-schedule|prune|prune-check|prune-status|prune-metrics      the same of the pruner
`keys`, `cat`, `dump`, `restore` and `configuration` take --snapshot ID instead of the newest that holds it,
`keys` and `restore` also --prefix.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping

from .core import status
from .core.leave import leave
from .core.settings import CA, STATUS, load, repository
from .saving import jobs

END_WITHIN = 30  # seconds from an interrupt to the end at the latest


def main(arguments: list[str]) -> int:
    """Exit code of the command; 2 for one that does not exist."""
    options = _parser().parse_args(arguments)
    command = str(options.command)
    if command.startswith(("prune", "trial")):
        return _prune(command) if command.startswith("prune") else _trial(command, health=options.health)
    if command in ("keys", "cat", "dump", "restore", "configuration"):
        return _give_back(options)
    health = command == "check" and options.health
    own: Mapping[str, Callable[[], int]] = {
        "schedule": jobs.schedule,
        "run": lambda: jobs.run(options.job, thorough=not options.scheduled, progress=options.progress),
        "metrics": jobs.metrics,
        "check": lambda: jobs.check(health=health),
        "status": jobs.show,
        "drill": lambda: _drill(options.at),
        "archive": lambda: _archive(options.snapshot, options.at),
        "inspect": lambda: _inspect(options.at),
        "recover": lambda: _recover(plan=options.plan),
    }
    return own[command]()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "backup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("schedule", "status", "metrics", "trial-metrics", "prune-metrics"):
        commands.add_parser(name).set_defaults(health=False)
    one = commands.add_parser("run")
    one.add_argument("--job", action="append", default=[], metavar="NAME")
    one.add_argument("--scheduled", action="store_true")
    one.add_argument("--progress", action="store_true")
    for group in ("prune", "trial"):
        for name in (group, f"{group}-schedule", f"{group}-check", f"{group}-status"):
            commands.add_parser(name).set_defaults(health=False)
    commands.choices["trial-check"].add_argument("--health", action="store_true")
    commands.add_parser("check").add_argument("--health", action="store_true")
    for name in ("drill", "inspect"):
        commands.add_parser(name).add_argument("--at")
    archive = commands.add_parser("archive")
    archive.add_argument("--snapshot", required=True)
    archive.add_argument("--at")
    commands.add_parser("recover").add_argument("--plan", action="store_true")
    for name in ("keys", "cat", "restore", "dump", "configuration"):
        own = commands.add_parser(name)
        own.add_argument("--snapshot", default="latest")
        if name == "dump":
            own.add_argument("database")
            continue
        if name == "configuration":
            own.add_argument("file", choices=("stack.yaml", "state.json"))
            continue
        own.add_argument("bucket", nargs="?" if name == "keys" else None)
        if name == "cat":
            own.add_argument("key")
        else:
            own.add_argument("--prefix", default="")
        if name == "restore":
            own.add_argument("--into", help="another bucket")
    return parser


def _give_back(options: argparse.Namespace) -> int:
    from .core import objects, series  # noqa: PLC0415
    from .restoring import restore  # noqa: PLC0415
    from .sources import vault  # noqa: PLC0415

    def newest(source: str) -> str:
        return restore.resolve(options.snapshot, source)

    try:
        vault.await_answer(repository(), CA)
        if options.command == "keys":
            restore.keys(options.snapshot, options.bucket, options.prefix)
        elif options.command == "dump":
            restore.dump(newest(f"{series.DATABASE}{options.database}"), options.database)
        elif options.command == "configuration":
            restore.configuration(newest(series.CONFIGURATION), options.file)
        elif options.command == "cat":
            restore.cat(newest(f"{series.BUCKET}{options.bucket}"), options.bucket, options.key)
        else:
            where = (options.bucket, options.prefix, options.into)
            with jobs.lock():  # No backup of what is half restored.
                name = newest(f"{series.BUCKET}{options.bucket}")
                return min(1, restore.restore(name, load().store, *where))
    except (restore.RestoreError, vault.VaultError, objects.ManifestError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _drill(at: str | None) -> int:
    from .core import objects  # noqa: PLC0415
    from .proving import drill  # noqa: PLC0415
    from .sources import vault  # noqa: PLC0415

    try:
        print(json.dumps(drill.drill(at)))
    except (vault.VaultError, objects.ManifestError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _archive(snapshot: str, at: str | None) -> int:
    from .core import objects  # noqa: PLC0415
    from .proving import drill  # noqa: PLC0415
    from .sources import vault  # noqa: PLC0415

    try:
        print(json.dumps(drill.archive_of(snapshot, at)))
    except (vault.VaultError, objects.ManifestError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _inspect(at: str | None) -> int:
    from .core import series  # noqa: PLC0415
    from .pruning import prune  # noqa: PLC0415
    from .sources import vault  # noqa: PLC0415

    try:
        found = series.until(prune.listed(), at)
    except vault.VaultError as error:
        print(json.dumps({"error": str(error)}))
        return 1
    if not found:
        print(json.dumps({"error": f"the vault has no snapshot{f' until {at}' if at else ''}"}))
        return 1
    print(json.dumps({"taken": found[0]["time"], "among": [str(s["id"]) for s in found]}))
    return 0


def _recover(*, plan: bool) -> int:
    from .core import objects  # noqa: PLC0415
    from .core.progress import Progress  # noqa: PLC0415
    from .restoring import recover  # noqa: PLC0415
    from .sources import store, vault  # noqa: PLC0415

    def tell(line: str) -> None:
        print(line, flush=True)

    try:
        order = recover.read(_first_line())
        over = _end_with_input()
        vault.await_answer(repository(), CA)
        with jobs.lock():  # No backup of what is half restored.
            if plan:
                s3 = store.client(load().store)
                with recover.planned(order, s3, Progress()) as (found, _):
                    tell(json.dumps({"plan": found.document()}))
                return 0
            done = recover.recover(order, load().store, Progress(tell))
            tell(json.dumps({"done": done}))
            if order.hold:
                over.wait()
                if done["result"] != "failed":
                    recover.finish()
        return {"ok": 0, "partial": 3}.get(done["result"], 1)
    except (*recover.ERRORS, objects.ManifestError) as error:
        tell(json.dumps({"error": str(error)}))
        return 1


def _first_line() -> str:
    """Of standard input, past Python's own buffer, which a thread that still reads would hold at the end."""
    line = b""
    while not line.endswith(b"\n") and (piece := os.read(0, 65536)):
        line += piece
    return line.decode()


def _end_with_input() -> threading.Event:
    """Whoever asked holds standard input open: when that closes, nobody waits for the end any more.

    The event tells that another line has come.
    """
    over = threading.Event()

    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)

    def watch() -> None:
        while os.read(0, 4096):
            over.set()
        # To restic too, which then takes back its lock: the next backup would wait for that.
        os.killpg(0, signal.SIGINT)
        time.sleep(END_WITHIN)
        os._exit(130)

    threading.Thread(target=watch, daemon=True).start()
    return over


def _prune(command: str) -> int:
    from .pruning import prune  # noqa: PLC0415

    if command in ("prune", "prune-schedule"):
        with jobs.lock():
            found = prune.prune(delete=command == "prune")
            status.write(STATUS, found)
        jobs.say(prune.describe(found))
        if command == "prune-schedule":
            jobs.supercronic()
        return 0 if found["result"] == "ok" else 1
    try:
        found = json.loads(STATUS.read_text())
    except (OSError, ValueError):
        print("nothing was pruned yet")
        return 1
    if command == "prune-metrics":
        from .proving import metrics  # noqa: PLC0415

        print("\n".join(metrics.of_prune(found)))
        return 0
    print(json.dumps(found, indent=1) if command == "prune-status" else prune.describe(found))
    if command == "prune-check":
        leave("vault-pruner", "prune-metrics")
    return 0 if command == "prune-status" or found["result"] == "ok" else 1


def _trial(command: str, *, health: bool) -> int:
    """A failed drill is no fault of the service's: its health check passes, and says so."""
    from .proving import trial  # noqa: PLC0415

    if command == "trial-schedule":
        trial.begin()
        jobs.supercronic()
    if command == "trial":
        with jobs.lock():
            found = trial.run()
        what = trial.state(found, trial.schedule(), trial.now())
        jobs.say(f"drill {trial.describe(found, what)}")
        return 0 if found["run"]["passed"] else 1
    found_, schedule = trial.read(), trial.schedule()
    what = trial.state(found_, schedule, trial.now())
    if command == "trial-metrics":
        from .proving import metrics  # noqa: PLC0415

        print("\n".join(metrics.of_drill(found_, what)))
        return 0
    text = trial.describe(found_, what)
    if command == "trial-status":
        print(json.dumps({**(found_ or {"schema": trial.SCHEMA, "run": None}), "state": what, "text": text}))
        return 0
    print(text)
    if health:
        leave("drill", "trial-metrics")
    return 0 if health or what in ("passed", "waiting") else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
