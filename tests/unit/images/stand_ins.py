"""What stands in for libraries that are in the images alone."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest


def mlflow(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """Of MLflow no more than the name of what it raises, which is `error`."""
    exceptions = ModuleType("mlflow.exceptions")
    vars(exceptions)["MlflowException"] = error
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", exceptions)
