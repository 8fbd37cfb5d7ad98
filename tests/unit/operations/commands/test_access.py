"""The variables for a shell: addresses, files, and where the secrets come from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from components.planning.paths import ROOT
from operations.commands.access import variables

ENDPOINTS: dict[str, str | None] = {"ray": "https://127.0.0.1:1", "s3": None}


def test_the_secrets_are_fetched_from_wherever_the_shell_is(tmp_path: Path) -> None:
    """`pulumi` here says with what it was asked."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "pulumi").write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\n')
    (tools / "python").write_text("#!/bin/sh\ncat\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    lines = variables("a", ENDPOINTS, "/ca.pem", "/bundle.pem")
    subprocess.run(
        ["bash", "-c", lines],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        check=True,
    )
    assert f"--cwd {ROOT} --stack a" in (tmp_path / "asked").read_text()


def test_an_address_that_the_stack_does_not_have_is_left_out() -> None:
    lines = variables("a", ENDPOINTS, "/ca.pem", "/bundle.pem")
    assert "RAY_API_SERVER_ADDRESS" in lines
    assert "AWS_ENDPOINT_URL_S3" not in lines
