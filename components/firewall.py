"""Firewall: the flow table as an nftables rule set, kept loaded in the host's network namespace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.planning import receivers
from components.planning.flows import ALERT_RECEIVER, CLIENTS, NEEDLESS, OUTSIDE_STORE, Flow
from components.planning.plan import Plan
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import File, FileVolume, FileVolumeArgs
from components.runtime.rendering import render
from components.runtime.volume import READINGS, readings


@dataclass(frozen=True)
class Rule:
    """What one rule is about. Without `sources`: only traffic that came through a published port."""

    name: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    protocol: str
    ports: str
    comment: str


def table_name(stack: str) -> str:
    """The stack's own table, so that other stacks' rules stay untouched."""
    return f"aidc_{stack}"


def rules(plan: Plan, flows: Sequence[Flow]) -> tuple[Rule, ...]:
    """One rule for each of `flows`, on the addresses that both ends have in the flow's segment."""
    outside, alerts = plan.config.object_store.external, plan.config.monitoring.alerts

    def addresses(role: str, flow: Flow) -> tuple[str, ...]:
        if role == OUTSIDE_STORE and outside is not None:
            return tuple(str(address) for address in outside.addresses)
        if role == ALERT_RECEIVER:
            there = (p for p in receivers.places(alerts) if p.port == flow.port)
            return tuple(dict.fromkeys(str(address) for place in there for address in place.addresses))
        return tuple(s.addresses[flow.segment] for s in plan.by_role(role))

    return tuple(
        Rule(
            name=flow.name,
            sources=() if flow.source == CLIENTS else addresses(flow.source, flow),
            destinations=addresses(flow.destination, flow),
            protocol=flow.protocol,
            ports=flow.ports,
            comment=f"{flow.source} to {flow.destination}: {flow.why}",
        )
        for flow in flows
    )


def places(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Role, spelt as in a counter's name → all its addresses: what is refused is counted by both ends."""
    roles = dict.fromkeys(service.role for service in plan.services if service.addresses)
    return {
        role.replace("-", "_"): tuple(a for service in plan.by_role(role) for a in service.addresses.values())
        for role in roles
    }


def ruleset(plan: Plan) -> str:
    """The nftables file of a stack."""
    bridges = [segment.bridge for segment in plan.segments]
    return render(
        "nftables.conf.j2",
        stack=plan.stack,
        table=table_name(plan.stack),
        bridges=bridges,
        rules=rules(plan, plan.flows),
        needless=rules(plan, NEEDLESS),
        places=places(plan),
    )


class Firewall(pulumi.ComponentResource):
    """The container that loads the rule set, and reloads it when it is removed."""

    container: docker.Container
    readings: pulumi.Output[str]

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aidc:firewall:Firewall", name, None, opts)
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="firewall",
                owner="0",
                files=[File(path="nftables.conf", content=ruleset(context.plan))],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        left = readings(context.plan.stack, name, parent=self)
        self.readings = left.name
        process = Process(
            image=context.images["firewall"],
            command=["firewall"],
            # nft needs root and NET_ADMIN in the host's network namespace: the stack's one waived exception.
            user="0",
            capabilities=["CAP_NET_ADMIN"],
            host_network=True,
            memory=64 * MIB,
            cpus=0.5,
            environment={
                "AIDC_TABLE": table_name(context.plan.stack),
                "AIDC_BRIDGES": " ".join(segment.bridge for segment in context.plan.segments),
            },
            files=files,
            volumes={READINGS: left.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=1m"},
            health=Health(command=("firewall", "check"), interval=2, start_period=10),
            processes=4096,
            grace=5,
        )
        self.container = run(context, context.plan.service("firewall"), process, parent=self)
        self.register_outputs({"container": self.container.name})
