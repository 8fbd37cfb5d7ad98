"""What can go wrong, as the user sees it: which file or object, which field, what to do.

BenchmarkError
├── ConfigError      a workload file has errors (all of them, one per line)
│   └── ComparisonError  two results must not be compared (all reasons, one per line)
├── DocumentError    a record lacks a field of its schema, or has one of another type
├── DataError        a shard is missing, corrupt or not what the frozen manifest says
├── StoreError       the object store cannot be reached, or an object is missing
│   └── MissingError     the store answers, but has no such object, or it is not JSON
├── CheckpointError  a checkpoint or model does not match its hash or its model
├── TrainingError    the loss is not finite, the world size does not fit
├── DeviceError      a GPU was asked for and there is none
└── StackError       the stack, a Ray job or the serving application did not do its part
    ├── UnknownJobError  Ray does not know the job (any more)
    └── MlflowError      the tracking server cannot be reached, or refuses
"""

from __future__ import annotations


class BenchmarkError(Exception):
    """Base of all errors that are reported without a traceback."""


class ConfigError(BenchmarkError):
    """`problems`: one `file: field: message` per line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class ComparisonError(ConfigError):
    """`problems`: one `field: what each result says` per line."""


class DocumentError(BenchmarkError):
    """`problems`: one `field: message` for each field that does not fit."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class DataError(BenchmarkError):
    pass


class StoreError(BenchmarkError):
    pass


class MissingError(StoreError):
    """The store answers: asking it again would not help."""


class CheckpointError(BenchmarkError):
    pass


class TrainingError(BenchmarkError):
    pass


class DeviceError(BenchmarkError):
    pass


class StackError(BenchmarkError):
    pass


class UnknownJobError(StackError):
    pass


class MlflowError(StackError):
    """`code`: MLflow's own word for a refusal, as RESOURCE_DOES_NOT_EXIST; empty where it gave none."""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)
