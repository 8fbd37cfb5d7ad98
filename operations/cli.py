"""The commands of `aidc`, grouped, each with a summary, an example and its arguments.

A command's help is the docstring of its module, which describes the command and its exit codes. Only the
module that is needed is imported, because some take seconds.
"""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from components.planning.issues import suggest
from components.planning.units import GIB, MIB, parse_size
from operations.errors import RefusedError

GROUPS = ("Run a stack", "Prove that it is safe", "Train, serve, measure", "Run your own jobs")


@dataclass(frozen=True)
class Command:
    """`module` is one of operations.commands, unless `benchmark` names a command of `python -m benchmark`."""

    group: str
    summary: str
    example: str
    module: str = ""
    benchmark: str = ""
    own_arguments: bool = False
    changes: bool = False


_RUN, _PROVE, _MEASURE, _JOBS = GROUPS
COMMANDS: Mapping[str, Command] = {
    "doctor": Command(_RUN, "check that this machine can run the stack", "aidc doctor", "doctor"),
    "up": Command(
        _RUN, "bring the stack up and wait until it is healthy", "aidc up --stack dev", "up", changes=True
    ),
    "status": Command(
        _RUN, "show services, jobs, nodes, backup and audit in one look", "aidc status --watch", "status"
    ),
    "node": Command(
        _RUN, "check the compute nodes, as before each job", "aidc node --node compute-node1", "node"
    ),
    "open": Command(_RUN, "open the page that shows how the stack is doing", "aidc open --stack dev", "open"),
    "tell": Command(_RUN, "tell that page what only this clone knows", "aidc tell --stack dev", "tell"),
    "alerts": Command(_RUN, "list what needs somebody's attention, and what to do", "aidc alerts", "alerts"),
    "grafana": Command(_RUN, "write the dashboards as files for Grafana", "aidc grafana", "grafana"),
    "usage": Command(
        _RUN, "show what each service uses over a minute", "aidc usage --seconds 10", "usage"
    ),
    "logs": Command(
        _RUN, "show the log of a service or a job, and follow it", "aidc logs --service tracking", "logs"
    ),
    "exec": Command(
        _RUN, "a shell or a command in a service's container", "aidc exec --service compute-node1", "exec"
    ),
    "restart": Command(
        _RUN,
        "restart a service and wait until it is healthy",
        "aidc restart --service tracking",
        "restart",
        changes=True,
    ),
    "top": Command(_RUN, "show what each service uses now", "aidc top", "top"),
    "names": Command(_RUN, "print what a name can be, for completion", "aidc names jobs", "names"),
    "access": Command(_RUN, "write the CA certificate, show how to call the stack", "aidc access", "access"),
    "rotate": Command(
        _RUN,
        "replace certificates, keys or passwords in the running stack",
        "aidc rotate --what s3/client,vault/writer",
        "rotate",
        changes=True,
    ),
    "destroy": Command(
        _RUN, "remove the stack; data is kept unless purged", "aidc destroy --purge", "destroy", changes=True
    ),
    "backup": Command(_RUN, "back up now, and wait for the end", "aidc backup --stack dev", "backup"),
    "restore": Command(
        _RUN,
        "put a backup back into an emptied stack",
        "aidc restore --sources buckets",
        "restore",
        changes=True,
    ),
    "rebuild": Command(
        _RUN,
        "bring a stack back from a copy of its vault",
        "aidc rebuild --from /mnt/copy",
        "rebuild",
        changes=True,
    ),
    "images": Command(_RUN, "build the images that are missing", "aidc images", "images"),
    "policy": Command(
        _PROVE, "check every policy on the planned stack", "aidc policy --live", "policy", own_arguments=True
    ),
    "audit": Command(
        _PROVE, "test the running stack against its declaration", "aidc audit --out out/dev", "audit"
    ),
    "drill": Command(
        _PROVE, "restore the newest backup for trial and compare it", "aidc drill --stack dev", "drill"
    ),
    "scrub": Command(
        _PROVE, "read every stored shard, restore damaged ones", "aidc scrub --stack dev", "scrub"
    ),
    "accept": Command(
        _PROVE, "test the GPUs of this machine before a stack is built", "aidc accept --seconds 30", "accept"
    ),
    "sbom": Command(_PROVE, "write the bill of materials of each image, as CycloneDX", "aidc sbom", "sbom"),
    "bench": Command(
        _MEASURE, "train and serve on the stack, and write a report", "aidc bench --tier ci", benchmark="run"
    ),
    "runs": Command(_MEASURE, "list the runs of a stack, newest first", "aidc runs", benchmark="runs"),
    "report": Command(
        _MEASURE, "rebuild the report of a result", "aidc report out/dev/result.json", benchmark="report"
    ),
    "compare": Command(
        _MEASURE, "compare a result with an earlier one", "aidc compare A.json B.json", benchmark="compare"
    ),
    "abba": Command(
        _MEASURE, "train two commits alternately: is one slower or worse?", "aidc abba main", benchmark="abba"
    ),
    "faults": Command(
        _MEASURE, "kill parts of the stack during training", "aidc faults --case node", benchmark="faults"
    ),
    "bench-storage": Command(
        _MEASURE,
        "measure the object store, with and without its protection",
        "aidc bench-storage --rounds 3",
        "bench_storage",
    ),
    "bench-backup": Command(
        _MEASURE, "measure the backup against restic by hand", "aidc bench-backup", "bench_backup"
    ),
    "bench-database": Command(
        _MEASURE, "measure the database through TLS and locally", "aidc bench-database", "bench_database"
    ),
    "bench-submit": Command(
        _MEASURE, "time a job until its first step", "aidc bench-submit --ranks 2", "bench_submit"
    ),
    "bench-recovery": Command(
        _MEASURE, "time backup and restore of much data", "aidc bench-recovery --size 2GiB", "bench_recovery"
    ),
    "bench-lifecycle": Command(
        _MEASURE, "time up, a second up and destroy on a separate stack", "aidc bench-lifecycle", "lifecycle"
    ),
    "submit": Command(
        _JOBS, "run a script of yours on the compute nodes", "aidc submit train.py --ranks 2", "submit"
    ),
    "notebook": Command(_JOBS, "JupyterLab on a compute node", "aidc notebook --gpus 1", "notebook"),
    "jobs": Command(_JOBS, "list the jobs, and what they wait for", "aidc jobs", "jobs"),
    "stop": Command(_JOBS, "stop a job", "aidc stop train-1128-150500", "stop"),
    "delete": Command(
        _JOBS, "delete a model of yours, or a job's checkpoints", "aidc delete --job train", "delete"
    ),
}  # fmt: skip


def module(command: Command) -> ModuleType:
    return importlib.import_module(f"operations.commands.{command.module}")


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands of operations; `command` is the one whose help has to be complete."""
    top = argparse.ArgumentParser(
        prog="aidc",
        description=overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="aidc COMMAND [OPTIONS]",
        epilog="`aidc COMMAND --help` shows what a command does, its exit codes, and an example.",
    )
    top.add_argument("--version", action="version", version=f"aidc {own_version()}")
    commands = top.add_subparsers(dest="command", required=True, prog="aidc", help=argparse.SUPPRESS)
    made = {
        name: commands.add_parser(
            name,
            description=_about(name) if name == command else None,
            epilog=f"example:\n  {known.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for name, known in COMMANDS.items()
        if known.module and not known.own_arguments
    }
    _arguments(made)
    return top


def _arguments(made: Mapping[str, argparse.ArgumentParser]) -> None:
    for name, command in made.items():
        if name != "images":
            command.add_argument(
                "--stack", default=os.environ.get("STACK", "dev"), help="default: $STACK, else dev"
            )
    for name in ("status", "alerts", "doctor", "jobs", "node"):
        made[name].add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    made["alerts"].add_argument("--test", action="store_true", help="send a trial to every receiver")
    made["alerts"].add_argument("--silence", metavar="ALERT", help="tell nobody of this one for a time")
    made["alerts"].add_argument("--for", dest="for_", metavar="TIME", help="how long: 90m, 2h, 3d")
    made["alerts"].add_argument("--because", metavar="REASON", help="why it is silenced")
    made["alerts"].add_argument("--end", metavar="SILENCE", help="end a silence before its time")
    made["destroy"].add_argument(
        "--purge", action="store_true", help="also delete the data, the seed and the stack"
    )
    what = "names, separated by commas, or all (default: certificates)"
    made["rotate"].add_argument("--what", default="certificates", metavar="NAMES", help=what)
    made["backup"].add_argument("--job", metavar="NAME", help="one job of backup.jobs (default: all of them)")
    made["restore"].add_argument(
        "--sources", metavar="NAMES", help="bucket/NAME, database/NAME, buckets, databases (default: all)"
    )
    made["rebuild"].add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER", help="copy of the vault's data"
    )
    made["rebuild"].add_argument(
        "--damaged", action="store_true", help="go on although files of the copy are damaged"
    )
    for name in ("restore", "rebuild"):
        made[name].add_argument(
            "--at", metavar="TIME", help="the newest snapshot until then, 2026-01-31T02:15Z"
        )
    for name in ("rotate", "destroy", "restore", "rebuild", "delete"):
        made[name].add_argument("--yes", action="store_true", help="do not ask for confirmation")
    made["access"].add_argument("--out", type=Path, help="folder for ca.pem (default: out/<stack>)")
    made["access"].add_argument(
        "--exports", action="store_true", help="print the variables of ray, aws and mlflow, for eval"
    )
    made["audit"].add_argument(
        "--out", type=Path, help="folder for audit.json and audit.html (default: out/<stack>)"
    )
    made["drill"].add_argument("--out", type=Path, help="folder for drill.json (default: out/<stack>)")
    made["drill"].add_argument(
        "--at", metavar="TIME", help="the newest snapshot until then, 2026-01-31T02:15Z"
    )
    made["scrub"].add_argument(
        "--limit", type=int, default=6 * 3600, metavar="SECONDS", help="stop after so long (default: 21600)"
    )
    made["grafana"].add_argument("--out", type=Path, help="parent folder of grafana/ (default: out/<stack>)")
    made["sbom"].add_argument("--out", type=Path, help="parent folder of sbom/ (default: out/<stack>)")
    made["bench-lifecycle"].add_argument(
        "--out",
        type=Path,
        default=Path("out/lifecycle.json"),
        help="file of the figures (default: out/lifecycle.json)",
    )
    made["bench-lifecycle"].add_argument("--no-training", action="store_true", help="skip the training")
    made["status"].add_argument(
        "--watch", action="store_true", help="look again every few seconds, until Ctrl-C"
    )
    made["node"].add_argument("--node", metavar="NAME", help="one node (default: all)")
    made["node"].add_argument("--waive", metavar="REASON", help="give it ranks in spite of what is wrong now")
    made["node"].add_argument("--out", type=Path, help="folder for nodes.json (default: out/<stack>)")
    made["open"].add_argument("--out", type=Path, help="write the page into this folder instead")
    made["tell"].add_argument("--out", type=Path, help="folder of audit and report (default: out/<stack>)")
    _measuring(made)
    _services(made)
    _jobs(made)


# Command → its record below the folder of --out.
RECORDS = {
    "accept": "accept.json",
    "usage": "usage.json",
    "bench-storage": "storage.json",
    "bench-backup": "backup-figures.json",
    "bench-database": "database-figures.json",
    "bench-submit": "submit-figures.json",
    "bench-recovery": "recovery-figures.json",
}


def _measuring(made: Mapping[str, argparse.ArgumentParser]) -> None:
    for name, record in RECORDS.items():
        made[name].add_argument("--out", type=Path, help=f"folder for {record} (default: out/<stack>)")
    for name in ("bench-storage", "bench-backup", "bench-database", "bench-submit"):
        made[name].add_argument(
            "--rounds", type=_some, default=8, help="measurements of each kind, in turns (default: 8)"
        )
    for name, seconds in (("accept", 60.0), ("usage", 60.0), ("bench-storage", 2.0), ("bench-database", 5.0)):
        made[name].add_argument("--seconds", type=_seconds, default=seconds, help=f"default: {seconds:g}")
    made["bench-submit"].add_argument("--ranks", type=_some, default=2, help="processes (default: 2)")
    for name, size in (("bench-backup", "512MiB"), ("bench-recovery", "2GiB")):
        made[name].add_argument(
            "--size", type=_size, default=size, help=f"bytes of the objects (default: {size})"
        )
    made["bench-recovery"].add_argument(
        "--data", choices=("bytes", "letters"), default="bytes",
        help="random bytes, or letters, which compress to a quarter (default: bytes)",
    )  # fmt: skip


def _services(made: Mapping[str, argparse.ArgumentParser]) -> None:
    for name in ("logs", "exec", "restart"):
        made[name].add_argument("--service", metavar="NAME", help="as `aidc status` lists it")
    made["logs"].add_argument("--job", metavar="NAME", help="its newest run; an earlier one is NAME@1")
    made["logs"].add_argument(
        "--tail", type=_lines, default=200, metavar="LINES", help="of a service: to begin with (default: 200)"
    )
    made["logs"].add_argument("--find", metavar="WORDS", help="search in the lines of one service, or of all")
    made["logs"].add_argument(
        "--since", default="1h", metavar="TIME", help="search: how far back, 30m, 12h, 7d (default: 1h)"
    )
    made["exec"].add_argument("--cmd", metavar="COMMAND", help="in one text (default: a shell)")


def _lines(text: str) -> int:
    """A number from 0 to a million."""
    if not text.isascii() or not text.isdigit() or int(text) > 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines")
    return int(text)


def _jobs(made: Mapping[str, argparse.ArgumentParser]) -> None:
    # Texts, all of which are checked at once, so that every mistake is named.
    submit = made["submit"]
    submit.add_argument("script", help="Python file")
    submit.add_argument("--ranks", default="1", help="processes, by torch.distributed (default: 1)")
    submit.add_argument("--gpus", default="0", help="GPUs of each rank (default: 0)")
    submit.add_argument("--cpus", help="CPUs of each rank (default: at most 1, so that all ranks fit)")
    submit.add_argument(
        "--memory", metavar="SIZE", help="memory that each rank reserves, 2GiB (default: none)"
    )
    submit.add_argument("--args", default="", help="the script's arguments, in one text")
    submit.add_argument(
        "--name", help="finds the checkpoints again (default: the script's name and the time)"
    )
    submit.add_argument("--workdir", metavar="FOLDER", help="folder that is taken along with the script")
    submit.add_argument("--pip", metavar="PACKAGES", help='packages of the index: "rich lightning==2.6"')
    submit.add_argument("--requirements", metavar="FILE", help="requirements file with more of them")
    submit.add_argument("--refresh", action="store_true", help="resolve packages anew, not from the cache")
    submit.add_argument("--detach", action="store_true", help="do not follow the log")
    notebook = made["notebook"]
    notebook.add_argument("--gpus", default="0", help="GPUs that it holds (default: 0)")
    notebook.add_argument("--cpus", help="CPUs that it holds (default: at most 1)")
    notebook.add_argument("--memory", metavar="SIZE", help="memory that it reserves, 2GiB (default: none)")
    notebook.add_argument("--stop", action="store_true", help="end it; its work is kept")
    notebook.add_argument("--off", action="store_true", help="end it, and close the way to it")
    delete = made["delete"]
    delete.add_argument("--job", metavar="NAME", help="the checkpoints of all its runs")
    delete.add_argument("--model", metavar="NAME", help="the registry's entry, or that of one version")
    delete.add_argument("--version", help="number or alias of one version (default: all of them)")
    made["names"].add_argument("kind", choices=("commands", "jobs", "models", "rotatable"))
    made["stop"].add_argument("job", help="name, run or id, as `aidc jobs` lists it")


def _some(text: str) -> int:
    """A number from 1 to 100."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 100")
    return int(text)


def _size(text: str) -> int:
    """Bytes, from 64MiB to 64GiB."""
    try:
        found = parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; write it as 512MiB or 2GiB") from None
    if not 64 * MIB <= found <= 64 * GIB:
        raise argparse.ArgumentTypeError(f"{text} is not between 64MiB and 64GiB")
    return found


def _seconds(text: str) -> float:
    """Seconds from 0.5 to 3600."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0.5 <= found <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.5 to 3600")
    return found


def overview() -> str:
    """Every command with its summary, by group."""
    width = max(map(len, COMMANDS))
    parts = ["An AI data centre as code: one YAML file, one command.\n"]
    for group in GROUPS:
        parts.append(f"{group}:")
        parts += [f"  {n:<{width}}  {c.summary}" for n, c in COMMANDS.items() if c.group == group]
        parts.append("")
    return "\n".join(parts).rstrip()


def check_name(name: str) -> None:
    """Raises RefusedError with the nearest name for a command that does not exist."""
    if name.startswith("-") or name in COMMANDS:
        return
    fix = suggest(name, COMMANDS, "`aidc --help` lists the commands")
    raise RefusedError(f"{name!r} is not a command\n    fix: {fix}")


def for_benchmark(name: str, arguments: Sequence[str]) -> list[str]:
    """The arguments of `python -m benchmark` for a command of `aidc`: $STACK applies there, too."""
    command = COMMANDS[name].benchmark
    stack = os.environ.get("STACK")
    of_newest = command == "report" and (not arguments or arguments[0].startswith("-"))
    takes_stack = command in ("run", "faults", "runs") or of_newest
    given = any(argument.split("=")[0] == "--stack" for argument in arguments)
    return [command, *(["--stack", stack] if stack and takes_stack and not given else []), *arguments]


def own_version() -> str:
    """The version of the installed package; a clone that was never set up has none."""
    try:
        return version("aidc")
    except PackageNotFoundError:
        return "(not installed)"


def _about(name: str) -> str:
    return (module(COMMANDS[name]).__doc__ or "").strip()
