"""The stack as a workstation reaches it: its inventory, Ray's API, jobs, replicas, faults in containers."""
