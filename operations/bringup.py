"""Bring a stack to what its file declares and verify its health: `up`, and the last part of `rotate`."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from docker.errors import DockerException, NotFound

from audit.storage import buckets
from audit.storage.buckets import Difference
from audit.storage.check import INSIDE
from benchmark.core.words import cell
from components.backup import BACKUP_USER
from components.load_balancer import endpoints
from components.planning.plan import Plan, make_plan
from components.planning.tracking import BENCHMARK, authorization
from components.runtime.health import failed_before, wait
from operations.engine.client import Engine
from operations.engine.endpoints import wait as wait_for
from operations.errors import InterruptionError, OperationError, RefusedError, refusal
from operations.images import building
from operations.preflight import policies, requirements
from operations.process import Interrupts, say
from operations.rotation import steps
from operations.rotation.subject import Session
from operations.stack import recovery
from operations.stack.file import ISSUED, SEED, StackFile, layout_kept, read
from operations.stack.pulumi import Pulumi
from policies.settings.documents import SettingsError
from policies.sources.stacks import SourceError

# Seconds.
HEALTHY_WITHIN, ANSWER_WITHIN = 300, 60
STORE_SETUP = "object-store-setup"
COMMAND = ("up", "--yes", "--skip-preview", "--refresh", "--suppress-outputs", "--policy-pack", "policies")


def bring_up(stack: str, derived: Mapping[str, Session] | None = None) -> None:
    """Bring `stack` up and finish a rotation that is under way. Raises OperationError.

    `derived` are the sessions that `rotate` made with the old keys; verifying the rotation tries them.
    """
    started, began = time.monotonic(), datetime.now(UTC)
    building.refresh()
    report = requirements.examine(read(stack))
    if report.issues or report.engine is None or report.config is None:
        raise refusal(report.issues, f"nothing was created in stack {stack}")
    for warning in report.warnings:
        say(f"warning: {warning}")
    plan = make_plan(stack, report.config)
    check_policies(stack)
    pulumi = Pulumi(stack)
    with Interrupts() as interrupts:
        prepare(pulumi, report.file)
        exported = recovery.remove_half_made(pulumi, report.engine, interrupts)
        recovery.repair_attachments(stack, exported, report.engine)
        recovery.remove_unfilled(stack, report.engine, pulumi.seed())
        apply(pulumi, interrupts)
    verify(report.engine, plan, began)
    verify_endpoints(pulumi, plan)
    file = read(stack)
    if file.rotating:
        steps.finish(pulumi, report.engine, plan, file, derived or {})
    hand_over(pulumi, report.engine, plan, file.path)
    summary(plan, time.monotonic() - started)


def check_policies(stack: str) -> None:
    """Check every policy on the plan before anything is created; the pack checks each resource again."""
    try:
        text, passed = policies.check_plan(stack)
    except (SettingsError, SourceError) as error:
        raise RefusedError(str(error)) from None
    say(text)
    if not passed:
        raise OperationError(f"nothing was created in stack {stack}")


def prepare(pulumi: Pulumi, file: StackFile) -> None:
    """Make sure that stack, seed and date of issue exist, and that no dead run holds the lock."""
    recovery.release_locks(pulumi)
    with layout_kept(file.path):
        pulumi.select()
        if not file.has(SEED):
            say(f"new seed for {pulumi.stack}; all passwords and keys derive from it ({file.path.name})")
            pulumi.set(SEED, secrets.token_hex(32), secret=True)
        if not file.has(ISSUED):
            pulumi.set(ISSUED, datetime.now(UTC).date().isoformat())


def apply(pulumi: Pulumi, interrupts: Interrupts) -> None:
    """Run `pulumi up` with refresh and the policy pack. No preview: the plan has been checked already."""
    code = pulumi.run_with_progress(*COMMAND, interrupts=interrupts)
    if interrupts.any():
        raise InterruptionError("interrupted; nothing is lost: run `make up` again to continue")
    if code < 0:
        raise OperationError(f"Pulumi was killed by signal {-code}; run `make up` again to continue")
    if code:
        raise OperationError("the stack is not up; fix the cause and run `make up` again to continue")


def verify(engine: Engine, plan: Plan, began: datetime) -> None:
    """Check that every planned container is healthy, including those that this run did not touch.

    A job that had failed before this run `began` is started again first, and the one that sets the object
    store up where that is not as declared.
    """
    names = [service.container for service in plan.services]

    def inspect(name: str) -> Mapping[str, object]:
        try:
            return engine.inspect(name)
        except NotFound:
            raise OperationError(f"{name}: does not exist; fix: run `make up` again") from None

    for name in names:
        if failed_before(inspect(name), began):
            say(f"{name} had failed; running it again")
            engine.restart(name)
    if found := drift(engine, plan):
        say(f"the object store is not as declared: {'; '.join(map(str, found))}; setting it up again")
        engine.restart(plan.service(STORE_SETUP).container)
    problems = wait(names, HEALTHY_WITHIN, inspect, tell=lambda text: say(f"  … waiting for {cell(text)}"))
    if problems:
        lines = [f"  {name}: {cell(fault)}; look at: docker logs {name}" for name, fault in problems.items()]
        raise OperationError("\n".join([f"{len(problems)} of {len(names)} services are not healthy", *lines]))


def drift(engine: Engine, plan: Plan) -> list[Difference]:
    """What somebody has changed in the object store by hand: nothing that Pulumi knows of is another then.

    Empty where the store is outside, or does not tell.
    """
    nodes = plan.by_role("object-store")
    if not nodes:
        return []
    shown = engine.output(nodes[0].container, ["buckets", "show", INSIDE])
    policies_shown = engine.output(nodes[0].container, ["identities", "policies", INSIDE])
    try:
        found = buckets.differences(plan.buckets, buckets.read(shown)) if shown is not None else []
        return found + (buckets.wrong_policies(plan.buckets, policies_shown) if policies_shown else [])
    except ValueError:
        return []


def verify_endpoints(pulumi: Pulumi, plan: Plan) -> None:
    """Check that the published ports lead to servers, with a certificate of the stack's authority."""
    access = pulumi.output("access", secret=True)
    if access is None:
        raise OperationError(f"stack {pulumi.stack} has no output `access`; fix: run `make up` again")
    logins = {"tracking": authorization(BENCHMARK, access["tracking"][BENCHMARK])}
    faults = wait_for(endpoints(plan), access["ca_pem"], ANSWER_WITHIN, logins)
    if faults:
        look = f"look at: docker logs --tail 50 aidc-{plan.stack}-load-balancer"
        lines = [f"  {name}: {fault}; {look}" for name, fault in faults.items()]
        raise OperationError("\n".join(["all services are healthy, but not all endpoints answer", *lines]))


def hand_over(pulumi: Pulumi, engine: Engine, plan: Plan, file: Path) -> None:
    """Give the stack's file and the state to the backup, as they lie: their secrets stay encrypted."""
    state = json.dumps(pulumi.export(), indent=1).encode()
    contents = {"stack.yaml": file.read_bytes(), "state.json": state}
    try:
        engine.put(plan.service("backup").container, "/staging", "configuration", contents, int(BACKUP_USER))
    except DockerException as error:
        say(f"warning: the backup did not get the configuration: {error}")


def summary(plan: Plan, seconds: float) -> None:
    stack = plan.stack
    say(f"\n{stack} is up: {len(plan.services)} of {len(plan.services)} services healthy, {seconds:.1f} s")
    for name, url in endpoints(plan).items():
        if url:
            say(f"  {name:<10} {url}")
    say(f"next: make status STACK={stack} | make bench STACK={stack} | how to call it: "
        f"python -m operations access --stack {stack}")  # fmt: skip
