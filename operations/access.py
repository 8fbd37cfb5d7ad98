"""`python -m operations access`: write the CA's certificate, which is public, and say how to call the stack.

Secrets are never printed: the examples read them from the stack's outputs when they run.
Exit codes: 0 written; 1 the stack is not there, or its state cannot be read.
"""

from __future__ import annotations

from pathlib import Path

from components.inventory import load
from operations.errors import OK, OperationError
from operations.process import say
from operations.pulumi_cli import Pulumi
from operations.stack_file import ROOT


def main(stack: str, out: Path | None = None) -> int:
    """Write `<out>/ca.pem`, by default in out/<stack>, and print one example for each endpoint."""
    pulumi = Pulumi(stack)
    raw, secret = pulumi.output("inventory"), pulumi.output("access", secret=True)
    if raw is None or secret is None:
        raise OperationError(f"{stack} is not up; fix: `make up STACK={stack}`")
    folder = out or ROOT / "out" / stack
    folder.mkdir(parents=True, exist_ok=True)
    certificate = folder / "ca.pem"
    certificate.write_text(secret["ca_pem"], encoding="utf-8")
    shown = certificate.relative_to(Path.cwd()) if certificate.is_relative_to(Path.cwd()) else certificate
    say(f"CA certificate: {shown}\n")
    say(examples(stack, load(raw).endpoints, str(shown)))
    return OK


def examples(stack: str, endpoints: dict[str, str | None], certificate: str) -> str:
    """Commands for a shell that `eval "$(make -s env)"` has prepared."""
    value = (
        f"pulumi stack output access --show-secrets --json --stack {stack} | "
        "python -c 'import json, sys; d = json.load(sys.stdin); print({})'"
    )
    parts = []
    if url := endpoints.get("ray"):
        token = value.format('d["ray_token"]')
        parts.append(
            f"# Ray: jobs and dashboard\nTOKEN=$({token})\n"
            f'curl --cacert {certificate} -H "Authorization: Bearer $TOKEN" {url}/api/version'
        )
    if url := endpoints.get("s3"):
        keys = value.format('"{access_key}:{secret_key}".format(**d["s3"])')
        parts.append(
            f"# S3: list the bucket `results`\nKEYS=$({keys})\n"
            f'curl --cacert {certificate} --user "$KEYS" --aws-sigv4 aws:amz:us-east-1:s3 '
            f'"{url}/results?list-type=2"'
        )
    if url := endpoints.get("inference"):
        token = value.format('d["inference_token"]')
        parts.append(
            "# Inference: answers once a model is served (make bench serves some)\n"
            f"TOKEN=$({token})\n"
            f'curl --cacert {certificate} -H "Authorization: Bearer $TOKEN" {url}/v1/models'
        )
    return "\n\n".join(parts)
