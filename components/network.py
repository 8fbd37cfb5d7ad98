"""Fabric: one Docker network for each segment."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.planning.plan import Plan
from components.runtime.labels import labels


class Fabric(pulumi.ComponentResource):
    """The stack's networks. `networks` maps a segment's name to its network."""

    networks: dict[str, docker.Network]

    def __init__(self, name: str, plan: Plan, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aidc:network:Fabric", name, None, opts)
        used = {segment for service in plan.services for segment in service.addresses}
        self.networks = {
            segment.name: docker.Network(
                f"{name}-{segment.name}",
                name=segment.network,
                driver="bridge",
                internal=segment.internal,
                ipv6=False,
                ipam_configs=[
                    docker.NetworkIpamConfigArgs(subnet=str(segment.subnet), gateway=segment.gateway)
                ],
                # With a fixed interface name the firewall's rules can be written before the network exists.
                options={"com.docker.network.bridge.name": segment.bridge},
                labels=[
                    docker.NetworkLabelArgs(label=label, value=value)
                    for label, value in labels(plan.stack, role=segment.name).items()
                ],
                opts=pulumi.ResourceOptions(parent=self),
            )
            for segment in plan.segments
            # A segment without members would waste an address range and a bridge.
            if segment.name in used
        }
        self.register_outputs({"networks": {k: n.name for k, n in self.networks.items()}})
