"""The stack as seen from a workstation: its inventory, Ray's API, jobs, replicas, injected faults."""
