"""Runs a user's own script on the compute nodes: one process, or one for each DDP rank."""
