"""What a workstation does with the stack alone needs no PyTorch."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["cluster.ray_api", "cluster.stack", "serving.settings", "training.spec"])
def test_a_client_of_the_stack_loads_no_pytorch(module: str) -> None:
    program = f"import sys, benchmark.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
