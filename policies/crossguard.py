"""The rules as policies of the Pulumi engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from policies.evaluate import evaluate, faults, waiver_for
from policies.model import KINDS, REGISTERED, Resource, Stack, assembled
from policies.reports.report import WAIVERS_DESCRIPTION, WAIVERS_RULE
from policies.rule import Fault, ResourceRule, Rule
from policies.settings.bundle import Settings
from policies.settings.levels import level_of

CIS = "CIS Docker Benchmark"


def today() -> date:
    return datetime.now(UTC).date()


def policies(rules: tuple[Rule, ...], settings: Settings, stack: str) -> list[Policy]:
    """One policy per rule, and one for the waivers; without rules on what Pulumi never registers."""
    mine = tuple(r for r in rules if not isinstance(r, ResourceRule) or REGISTERED.intersection(r.on))
    return [*(_policy(rule, settings) for rule in mine), _waiver_policy(mine, settings, stack)]


def _resource(type_: str, name: str, props: Mapping[str, Any], urn: str) -> Resource:
    """A resource of the engine, under its logical name where its Docker name is unknown."""
    try:
        docker_name = props.get("name")
    except UnknownValueError:
        docker_name = None
    return Resource(KINDS.get(type_, "other"), str(docker_name or name), props, urn, type=type_)


def _policy(rule: Rule, settings: Settings) -> Policy:
    # Without an explicit level a Python policy is only advisory.
    level = EnforcementLevel(level_of(rule, settings.levels))
    severity = Severity(rule.severity)
    cis = PolicyComplianceFramework(CIS, "1.6.0", ", ".join(rule.cis)) if rule.cis else None

    def report(fault: Fault, violation: ReportViolation) -> None:
        if waiver_for(settings.waivers, rule.name, fault, today()) is None:
            violation(rule.message(fault.resource, fault.text), fault.urn or None)

    if isinstance(rule, ResourceRule):
        on = rule.on

        def validate(args: ResourceValidationArgs, violation: ReportViolation) -> None:
            if KINDS.get(args.resource_type, "other") not in on:
                args.not_applicable()
            resource = _resource(args.resource_type, args.name, args.props, args.urn)
            for fault, clean in faults(rule, Stack((resource,))):
                if not clean:
                    report(fault, violation)

        return ResourceValidationPolicy(
            rule.name,
            rule.description,
            validate,
            level,
            severity=severity,
            framework=cis,
            tags=list(rule.also),
            remediation_steps=rule.remediation,
        )

    def validate_stack(args: StackValidationArgs, violation: ReportViolation) -> None:
        for fault, clean in faults(rule, _stack(args)):
            if not clean:
                report(fault, violation)

    return StackValidationPolicy(
        rule.name,
        rule.description,
        validate_stack,
        level,
        severity=severity,
        framework=cis,
        tags=list(rule.also),
        remediation_steps=rule.remediation,
    )


def _stack(args: StackValidationArgs, name: str = "") -> Stack:
    found = tuple(_resource(r.resource_type, r.name, r.props, r.urn) for r in args.resources)
    return assembled(found, name)


def _waiver_policy(rules: tuple[Rule, ...], settings: Settings, name: str) -> Policy:
    def validate(args: StackValidationArgs, violation: ReportViolation) -> None:
        stack = _stack(args, name)
        for rule in rules:
            concerned = [waiver for waiver in settings.waivers if waiver.rule == rule.name]
            try:
                report = evaluate(stack, [rule] if concerned else [], concerned, settings.levels, today())
            except UnknownValueError:
                # Outputs of resources that do not exist yet: the update checks again, once they are known.
                continue
            for issue in report.waiver_issues:
                violation(issue.sentence, None)

    return StackValidationPolicy(
        WAIVERS_RULE,
        WAIVERS_DESCRIPTION,
        validate,
        EnforcementLevel.MANDATORY,
        severity=Severity.MEDIUM,
    )
