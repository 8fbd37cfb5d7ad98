"""Writes the pages and schemas of PAGES into docs/: `python -m operations.commands.reference`.

Pure functions from models and tables to Markdown and JSON; a test fails when a committed file is not up to
date.
"""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from audit import document
from benchmark.analysis import schemas
from components.planning.config import DATACENTER, StackConfig
from components.planning.flows import (
    CLIENTS,
    FLOWS,
    LISTENS,
    Flow,
    memberships,
    with_notebook,
    with_outside_store,
)
from components.planning.inventory import Inventory
from components.planning.paths import ROOT
from components.planning.units import size_text
from operations.documents import Acceptance, Alerts, Drill
from operations.measuring.documents import (
    BackupFigures,
    DatabaseFigures,
    Lifecycle,
    RecoveryFigures,
    StackUsage,
    Storage,
    SubmitFigures,
)
from operations.nodes_document import Nodes
from operations.status_document import Status
from policies.catalogue import NAMES
from policies.mutations import figures
from policies.reports.page import page
from policies.settings import bundle

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCS = ROOT / "docs"
SIZES = ("memory", "shm", "quota", "storage", "staging_capacity", "vault_capacity")
BOUNDS = {"gt": "above", "ge": "at least", "le": "at most", "max_length": "length at most"}
HEAD = f"""\
`Pulumi.<stack>.yaml`, below `config: {DATACENTER}:`. Every key is optional, an unknown key is refused.
Generated from `components/planning/config.py`.

Sizes are strings with a binary unit, in whole MiB (`3GiB`); CPUs are numbers with up to two decimals (`0.5`).
The minimum of each is what the services were seen to start with; the maximum is what the engine's machine
has, wherever the engine runs. `make up` and plain `pulumi up` check all of it before they touch a container.

Only YAML that every reader understands in the same way is accepted. Quote dates and everything else that is
text (`"2026-01-31"`, `"1:30"`, `"yes"`), write numbers in plain decimal digits and truth values as `true` and
`false`, and use no aliases: Pulumi writes into this file and would replace them by their values. Anything
else is refused with its line.
"""


def configuration() -> str:
    """Every key of the stack's YAML with its type, default and meaning."""
    rows = "\n".join(_sections(StackConfig, DATACENTER))
    return f"# Configuration\n\n{HEAD}{rows}"


def _sections(model: type[BaseModel], path: str, given: BaseModel | None = None) -> Iterator[str]:
    """`given` holds the defaults here of keys that have no default in their own model."""
    yield f"\n## `{path}`\n\n{inspect.cleandoc(model.__doc__ or '')}\n"
    leaves = {k: f for k, f in model.model_fields.items() if _model(f.annotation) is None}
    if leaves:
        yield "| key | type | default | meaning |\n|---|---|---|---|"
        for key, field in leaves.items():
            kind = _type(key, field)
            default = _default(key, field, getattr(given, key, None))
            yield f"| `{key}` | {kind} | {default} | {_meaning(field)} |"
    for key, field in model.model_fields.items():
        nested = _model(field.annotation)
        if nested is not None:
            origin = get_origin(field.annotation)
            many = "[]" if origin is tuple else ".<name>" if origin is dict else ""
            preset = field.default if isinstance(field.default, BaseModel) else None
            yield from _sections(nested, f"{path}.{key}{many}", preset)


def _model(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _type(key: str, field: FieldInfo) -> str:
    size = key in SIZES
    return ("size" if size else _name(field.annotation)) + "".join(
        f", {word} {size_text(int(bound)) if size else f'{bound:g}'}"
        for name, word in BOUNDS.items()
        for bound in [getattr(c, name, None) for c in field.metadata]
        # The upper bound is the same for every size: it is not worth repeating.
        if bound is not None and not (size and name == "le")
    )


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(str(a) for a in arguments)
    if origin is dict:
        return f"mapping of {_name(arguments[0])} to {_name(arguments[1])}"
    if origin is tuple:
        return f"list of {_name(arguments[0])}"
    if origin in (Union, types.UnionType):
        return " or ".join(_name(a) for a in arguments)
    if hasattr(annotation, "__metadata__"):
        return _name(arguments[0])
    names = {
        "IPv4Network": "IPv4 network",
        "IPv4Address": "IPv4 address",
        "NoneType": "null",
        "bool": "true or false",
        "int": "integer",
        "str": "text",
    }
    return str(names.get(annotation.__name__, annotation.__name__))


def _default(key: str, field: FieldInfo, given: Any = None) -> str:
    if field.is_required() and given is None:
        return "required"
    value = given if field.is_required() else field.default
    if key in SIZES:
        return f"`{size_text(value)}`"
    if value is None or isinstance(value, bool):
        return f"`{json.dumps(value)}`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _row(flow: Flow) -> str:
    cells = (flow.source, flow.destination, flow.ports, flow.protocol, flow.segment, flow.why)
    return f"| {' | '.join(cells)} |"


def flows() -> str:
    """The flow table, who listens where, and the diagram."""
    rows = [_row(flow) for flow in FLOWS]
    outside = [_row(flow) for flow in with_outside_store() if flow not in FLOWS]
    notebook = [_row(flow) for flow in with_notebook(()) if flow not in FLOWS]
    listens = [
        f"| {role} | {', '.join(memberships(role))} | "
        + ", ".join(f"{x.port}" if x.port == x.port_end else f"{x.port}-{x.port_end}" for x in ports)
        + f" | {'; '.join(x.purpose for x in ports)} |"
        for role, ports in LISTENS.items()
    ]
    return "\n".join(
        [
            "# Flows",
            "",
            "Who may talk to whom. Everything else is refused, even within a segment. Generated from",
            "`components/planning/flows.py`, as are the firewall's rules, the networks' members and the",
            "tests.",
            "",
            "```mermaid",
            diagram(),
            "```",
            "",
            "| source | destination | port | protocol | segment | why |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "| role | segments | listens on | for |",
            "|---|---|---|---|",
            *listens,
            "",
            "With an outside object store ([object-store.md](object-store.md)) the rows of `object-store`",
            "and `object-store-setup` are replaced by these, with the port of its endpoint:",
            "",
            "| source | destination | port | protocol | segment | why |",
            "|---|---|---|---|---|---|",
            *outside,
            "",
            "Where a notebook is allowed ([notebook.md](notebook.md)), there are these, too:",
            "",
            "| source | destination | port | protocol | segment | why |",
            "|---|---|---|---|---|---|",
            *notebook,
            "",
        ]
    )


def diagram() -> str:
    """A Mermaid flow chart: one arrow per pair of roles, with its ports."""
    lines = ["flowchart LR"]
    roles = dict.fromkeys(role for flow in FLOWS for role in (flow.source, flow.destination))
    lines += [f"  {r.replace('-', '_')}[{r}]" if r != CLIENTS else f"  {r}(({r}))" for r in roles]
    pairs = dict.fromkeys((flow.source, flow.destination) for flow in FLOWS)
    for source, destination in pairs:
        ports = dict.fromkeys(f.ports for f in FLOWS if (f.source, f.destination) == (source, destination))
        label = ", ".join(ports)
        lines.append(f'  {source.replace("-", "_")} -->|"{label}"| {destination.replace("-", "_")}')
    return "\n".join(lines)


def policies() -> str:
    """The rules, what they cover of CIS, the waivers, and how many mutants they find (a few seconds)."""
    known = sorted(bundle.stacks())
    levels = {stack: bundle.load(stack, NAMES).levels for stack in known}
    return page(bundle.load(known[0], NAMES).waivers, levels, figures())


def schema(document: type[BaseModel]) -> str:
    """The JSON schema of a document that is written for programs."""
    described = {"$schema": DIALECT, **document.model_json_schema(mode="serialization")}
    return json.dumps(described, indent=1, ensure_ascii=False)


def of_benchmark(name: str) -> str:
    """The schema of a document that the benchmark writes."""
    return schemas.text(schemas.schema_of(schemas.DOCUMENTS[name]))


# File below docs/ → its text.
PAGES: Mapping[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "flows.md": flows,
    "policies.md": policies,
    "schemas/accept.json": partial(schema, Acceptance),
    "schemas/alerts.json": partial(schema, Alerts),
    "schemas/audit.json": document.schema_text,
    "schemas/backup-figures.json": partial(schema, BackupFigures),
    "schemas/database-figures.json": partial(schema, DatabaseFigures),
    "schemas/submit-figures.json": partial(schema, SubmitFigures),
    "schemas/drill.json": partial(schema, Drill),
    "schemas/inventory.json": partial(schema, Inventory),
    "schemas/lifecycle.json": partial(schema, Lifecycle),
    "schemas/nodes.json": partial(schema, Nodes),
    "schemas/recovery-figures.json": partial(schema, RecoveryFigures),
    "schemas/status.json": partial(schema, Status),
    "schemas/storage.json": partial(schema, Storage),
    "schemas/usage.json": partial(schema, StackUsage),
    **{f"schemas/{name}.json": partial(of_benchmark, name) for name in schemas.DOCUMENTS},
}


def main() -> None:
    """Write the pages and schemas."""
    for name, text in PAGES.items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text().rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
