"""S3 clients as people use them, with their defaults: what they send is let through by the load balancer."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from components.planning.inventory import Inventory
from tests.acceptance.conftest import ROOT

BUCKET = "results"
# Above the size from which each client uploads in parts.
SIZE = 24 * 2**20
MIDDLE = SIZE // 2
CACHE = Path(os.environ.get("AIDC_CACHE", Path.home() / ".cache" / "aidc"))
LOCKS = ROOT / "tests" / "clients"


def program(lock: str, name: str) -> str:
    """A program of the environment that toolchain/clients.sh makes of a lock."""
    digest = hashlib.sha256((LOCKS / f"{lock}.txt").read_bytes()).hexdigest()[:12]
    path = CACHE / f"clients-{lock}-{digest}" / "bin" / name
    if not path.exists():
        pytest.fail(f"{name} is not installed; fix: toolchain/clients.sh")
    return str(path)


@pytest.fixture
def environment(inventory: Inventory, access: dict[str, Any], ca_file: str) -> dict[str, str]:
    """What `python -m operations access` tells users to set, and nothing else of AWS's."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "S3_", "RCLONE_"))}
    return {
        **mine,
        "AWS_ACCESS_KEY_ID": access["s3"]["access_key"],
        "AWS_SECRET_ACCESS_KEY": access["s3"]["secret_key"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": str(inventory.endpoints["s3"]),
        "S3_ENDPOINT_URL": str(inventory.endpoints["s3"]),
        "AWS_CA_BUNDLE": ca_file,
        # Go's and OpenSSL's own.
        "SSL_CERT_FILE": ca_file,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files: `small`, and `large` of SIZE random bytes."""
    (tmp_path / "small").write_bytes(b"small")
    (tmp_path / "large").write_bytes(os.urandom(SIZE))
    return tmp_path


@pytest.fixture
def prefix(request: pytest.FixtureRequest, s3: Any) -> Iterator[str]:
    """A place of its own for each test, emptied afterwards."""
    name = f"clients/{request.function.__name__}"
    yield name
    for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{name}/").get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])


def run(command: list[str], environment: dict[str, str]) -> bytes:
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-2000:]
    return done.stdout


def test_awscli(environment: dict[str, str], ca_file: str, folder: Path, prefix: str) -> None:
    def aws(*arguments: str) -> bytes:
        return run([program("awscli", "aws"), *arguments], environment)

    place = f"s3://{BUCKET}/{prefix}"
    large, down = folder / "large", folder / "down"
    for name in ("small", "large"):
        aws("s3", "cp", "--no-progress", str(folder / name), f"{place}/{name}")
    assert aws("s3", "ls", f"{place}/").count(b"\n") == 2
    aws("s3", "cp", "--no-progress", f"{place}/large", str(down))
    assert down.read_bytes() == large.read_bytes()
    part = ["--range", f"bytes={MIDDLE}-{MIDDLE + 9}", str(folder / "part")]
    aws("s3api", "get-object", "--bucket", BUCKET, "--key", f"{prefix}/large", *part)
    assert (folder / "part").read_bytes() == large.read_bytes()[MIDDLE : MIDDLE + 10]
    aws("s3", "cp", "--no-progress", f"{place}/large", f"{place}/copy")
    aws("s3", "mv", "--no-progress", f"{place}/copy", f"{place}/moved")
    url = aws("s3", "presign", f"{place}/small").decode().strip()
    assert requests.get(url, verify=ca_file, timeout=30).content == b"small"
    checked = ["--checksum-algorithm", "SHA256", "--body", str(folder / "small")]
    answer = aws("s3api", "put-object", "--bucket", BUCKET, "--key", f"{prefix}/checked", *checked)
    assert b"ChecksumSHA256" in answer
    aws("s3", "sync", "--no-progress", str(folder), f"{place}/tree")
    aws("s3", "rm", "--recursive", place)


def test_boto3(environment: dict[str, str], ca_file: str, folder: Path, prefix: str) -> None:
    # Untyped: the arguments below are put together.
    s3: Any = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        verify=ca_file,
    )
    large = {"Bucket": BUCKET, "Key": f"{prefix}/large"}
    s3.upload_file(str(folder / "large"), **large, ExtraArgs={"Metadata": {"a": "b"}})
    assert s3.head_object(**large)["Metadata"] == {"a": "b"}
    part = s3.get_object(**large, Range=f"bytes={MIDDLE}-{MIDDLE + 9}")["Body"].read()
    assert part == (folder / "large").read_bytes()[MIDDLE : MIDDLE + 10]
    s3.copy(large, BUCKET, f"{prefix}/copy")
    s3.download_file(BUCKET, f"{prefix}/copy", str(folder / "down"))
    assert (folder / "down").read_bytes() == (folder / "large").read_bytes()
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        name = f"{prefix}/{algorithm}"
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"x", ChecksumAlgorithm=algorithm)
        assert s3.get_object(Bucket=BUCKET, Key=name, ChecksumMode="ENABLED")["Body"].read() == b"x"
    key = {"Bucket": BUCKET, "Key": f"{prefix}/presigned"}
    url = s3.generate_presigned_url("put_object", Params={**key, "Metadata": {"a": "b"}})
    headers = {"x-amz-meta-a": "b"}
    assert requests.put(url, data=b"x", headers=headers, verify=ca_file, timeout=30).status_code == 200
    url = s3.generate_presigned_url("get_object", Params=key)
    assert requests.get(url, verify=ca_file, timeout=30).content == b"x"
    post = s3.generate_presigned_post(BUCKET, f"{prefix}/posted")
    answer = requests.post(
        post["url"], data=post["fields"], files={"file": b"x" * 100_000}, verify=ca_file, timeout=30
    )
    assert answer.status_code == 204
    names = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]
    assert len(names) == 7
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": name} for name in names]})


def test_s5cmd(environment: dict[str, str], folder: Path, prefix: str) -> None:
    def s5cmd(*arguments: str) -> bytes:
        return run([program("awscli", "s5cmd"), *arguments], environment)

    place = f"s3://{BUCKET}/{prefix}"
    s5cmd("cp", "--part-size", "8", f"{folder}/*", f"{place}/")
    assert s5cmd("ls", f"{place}/*").count(b"\n") == 2
    assert s5cmd("cat", f"{place}/large") == (folder / "large").read_bytes()
    s5cmd("cp", f"{place}/small", f"{place}/copy")
    s5cmd("mv", f"{place}/copy", f"{place}/moved")
    s5cmd("rm", f"{place}/*")


@pytest.mark.parametrize("client", ["s3fs", "pyarrow"])
def test_python_file_systems(environment: dict[str, str], prefix: str, client: str) -> None:
    script = str(LOCKS / "s3fs_round_trip.py")
    run([program("s3fs", "python"), script, client, f"{BUCKET}/{prefix}/{client}"], environment)


def test_rclone(
    inventory: Inventory, environment: dict[str, str], ca_file: str, folder: Path, prefix: str
) -> None:
    """Debian's, from the image of the backup, with the options that `access` names."""
    options = {
        "RCLONE_CONFIG_AIDC_TYPE": "s3",
        "RCLONE_CONFIG_AIDC_PROVIDER": "Minio",
        "RCLONE_CONFIG_AIDC_ENV_AUTH": "true",
        "RCLONE_CONFIG_AIDC_ENDPOINT": environment["AWS_ENDPOINT_URL"],
        "RCLONE_CA_CERT": ca_file,
        "RCLONE_CONFIG_AIDC_NO_CHECK_BUCKET": "true",
        # Encrypted objects have no MD5 sum for an ETag; this makes rclone know it.
        "RCLONE_CONFIG_AIDC_SERVER_SIDE_ENCRYPTION": "aws:kms",
    }
    secret = {name: environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    names = [part for name in (*options, *secret) for part in ("--env", name)]
    mounts = ["--volume", f"{folder}:{folder}", "--volume", f"{ca_file}:{ca_file}:ro"]
    command = ["docker", "run", "--rm", "--network=host", "--user=0", *mounts, *names]
    image = inventory.by_role("backup")[0].image

    def rclone(*arguments: str) -> bytes:
        start = [*command, image, "rclone", "--config=/dev/null", "--retries=1", *arguments]
        return run(start, {**environment, **options})

    place = f"aidc:{BUCKET}/{prefix}"
    rclone("copy", "--s3-upload-cutoff=8M", "--s3-chunk-size=8M", str(folder), place)
    assert rclone("lsf", place).split() == [b"large", b"small"]
    rclone("check", "--download", str(folder), place)
    rclone("copyto", f"{place}/large", f"{place}/copy")
    assert (
        rclone("cat", "--offset", str(MIDDLE), "--count", "10", f"{place}/copy")
        == ((folder / "large").read_bytes()[MIDDLE : MIDDLE + 10])
    )
    rclone("purge", place)
