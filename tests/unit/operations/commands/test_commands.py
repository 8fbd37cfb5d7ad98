"""The command line: exit codes, words instead of tracebacks, and what a command may print."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import DockerException

from operations import __main__ as commands
from operations.commands import access, doctor, lifecycle
from operations.engine import client
from operations.errors import InterruptionError, OperationError, RefusedError
from operations.preflight import requirements
from operations.preflight.checks import Check
from operations.stack import pulumi
from operations.stack.file import StackFile


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperationError("no"), 1),
        (RefusedError("no"), 2),
        (InterruptionError("no"), 130),
        (KeyboardInterrupt(), 130),
        (DockerException("no"), 1),
    ],
)
def test_every_end_has_its_exit_code_and_no_traceback(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: object) -> int:
        raise error

    monkeypatch.setattr(commands, "run", fail)
    assert commands.main([]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_the_policy_command_reads_its_own_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def main(arguments: Any) -> int:
        seen.append(arguments)
        return 0

    module = SimpleNamespace(main=main)
    monkeypatch.setattr(importlib, "import_module", lambda _name: module)
    assert commands.run(["policy", "--rules"]) == 0
    assert seen == [["--rules"]]


@pytest.mark.parametrize(
    ("host", "said"),
    [("unix:///nonexistent", "No such file or directory"), ("tcp://127.0.0.1:1", "Connection refused")],
)
def test_an_engine_that_does_not_answer_is_told_in_one_line(
    host: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(client.EngineError, match=said) as caught:
        client.connect()
    assert len(str(caught.value).splitlines()) == 2


def test_a_context_that_only_the_docker_command_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    with pytest.raises(client.EngineError, match="DOCKER_CONTEXT='far'"):
        client.connect()


def test_a_lost_passphrase_is_explained() -> None:
    text = pulumi.explain("stack export", "error: getting secrets manager: incorrect passphrase\n")
    assert "fix:" in text
    assert "restore" in text


def test_a_missing_pulumi_is_explained(tmp_path: Path) -> None:
    with pytest.raises(pulumi.PulumiError, match="make setup"):
        pulumi.Pulumi("dev", tmp_path, {"PATH": str(tmp_path)}).call("version")


def report(*checks: Check) -> requirements.Report:
    return requirements.Report(StackFile("dev", Path("Pulumi.dev.yaml")), checks, None, None)


def test_the_doctors_json_is_flat() -> None:
    document = doctor.flat(report(Check("configuration"), Check("disk", skipped=True)))
    assert document["ok"] is True
    assert document["disk"] == "not checked"
    assert document["failures"] == []


ENDPOINTS: dict[str, str | None] = {
    "ray": "https://r",
    "s3": "https://s",
    "tracking": "https://t",
    "inference": "https://i",
}


def test_examples_hold_no_secret_and_name_the_certificate() -> None:
    text = access.examples("dev", {**ENDPOINTS, "inference": None, "tracking": None}, "out/ca.pem")
    assert "--show-secrets" in text
    assert text.count("--cacert out/ca.pem") == 2
    assert text.count("=out/ca.pem") == 2


def test_the_examples_pass_secrets_to_the_tools_and_never_as_arguments(tmp_path: Path) -> None:
    """The printed text, run by a shell whose tools write down what they are given."""
    outputs = {
        "s3": {"access_key": "THE-ID", "secret_key": "THE-KEY"},
        "ray_token": "THE-RAY",
        "inference_token": "THE-INFERENCE",
        "tracking": {"admin": "THE-ADMIN", "benchmark": "THE-BENCHMARK"},
    }
    (tmp_path / "outputs").write_text(json.dumps(outputs))
    keys = "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY ${AWS_CA_BUNDLE-none}"
    tools = {
        "pulumi": "cat outputs",
        "curl": "cat >>given; echo >>given",
        "aws": f'echo "aws {keys}" >>given',
        "rclone": f'echo "rclone {keys}" >>given',
        "python": f'exec {sys.executable} "$@"',
    }
    for name, lines in tools.items():
        (tmp_path / name).write_text(f'#!/bin/bash\necho "$*" >>arguments\n{lines}\n')
        (tmp_path / name).chmod(0o755)
    text = access.examples("dev", ENDPOINTS, "ca.pem")
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", text], cwd=tmp_path, env=variables, check=True)
    assert "THE-" not in (tmp_path / "arguments").read_text()
    assert (tmp_path / "given").read_text().splitlines() == [
        'header = "Authorization: Bearer THE-RAY"',
        "",
        'user = "THE-ID:THE-KEY"',
        "",
        "aws THE-ID THE-KEY ca.pem",
        "rclone THE-ID THE-KEY none",
        'user = "benchmark:THE-BENCHMARK"',
        "",
        'header = "Authorization: Bearer THE-INFERENCE"',
        "",
    ]


def test_the_variables_hold_no_secret_until_a_shell_evaluates_them(tmp_path: Path) -> None:
    outputs = {
        "s3": {"access_key": "THE-ID", "secret_key": "THE-KEY"},
        "ray_token": "THE-RAY",
        "inference_token": "THE-TOKEN",
        "tracking": {"jobs": "THE-JOBS"},
    }
    (tmp_path / "outputs").write_text(json.dumps(outputs))
    for name, line in {"pulumi": "cat outputs", "python": f'exec {sys.executable} "$@"'}.items():
        (tmp_path / name).write_text(f'#!/bin/bash\necho "$*" >>arguments\n{line}\n')
        (tmp_path / name).chmod(0o755)
    text = access.variables("dev", ENDPOINTS, "/a b/ca.pem", "/a b/bundle.pem")
    assert "THE-" not in text
    shown = "env | grep -E '^(AIDC|RAY|AWS|MLFLOW|SSL)_' | sort"
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-euc", f"{text}\n{shown}"],
        cwd=tmp_path,
        env=variables,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "THE-" not in (tmp_path / "arguments").read_text()
    assert done.stdout.splitlines() == [
        "AIDC_INFERENCE_TOKEN=THE-TOKEN",
        "AIDC_INFERENCE_URL=https://i",
        "AWS_ACCESS_KEY_ID=THE-ID",
        "AWS_CA_BUNDLE=/a b/ca.pem",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_ENDPOINT_URL_S3=https://s",
        "AWS_SECRET_ACCESS_KEY=THE-KEY",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false",
        "MLFLOW_TRACKING_PASSWORD=THE-JOBS",
        "MLFLOW_TRACKING_SERVER_CERT_PATH=/a b/ca.pem",
        "MLFLOW_TRACKING_URI=https://t",
        "MLFLOW_TRACKING_USERNAME=jobs",
        "RAY_API_SERVER_ADDRESS=https://r",
        "RAY_AUTH_MODE=token",
        "RAY_AUTH_TOKEN=THE-RAY",
        "SSL_CERT_FILE=/a b/bundle.pem",
    ]


def test_a_lifecycle_copy_has_other_ports_and_subnets_and_no_seed() -> None:
    raw = {"network": {"cidr": "10.77.0.0/20"}, "load_balancer": {"ports": {"ray": 60000}}, "backup": {}}
    config = lifecycle.moved(raw, [])["config"]
    assert list(config) == ["aidc:datacenter"]
    changed = config["aidc:datacenter"]
    assert changed["network"] == {"cidr": "10.64.0.0/20"}
    assert changed["load_balancer"]["ports"] == {
        "inference": 28443,
        "s3": 29443,
        "ray": 15488,
        "tracking": 25443,
        "monitoring": 27443,
        "logs": 26443,
        "home": 28080,
        "notebook": 28888,
    }


def test_the_ratio_comes_from_the_benchmarks_result(tmp_path: Path) -> None:
    def run(seed: int, throughput: float) -> dict[str, object]:
        same = {"workload": lifecycle.WORKLOAD, "world_size": 2, "device": "cpu"}
        return {**same, "seed": seed, "throughput": {"value": throughput}}

    result = tmp_path / "result.json"
    assert lifecycle.ratio(result, "no file").verdict == "not measured"
    result.write_text(
        json.dumps({"training": [run(1, 90.0), run(2, 160.0)], "bare": [run(1, 100.0), run(2, 90.0)]})
    )
    figure = lifecycle.ratio(result, "")
    assert figure.value == 1.265  # the square root of 0.9 · 1.777…
    assert figure.verdict == "inconclusive"  # two pairs show nothing


def test_a_missed_target_is_no_pass() -> None:
    assert lifecycle.Figure("up", 61.0, 60.0).verdict == "missed"
    assert lifecycle.Figure("up", 59.0, 60.0).verdict == "passed"
    assert lifecycle.Figure("up", None, 60.0, reason="why").verdict == "not measured"
    assert lifecycle.Figure("cost", 0.94, 0.95, "ratio").verdict == "missed"
    assert lifecycle.Figure("cost", 1.01, 0.95, "ratio").verdict == "passed"
