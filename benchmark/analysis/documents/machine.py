"""Where something was measured: the machine, and the source tree."""

from __future__ import annotations

from benchmark.core.document import Part


class Machine(Part):
    """One machine as a process on it sees it. `cpu_quota`: CPUs; null without a limit."""

    host: str
    cpu_model: str
    cpus_visible: int
    cpu_quota: float | None
    threads: int
    memory_limit_bytes: int | None
    gpu: str | None
    isa: str
    python: str
    torch: str
    kernel: str


class Source(Part):
    """The source tree: its commit, and a hash of its content; null outside a repository."""

    git_commit: str | None
    git_dirty: bool | None
    source_sha256: str | None = None
