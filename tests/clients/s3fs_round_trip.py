"""Run in the environment of the clients: s3fs and pyarrow as they are, on BUCKET/PREFIX. Exits with 1 on a
difference. Endpoint, keys and CA bundle come from AWS's own variables."""

from __future__ import annotations

import os
import sys

import pyarrow.fs
import s3fs

SIZE = 24 * 2**20


def with_s3fs(root: str, content: bytes) -> None:
    files = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    files.pipe_file(f"{root}/small", b"small")
    with files.open(f"{root}/large", "wb", block_size=8 * 2**20) as out:
        out.write(content)
    with files.open(f"{root}/large", "rb") as found:
        found.seek(SIZE // 2)
        assert found.read(20) == content[SIZE // 2 : SIZE // 2 + 20]
    assert files.cat_file(f"{root}/large") == content
    files.copy(f"{root}/large", f"{root}/copy")
    assert files.info(f"{root}/copy")["size"] == SIZE
    assert {name.rsplit("/", 1)[1] for name in files.ls(root)} == {"small", "large", "copy"}
    files.rm(root, recursive=True)
    assert not files.exists(f"{root}/small")


def with_pyarrow(root: str, content: bytes) -> None:
    host = os.environ["AWS_ENDPOINT_URL"].removeprefix("https://")
    files = pyarrow.fs.S3FileSystem(endpoint_override=host, scheme="https", region="us-east-1")
    with files.open_output_stream(f"{root}/small") as out:
        out.write(b"small")
    with files.open_output_stream(f"{root}/large") as out:
        out.write(content)
    with files.open_input_file(f"{root}/large") as found:
        found.seek(SIZE // 2)
        assert found.read(20) == content[SIZE // 2 : SIZE // 2 + 20]
        found.seek(0)
        assert found.read() == content
    files.copy_file(f"{root}/small", f"{root}/copy")
    selected = pyarrow.fs.FileSelector(root, recursive=True)
    assert {entry.base_name for entry in files.get_file_info(selected)} == {"small", "large", "copy"}
    files.move(f"{root}/copy", f"{root}/moved")
    files.delete_dir_contents(root)


if __name__ == "__main__":
    {"s3fs": with_s3fs, "pyarrow": with_pyarrow}[sys.argv[1]](sys.argv[2], os.urandom(SIZE))
