"""`aidc access`: write the CA's public certificate and show how to call the stack.

Secrets are never printed: the examples read them from the stack's outputs when they run.
Exit codes: 0 written; 1 the stack is not up, or its state cannot be read.
"""

from __future__ import annotations

from pathlib import Path

from components.planning.inventory import load
from components.planning.paths import ROOT
from operations.errors import OK, OperationError
from operations.process import say
from operations.stack.file import path_of, unknown
from operations.stack.pulumi import Pulumi

# Of the stack's own store.
REGION = "us-east-1"
RCLONE = """\
# S3 with rclone, in the same shell: it fails with AWS_CA_BUNDLE, would create each bucket again, and takes
# uploads for damaged unless it knows that objects are encrypted, whose ETag is not their MD5 sum
unset AWS_CA_BUNDLE
export RCLONE_CONFIG_AIDC_TYPE=s3 RCLONE_CONFIG_AIDC_PROVIDER=Minio RCLONE_CONFIG_AIDC_ENV_AUTH=true
export RCLONE_CONFIG_AIDC_ENDPOINT={url} RCLONE_CONFIG_AIDC_REGION={region} RCLONE_CA_CERT={certificate}
export RCLONE_CONFIG_AIDC_NO_CHECK_BUCKET=true RCLONE_CONFIG_AIDC_SERVER_SIDE_ENCRYPTION=aws:kms
rclone lsf aidc:results"""
# Turns the outputs into input of curl or the shell: no secret is ever an argument of a program.
PICK = "python -c 'import json, sys; d = json.load(sys.stdin); print({})'"
BEARER = """"header = \\"Authorization: Bearer " + d["{}"] + "\\"\""""
PAIR = """"user = \\"{access_key}:{secret_key}\\"".format(**d["s3"])"""
LOGIN = """"user = \\"benchmark:" + d["tracking"]["benchmark"] + "\\"\""""
TRACKING = """\
"export MLFLOW_TRACKING_USERNAME=benchmark MLFLOW_TRACKING_PASSWORD=" + d["tracking"]["benchmark"]"""
ADMIN = """d["tracking"]["admin"]"""
EXPORTS = """"export AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={secret_key}".format(**d["s3"])"""


def main(stack: str, out: Path | None = None) -> int:
    """Write `<out>/ca.pem`, by default in out/<stack>, and print one example for each endpoint."""
    pulumi = Pulumi(stack)
    raw, secret = pulumi.output("inventory"), pulumi.output("access", secret=True)
    if raw is None or secret is None:
        if not path_of(stack).is_file():
            raise OperationError(str(unknown(stack)))
        raise OperationError(f"stack {stack} is not up; fix: `make up STACK={stack}`")
    folder = out or ROOT / "out" / stack
    folder.mkdir(parents=True, exist_ok=True)
    certificate = folder / "ca.pem"
    certificate.write_text(secret["ca_pem"], encoding="utf-8")
    shown = certificate.relative_to(Path.cwd()) if certificate.is_relative_to(Path.cwd()) else certificate
    say(f"CA certificate: {shown}\n")
    region = secret["s3"].get("region", REGION)
    say(examples(stack, load(raw).endpoints, str(shown), region))
    return OK


def examples(stack: str, endpoints: dict[str, str | None], certificate: str, region: str = REGION) -> str:
    """Commands for a shell that was prepared by `eval "$(make -s env)"`."""
    outputs = f"pulumi stack output access --show-secrets --json --stack {stack} |"
    curl = f"curl --silent --show-error --config - --cacert {certificate}"
    parts = []
    if url := endpoints.get("ray"):
        lines = PICK.format(BEARER.format("ray_token"))
        parts.append(f"# Ray: jobs and dashboard\n{outputs}\n  {lines} |\n  {curl} {url}/api/version")
    if url := endpoints.get("s3"):
        parts.append(
            f"# S3: list the bucket `results`\n{outputs}\n  {PICK.format(PAIR)} |\n"
            f'  {curl} --aws-sigv4 aws:amz:{region}:s3 "{url}/results?list-type=2"'
        )
        parts.append(
            "# S3 with awscli, boto3, s3fs: they read these variables\n"
            f'eval "$({outputs} {PICK.format(EXPORTS)})"\n'
            f"export AWS_ENDPOINT_URL_S3={url} AWS_CA_BUNDLE={certificate}\n"
            f"export AWS_DEFAULT_REGION={region}\n"
            "aws s3 ls s3://results/"
        )
        parts.append(RCLONE.format(url=url, certificate=certificate, region=region))
    if url := endpoints.get("tracking"):
        parts.append(
            f"# Tracking: the experiments that `benchmark` sees\n{outputs}\n  {PICK.format(LOGIN)} |\n"
            f'  {curl} "{url}/api/2.0/mlflow/experiments/search?max_results=10"'
        )
        parts.append(
            "# Tracking with MLflow's own client: it reads these variables\n"
            f'eval "$({outputs} {PICK.format(TRACKING)})"\n'
            f"export MLFLOW_TRACKING_URI={url} MLFLOW_TRACKING_SERVER_CERT_PATH={certificate}"
        )
        parts.append(
            f"# Tracking in a browser: {url}, user admin, with this password (it is shown in plain)\n"
            f"{outputs}\n  {PICK.format(ADMIN)}"
        )
    if url := endpoints.get("inference"):
        lines = PICK.format(BEARER.format("inference_token"))
        parts.append(
            "# Inference: answers once a model is served (`make bench` serves some)\n"
            f"{outputs}\n  {lines} |\n  {curl} {url}/v1/models"
        )
    return "\n\n".join(parts)
