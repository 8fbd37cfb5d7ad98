"""`aidc access`: write the CA's public certificate and show how to call the stack.

`--exports` prints the variables instead that the usual clients read (`ray job`, awscli, boto3, MLflow), for a
shell: `eval "$(make -s env ACCESS=1)"`.

Secrets are never printed: examples and variables read them from the stack's outputs when they run.
Exit codes: 0 written; 1 the stack is not up, or its state cannot be read.
"""

from __future__ import annotations

import shlex
import ssl
from pathlib import Path

from components.planning.inventory import load
from components.planning.paths import ROOT
from components.planning.tracking import JOBS
from components.runtime import regular
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
SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
# Turns the outputs into input of curl or the shell: no secret is ever an argument of a program.
PICK = "python -c 'import json, sys; d = json.load(sys.stdin); print({})'"
BEARER = """"header = \\"Authorization: Bearer " + d["{}"] + "\\"\""""
PAIR = """"user = \\"{access_key}:{secret_key}\\"".format(**d["s3"])"""
LOGIN = """"user = \\"benchmark:" + d["tracking"]["benchmark"] + "\\"\""""
TRACKING = """\
"export MLFLOW_TRACKING_USERNAME=benchmark MLFLOW_TRACKING_PASSWORD=" + d["tracking"]["benchmark"]"""
# Endpoint → what it shows; who may look, and where the password is.
PAGES = {
    "tracking": "Tracking",
    "home": "The front door",
    "monitoring": "Metrics and alerts",
    "logs": "Logs",
    "notebook": "The notebook",
}
LOGINS = {
    "tracking": ("admin", 'd["tracking"]["admin"]'),
    "home": ("viewer", 'd["monitoring"]["viewer"]'),
    "monitoring": ("viewer", 'd["monitoring"]["viewer"]'),
    "logs": ("reader", 'd["logs"]["reader"]'),
    "notebook": ("notebook", 'd["notebook"]["notebook"]'),
}
EVERYTHING = """\
"\\n".join(["export RAY_AUTH_TOKEN=" + d["ray_token"], \
"export AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={secret_key}".format(**d["s3"]), \
"export MLFLOW_TRACKING_PASSWORD=" + d["tracking"]["jobs"], \
"export AIDC_INFERENCE_TOKEN=" + d["inference_token"]])"""
EXPORTS = """"export AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={secret_key}".format(**d["s3"])"""


def main(stack: str, out: Path | None = None, exports: bool = False) -> int:
    """Write `<out>/ca.pem`, by default in out/<stack>, and print examples for the endpoints, or variables."""
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
    region = secret["s3"].get("region", REGION)
    if exports:
        # For clients of Ray that know no other: what they trusted before, and the stack.
        bundle = folder / "ca-bundle.pem"
        bundle.write_text(f"{_trusted()}\n{secret['ca_pem']}", encoding="utf-8")
        files = str(certificate.resolve()), str(bundle.resolve())
        say(variables(stack, load(raw).endpoints, *files, region))
        return OK
    shown = certificate.relative_to(Path.cwd()) if certificate.is_relative_to(Path.cwd()) else certificate
    say(f"CA certificate: {shown}\n")
    say(examples(stack, load(raw).endpoints, str(shown), region))
    return OK


def _trusted() -> str:
    """The certificates that this machine's programs trust; empty where it has none."""
    try:
        return regular.read_text(Path(ssl.get_default_verify_paths().cafile or SYSTEM))
    except (OSError, ValueError):
        return ""


def variables(
    stack: str, endpoints: dict[str, str | None], certificate: str, bundle: str, region: str = REGION
) -> str:
    """Lines for `eval`: the addresses, and a command that fetches the secrets when it is run."""
    found: dict[str, str] = {}
    if url := endpoints.get("ray"):
        found |= {"RAY_API_SERVER_ADDRESS": url, "RAY_AUTH_MODE": "token"}
        found |= {"REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle}
    if url := endpoints.get("s3"):
        found |= {"AWS_ENDPOINT_URL_S3": url, "AWS_DEFAULT_REGION": region, "AWS_CA_BUNDLE": certificate}
    if url := endpoints.get("tracking"):
        found |= {"MLFLOW_TRACKING_URI": url, "MLFLOW_TRACKING_USERNAME": JOBS}
        found |= {"MLFLOW_TRACKING_SERVER_CERT_PATH": certificate}
        # What the load balancer refuses, and MLflow's client would try of itself.
        parts = ("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD")
        found |= dict.fromkeys(parts, "false")
    if url := endpoints.get("inference"):
        found["AIDC_INFERENCE_URL"] = url
    lines = [f"export {name}={shlex.quote(value)}" for name, value in found.items()]
    # The shell may be anywhere: all other paths among these are absolute.
    place = f"--cwd {shlex.quote(str(ROOT))} --stack {shlex.quote(stack)}"
    outputs = f"pulumi stack output access --show-secrets --json {place}"
    return "\n".join([*lines, f'eval "$({outputs} | {PICK.format(EVERYTHING)})"'])


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
    for name, what in PAGES.items():
        if url := endpoints.get(name):
            user, secret = LOGINS[name]
            parts.append(
                f"# {what} in a browser: {url}, user {user}, with this password (it is shown in plain)\n"
                f"{outputs}\n  {PICK.format(secret)}"
            )
    if url := endpoints.get("inference"):
        lines = PICK.format(BEARER.format("inference_token"))
        parts.append(
            "# Inference: answers once a model is served (`make bench` serves some)\n"
            f"{outputs}\n  {lines} |\n  {curl} {url}/v1/models"
        )
    return "\n\n".join(parts)
